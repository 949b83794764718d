"""A debugger in any worker: the terminal is lent to the worker whose test has stopped."""
