"""Records rendered: text, JSON, CSV, HTML. Nothing is computed here that the records do not already say."""
