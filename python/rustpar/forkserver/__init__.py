"""The fork server, and the processes that are forked from it: the template and early workers."""
