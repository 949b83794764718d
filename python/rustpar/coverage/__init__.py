"""Coverage measurement in forked processes, and combining of the data files that they write."""
