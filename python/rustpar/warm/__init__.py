"""Warm starts: a server with pytest and third-party packages in memory, whose forks continue as new runs of pytest."""
