"""Data sets: their parts, and what leaks between them."""
