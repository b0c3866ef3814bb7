"""The command line: a module for each command or family, imported when it is called."""
