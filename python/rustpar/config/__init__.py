"""Options: what is given on the command line, in the ini file or in the environment, and how it is read."""
