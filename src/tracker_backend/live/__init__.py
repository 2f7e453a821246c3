"""Live sessions: subscribers get each committed batch exactly once, whichever process committed it."""
