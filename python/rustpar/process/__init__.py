"""What belongs to one process and is put right after a fork: identity, files, timers, random numbers, memory."""
