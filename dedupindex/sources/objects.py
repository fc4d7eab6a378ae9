"""Read numbers and None from the pickle inside a NumPy object array, without unpickling it.

No class and no function that the pickle names is ever called: our own classes take their places. NumPy's own
reconstruction is not used either, because a damaged pickle makes it crash the process.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

Number: TypeAlias = int | float | bool | None


class _Kind:
    """Stands for `numpy.dtype`: remembers what it was called with."""

    def __init__(self, name: object = "", *_: object) -> None:
        self.name = name
        self.order = "<"

    def __setstate__(self, state: Any) -> None:
        if state[1] in ("<", ">", "|", "="):
            self.order = state[1]


class _Objects:
    """Stands for `numpy.ndarray`: takes the state of an array of objects."""

    def __init__(self, *_: object) -> None:
        self.items: object = None

    def __setstate__(self, state: Any) -> None:
        self.items = state[-1]


def _scalar(kind: object, data: object) -> Number:
    """Stands for NumPy's maker of scalars."""
    if not isinstance(kind, _Kind) or not isinstance(kind.name, str) or not isinstance(data, bytes):
        raise pickle.UnpicklingError("unsupported: a scalar of an unknown kind")
    dtype = np.dtype(kind.order.replace("|", "") + kind.name)
    if dtype.kind not in "biuf" or dtype.itemsize != len(data):
        raise pickle.UnpicklingError("unsupported: a scalar that is no number")
    number: Number = np.frombuffer(data, dtype)[0].item()
    return number


def _encode(text: object, *_: object) -> bytes:
    """Stands for `_codecs.encode`, by which old pickles hold bytes."""
    return str(text).encode("latin-1")


class _Unpickler(pickle._Unpickler):  # the one in Python: the one in C prints and overallocates on damaged bytes
    _STAND_INS: dict[tuple[str, str], Callable[..., Any]] = {  # noqa: RUF012  (never changed)
        ("numpy", "dtype"): _Kind,
        ("numpy", "ndarray"): _Objects,
        ("numpy._core.multiarray", "_reconstruct"): _Objects,
        ("numpy.core.multiarray", "_reconstruct"): _Objects,
        ("numpy._core.multiarray", "scalar"): _scalar,
        ("numpy.core.multiarray", "scalar"): _scalar,
        ("_codecs", "encode"): _encode,
    }

    def find_class(self, module: str, name: str) -> Any:
        stand_in = self._STAND_INS.get((module, name))
        if stand_in is None:
            raise pickle.UnpicklingError(f"unsupported: the array holds {module}.{name} objects")
        return stand_in


def load_numbers(stream: io.BytesIO) -> list[Number]:
    """The items of a pickled object array, in their stored order.

    Raises
    ------
    pickle.UnpicklingError
        It holds anything but numbers and None, or is no array.
    """
    array = _Unpickler(stream).load()
    if not isinstance(array, _Objects) or not isinstance(array.items, list):
        raise pickle.UnpicklingError("the pickle holds no array of objects")
    for item in array.items:
        if item is not None and not isinstance(item, int | float):
            raise pickle.UnpicklingError(f"unsupported: the array holds {type(item).__name__} objects")
    return array.items
