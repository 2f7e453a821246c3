"""What the command line can do, one noun a file: `add` says how it is asked, the rest does it."""
