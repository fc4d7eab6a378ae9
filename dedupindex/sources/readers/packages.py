"""Packages that a reader needs and that may be missing."""

from __future__ import annotations

import importlib.util
from functools import cache
from importlib import import_module
from typing import Any

from dedupindex.errors import Reason, UnsupportedImageError
from dedupindex.sources.content import Source


def package(source: Source, module: str, what: str, extra: str) -> Any:
    """A module of an extra.

    Parameters
    ----------
    source : Source
        The file that needs it.
    module : str
        Its name.
    what : str
        The format, for the message.
    extra : str
        Which extra has it.

    Raises
    ------
    UnsupportedImageError
        It is not installed; the message names the extra.
    """
    try:
        return import_module(module)
    except ImportError:
        detail = f"{what} needs more packages: install dedupindex with its extra '{extra}'"
        raise UnsupportedImageError(source.path, Reason.UNSUPPORTED, detail) from None


@cache
def installed(module: str) -> bool:
    """Whether a module can be imported."""
    return importlib.util.find_spec(module) is not None
