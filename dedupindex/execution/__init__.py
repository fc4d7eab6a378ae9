"""Worker processes, their pool, progress, and the protocol of every engine."""
