"""The commands, a module for each group. What a command needs is loaded when it runs."""
