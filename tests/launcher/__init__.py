"""Runs of pytest for the tests, forked from a process that has imported pytest and the plugins.

A short run spends most of its time with imports: with two workers a fork takes half of the CPU time, in one process a
quarter. What a new process has from its parent, a fork gets from :mod:`rustpar.warm.fresh`, as in a warm server. Tests
of what a new process does, and of the processes themselves, start new ones (`NEW_PROCESSES` in `conftest.py`).
"""
