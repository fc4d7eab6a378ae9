"""Keeping an index healthy: check, backup, rebuild, doctor, information."""
