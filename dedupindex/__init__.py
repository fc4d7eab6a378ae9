"""dedupindex: an image de-duplication index with a database."""

__version__ = "0.1.0"
