"""Records as text, JSON, CSV and HTML. Nothing is computed here that is not in the records."""
