"""Worker processes, their pool, progress, and the protocol that every engine fulfils."""
