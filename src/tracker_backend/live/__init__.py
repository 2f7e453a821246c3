"""Live: who watches a session is told of each batch, once, whichever process stored it."""
