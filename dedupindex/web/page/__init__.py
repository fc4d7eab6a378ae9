"""The review page: groups, decisions, plans."""
