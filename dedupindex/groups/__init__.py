"""From confirmed pairs to groups and reports."""
