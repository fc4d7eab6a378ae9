"""Where the heavy work is done: embedded, or by parts in a process pool or on a Ray cluster. One set of stages."""
