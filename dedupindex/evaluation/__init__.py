"""How well it does: attacked copies, counting, thresholds, synthetic collections."""
