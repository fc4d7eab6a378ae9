"""Where the heavy work runs: in this program's own processes, by parts in a process pool, or on a Ray cluster."""
