"""Measures how well it works: attacked copies, counting, thresholds, synthetic collections."""
