"""Coverage in forked processes, and joining the data files that they write."""
