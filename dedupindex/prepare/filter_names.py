"""Filters by name, as settings write them: ``lee:5``, ``lee:7:4``, ``median:3``, ``gaussian:1.5``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedupindex.errors import SettingsError
from dedupindex.prepare import filters
from dedupindex.prepare.filters import Filtered
from dedupindex.records import Mask


@dataclass(frozen=True, slots=True)
class NamedFilter:
    """One filter: its name and its one or two numbers (window side or sigma; looks)."""

    name: str
    size: float
    extra: float | None = None


_WINDOWED: dict[str, Callable[[NDArray[Any], int, Mask | None, float | None], Filtered]] = {
    "mean": lambda a, size, mask, _: filters.mean_filter(a, size, mask),
    "median": lambda a, size, mask, _: filters.masked_median(a, size, mask),
    "lee": lambda a, size, mask, looks: filters.lee_filter(a, size, mask, looks=looks),
    "enhanced_lee": lambda a, size, mask, looks: filters.enhanced_lee_filter(a, size, mask, looks=looks or 1.0),
}
_WITH_LOOKS = ("lee", "enhanced_lee")
FILTERS = (*_WINDOWED, "gaussian")


def parse_filters(names: Sequence[str]) -> tuple[NamedFilter, ...]:
    """Filters from their names.

    ``mean:SIZE``, ``median:SIZE``, ``lee:SIZE[:LOOKS]``, ``enhanced_lee:SIZE[:LOOKS]``, ``gaussian:SIGMA``; sizes are
    whole pixels of the full-resolution frame.

    Raises
    ------
    SettingsError
        An unknown name, or a number that is missing or means nothing.
    """
    return tuple(_parse(text) for text in names)


def _parse(text: str) -> NamedFilter:
    name, *numbers = text.strip().split(":")
    if name not in FILTERS:
        raise SettingsError(f"unknown filter {text!r}; there are: {', '.join(FILTERS)}, as in lee:5")
    try:
        values = [float(number) for number in numbers]
    except ValueError as error:
        raise SettingsError(f"filter {text!r}: {error}") from error
    most = 2 if name in _WITH_LOOKS else 1
    if not 1 <= len(values) <= most or not all(np.isfinite(value) and value > 0 for value in values):
        raise SettingsError(f"filter {text!r} needs {'1 or 2' if most == 2 else '1'} positive numbers after a colon")
    if name != "gaussian" and values[0] != int(values[0]):
        raise SettingsError(f"filter {text!r}: the window must be whole pixels")
    return NamedFilter(name, values[0], values[1] if len(values) > 1 else None)


def apply_filters(
    pixels: NDArray[Any], mask: Mask | None, wanted: Sequence[NamedFilter]
) -> tuple[NDArray[Any], Mask | None]:
    """Apply filters in turn to a frame, each colour on its own.

    Parameters
    ----------
    pixels : (H, W) or (H, W, 3) array
    mask : (H, W) bool or None
        None = all valid.
    wanted : sequence of NamedFilter

    Returns
    -------
    pixels, mask
        Floats; values under the mask are 0.
    """
    planes = pixels if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)
    validity = None if mask is None else np.broadcast_to(mask, planes.shape)
    for one in wanted:
        result = (
            filters.gaussian_filter(planes, one.size, validity)
            if one.name == "gaussian"
            else _WINDOWED[one.name](planes, int(one.size), validity, one.extra)
        )
        planes = result.values
        validity = None if mask is None else result.mask
    if pixels.ndim == 3:
        joint: Mask | None = None if validity is None else np.all(validity, axis=0)
        return np.ascontiguousarray(np.moveaxis(planes, 0, -1)), joint
    return planes, validity
