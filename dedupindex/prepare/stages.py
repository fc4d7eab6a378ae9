"""The stages of `prepare`, in the order in which they run. Each is a function of a `Batch` and gives another one.

Adding a stage means: one function, one entry in `STAGES`, and one with version "1" in `dedupindex.versions.STAGES`. The
names, versions and order of all stages are part of the fingerprint of a database, so raise a stage's version there when
it gives other results.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from dedupindex.prepare import borders, masks, scaling
from dedupindex.prepare.batch import Batch
from dedupindex.prepare.corners import find_corners
from dedupindex.prepare.depth import scale_frames
from dedupindex.prepare.digests import pixel_digests
from dedupindex.prepare.filter_names import apply_filters
from dedupindex.prepare.information import all_equal, is_flat
from dedupindex.prepare.reduction import reduce_area, reduce_bytes, reduced_shape, to_luminance

_Number = TypeVar("_Number", bound=np.generic)


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of `prepare`.

    Attributes
    ----------
    name : str
        One word; stands in the fingerprint with its version in `dedupindex.versions.STAGES`.
    run : function of a Batch that gives a Batch
    """

    name: str
    run: Callable[[Batch], Batch]


def drop_not_finite(batch: Batch) -> Batch:
    """NaN and infinities are not valid."""
    if batch.valid is None or batch.request.dtype.kind != "f":
        return batch
    return batch._replace(valid=batch.valid & masks.valid_from_finite(batch.pixels, channels=batch.is_colour))


def digest_pixels(batch: Batch) -> Batch:
    """SHA-256 of the decoded pixels: the same pixels in two files are found by it."""
    return batch._replace(digests=pixel_digests(batch.pixels, batch.valid))


def mask_invalid(batch: Batch) -> Batch:
    """Saturated pixels and what lies beside holes are not valid, if the settings say so; the share that is left."""
    settings, valid = batch.request.settings, batch.valid
    if settings.mask_saturated:
        bits = batch.request.frames[0].bits
        unsaturated = masks.valid_from_saturation(batch.pixels, bits=bits, channels=batch.is_colour)
        valid = unsaturated if valid is None else valid & unsaturated
    if valid is None or valid.all():
        return batch._replace(valid=None, valid_shares=np.ones(len(batch.pixels)))
    if settings.erode_mask:
        valid = masks.erode(valid, settings.erode_mask)
    return batch._replace(valid=valid, valid_shares=valid.mean((1, 2)))


def preview(batch: Batch) -> Batch:
    """A small picture in steps of 0..255 on which corners and borders are looked for, if they are."""
    request, pixels, valid = batch.request, batch.pixels, batch.valid
    if not request.trims:
        return batch
    if _is_linear(batch):
        return batch._replace(preview=reduce_bytes(pixels[0], request.working_side))
    if request.dtype == np.uint8:
        values = pixels.astype(np.float32)
    else:
        values = scaling.contrast_normalise(pixels, valid, by="percentile", channels=batch.is_colour).values
        values *= np.float32(255)
    small, mask = reduce_area(values[0], None if valid is None else valid[0], request.working_side)
    return batch._replace(preview=small, preview_valid=None if valid is None else mask)


def locate_corners(batch: Batch) -> Batch:
    """The tilted rectangle that is picture, where a turned picture left empty corners."""
    if batch.preview is None:
        return batch
    tilted = find_corners(batch.preview, batch.preview_valid)
    return batch if tilted is None else batch._replace(tilted=tilted)


def trim_borders(batch: Batch) -> Batch:
    """Cut flat borders off; a picture with empty corners has none, but what was in a border may have been turned."""
    if batch.preview is None or batch.tilted is not None:
        return batch
    small = (batch.preview.shape[0], batch.preview.shape[1])
    box = borders.find_box(batch.preview, batch.preview_valid)
    if box == (0, 0, *small):
        return batch
    valid = batch.valid
    box = borders.refine_box(batch.pixels[0], box, small, None if valid is None else valid[0])
    if box[2:] == batch.request.shape:
        return batch
    top, left, rows, columns = box
    part = np.s_[:, top : top + rows, left : left + columns]
    cut = batch._replace(pixels=batch.pixels[part], valid=None if valid is None else valid[part], box=box)
    return locate_corners(preview(cut))


