"""Import of recordings from files.

`elements` reads a file element by element, `inspection` checks whole files before anything is stored, `batches` builds
batches for ingest, and `run` is the command.
"""
