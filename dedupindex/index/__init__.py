"""The facade: `Index`, and what is done with files and plans without an open index. cli/ and web/ use nothing below."""

from dedupindex.index.index import Index

__all__ = ["Index"]
