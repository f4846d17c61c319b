"""The `rsc-share` command. Thin: it reads files, asks people, calls the rooms below and prints what they answer."""
