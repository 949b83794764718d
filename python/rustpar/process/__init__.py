"""State of a single process that is corrected after a fork: identity, files, timers, random numbers, memory."""
