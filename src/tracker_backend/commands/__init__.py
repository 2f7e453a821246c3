"""The commands, one noun per file: `add` declares the command, `run` runs it."""
