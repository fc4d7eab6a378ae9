"""The facade: `Index`, and what is done with files and plans without an open index. cli/ and web/ use nothing below."""

from dedupindex.groups.grouping import largest_first
from dedupindex.index.index import Index

__all__ = ["Index", "largest_first"]
