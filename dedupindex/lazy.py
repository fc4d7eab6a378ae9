"""Packages whose public names are loaded when they are first used.

Whoever needs one light module of such a package does not wait for the others, nor for NumPy and OpenCV, which they
import.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def loader(package: str, modules: Mapping[str, str]) -> Callable[[str], Any]:
    """The ``__getattr__`` of a package.

    Parameters
    ----------
    package : str
        Its ``__name__``.
    modules : mapping of str to str
        Public name to the whole name of the module that has it. None is the name of a module of the package: once that
        is loaded, the name means the module.

    Returns
    -------
    function of a name
        Gives the value, and raises AttributeError for other names.
    """

    def load(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(modules[name]), name)

    return load
