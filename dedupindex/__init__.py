"""dedupindex: an image de-duplication index with a database.

The public names stand in ``__init__.pyi``, each once. They are loaded when they are first used, so that
``dedupindex --help`` is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"


def _modules() -> dict[str, str]:
    """Read which module each public name comes from: the stub has one ``from MODULE import NAME as NAME`` a line."""
    text = __spec__.loader.get_data(f"{__path__[0]}/__init__.pyi").decode()  # pkgutil and pathlib would take longer
    lines = (line.split() for line in text.splitlines())
    return {words[3]: words[1] for words in lines if words[:1] == ["from"]}


_MODULES = _modules()
__all__ = [*_MODULES, "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'dedupindex' has no attribute {name!r}")
    value = getattr(import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
