"""The controller's side of a run: the session, the worker pool, scheduling and hook dispatch."""
