"""A worker: pytest's session with a loop that takes its tests from the engine."""
