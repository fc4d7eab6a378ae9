"""Engines: in pools of processes, by parts in a process pool, or by parts on a Ray cluster."""