def reduce_first(batch: Batch) -> Batch:
    """Reduce 8-bit pictures that are only multiplied later: the order does not change the result and saves work."""
    if not _is_linear(batch):
        return batch
    small = reduce_bytes(batch.pixels[0], batch.request.working_side) if batch.preview is None else batch.preview
    return batch._replace(pixels=small[None], reduced_first=True)


def mask_corners(batch: Batch) -> Batch:
    """What lies outside of the tilted rectangle, and the blurred pixels along its sides, is not valid."""
    if batch.tilted is None:
        return batch
    height, width = batch.pixels.shape[1:3]
    margin = 1.0 if batch.reduced_first else 2.0 * max(1.0, max(height, width) / batch.request.working_side)
    inside = batch.tilted.inside((height, width), margin)[None]
    return batch._replace(valid=inside if batch.valid is None else batch.valid & inside)


def filter_pixels(batch: Batch) -> Batch:
    """The filters of the settings, in turn, at full resolution."""
    if not batch.request.filters:
        return batch
    valid = batch.valid
    done = [
        apply_filters(pixels, None if valid is None else valid[k], batch.request.filters)
        for k, pixels in enumerate(batch.pixels)
    ]
    kept = [mask for _, mask in done if mask is not None]
    return batch._replace(pixels=_stacked([pixels for pixels, _ in done]), valid=_stacked(kept) if kept else None)


def scale(batch: Batch) -> Batch:
    """Native depth to 0..1."""
    if batch.reduced_first:
        return batch._replace(values=batch.pixels * np.float32(1 / 255), scalings=("dtype 0..255",))
    request = batch.request
    values, texts = scale_frames(batch.pixels, batch.valid, request.frames[0], request.settings, request.policy)
    return batch._replace(values=values, scalings=texts)


def reduce(batch: Batch) -> Batch:
    """Down to the working side by averages over the valid area; 0 under the mask."""
    values, valid = batch.values, batch.valid
    shape = values.shape[1:3]
    if reduced_shape(shape, batch.request.working_side) == shape:
        if valid is None:
            return batch._replace(mask=np.ones(values.shape[:3], np.bool_))
        inside = valid[..., None] if batch.is_colour else valid
        return batch._replace(values=np.where(inside, values, np.float32(0)), mask=valid)
    done = [
        reduce_area(frame, None if valid is None else valid[k], batch.request.working_side)
        for k, frame in enumerate(values)
    ]
    small = _stacked([frame for frame, _ in done])
    np.minimum(small, 1.0, out=small)  # means of ones, rounded
    return batch._replace(values=small, mask=_stacked([mask for _, mask in done]))


def take_luminance(batch: Batch) -> Batch:
    """``.299 R + .587 G + .114 B``."""
    if not batch.is_colour:
        return batch._replace(luminance=batch.values)
    return batch._replace(luminance=_stacked([to_luminance(frame)[0] for frame in batch.values]))


def measure_information(batch: Batch) -> Batch:
    """Whether a frame is constant or nearly empty; of deep data only a constant is.

    A picture may use only a few of many thousand levels.
    """
    if batch.request.dtype == np.uint8:
        colours = batch.values if batch.is_colour else [None] * len(batch.values)
        flat = tuple(map(is_flat, batch.luminance, colours, batch.mask))
    else:
        flat = tuple(all_equal(batch.pixels, batch.valid).tolist())
    return batch._replace(flat=flat)


def _stacked(arrays: Sequence[NDArray[_Number]]) -> NDArray[_Number]:
    """`numpy.stack`, without a copy of a single one."""
    return arrays[0][None] if len(arrays) == 1 else np.stack(arrays)


def _is_linear(batch: Batch) -> bool:
    """Whether the frame goes from 8 bits to 0..1 by one multiplication; small frames of a stack are not reduced."""
    request = batch.request
    return (
        request.dtype == np.uint8
        and len(request.frames) == 1
        and batch.valid is None
        and not request.filters
        and request.policy == "dtype"
    )


STAGES: tuple[Stage, ...] = (
    Stage("finite", drop_not_finite),
    Stage("digest", digest_pixels),
    Stage("validity", mask_invalid),
    Stage("preview", preview),
    Stage("corners", locate_corners),
    Stage("borders", trim_borders),
    Stage("early_reduction", reduce_first),
    Stage("outside", mask_corners),
    Stage("filters", filter_pixels),
    Stage("scaling", scale),
    Stage("reduction", reduce),
    Stage("luminance", take_luminance),
    Stage("information", measure_information),
)
