"""The facade: `Index`, and what needs no database. cli/ and web/ know nothing below it but records and errors.

Its names are loaded when they are first used: `compare` and `info FILE` do not need the vector index.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dedupindex.execution.worker import fork_workers_here
    from dedupindex.groups.grouping import largest_first
    from dedupindex.index.index import Index

__all__ = ["Index", "fork_workers_here", "largest_first"]
_MODULES = {
    "Index": "dedupindex.index.index",
    "fork_workers_here": "dedupindex.execution.worker",
    "largest_first": "dedupindex.groups.grouping",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
