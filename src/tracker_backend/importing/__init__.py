"""Storing recordings from files: `scan` reads JSON piece by piece, `items` tells what each piece is, `survey` looks at
all of a file before anything is stored, `batches` makes what ingest takes, `run` is the command.
"""
