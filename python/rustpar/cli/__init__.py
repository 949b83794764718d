"""The command ``rustpar`` and its subcommands."""
