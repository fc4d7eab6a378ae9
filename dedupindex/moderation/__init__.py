"""Moderation: PDQ hashes, and banks of hashes without pictures."""
