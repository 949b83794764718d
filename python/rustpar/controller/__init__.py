"""The controller of a run: its session, its workers' objects and processes, and what it calls plugins with."""
