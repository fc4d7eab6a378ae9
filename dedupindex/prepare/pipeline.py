"""Frames of any depth to small luminance pictures in 0..1 with their masks: `STAGES` in their order, and no other way.

Small frames of one kind go through the stages together, all others one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dedupindex.prepare.batch import Batch, batches
from dedupindex.prepare.borders import Box
from dedupindex.prepare.digests import pixel_digest
from dedupindex.prepare.reduction import LUMINANCE_WEIGHTS, reduce_area
from dedupindex.prepare.stages import STAGES
from dedupindex.records import Frame, PreparedFrame
from dedupindex.settings import Settings

__all__ = ["LUMINANCE_WEIGHTS", "pixel_digest", "prepare", "prepare_stack", "reduce_area"]

MINIMUM_VALID = 0.02  # share of valid pixels below which a frame has too little information


def prepare(frame: Frame, settings: Settings, *, working_side: int | None = None) -> PreparedFrame:
    """Bring a frame to one scale: trimmed, luminance in 0..1, small, with its mask.

    Parameters
    ----------
    frame : Frame
        As decoded.
    settings : Settings
        `erode_mask`, `mask_saturated`, `trim_borders`, `filters`, `scaling` and the percentiles count here.
    working_side : int, optional
        Longest side of the result, pixels; a smaller picture is not enlarged. None: as the profile wants it.

    Returns
    -------
    PreparedFrame

    Raises
    ------
    ValueError
        Empty frame, shapes that do not fit, or a working side below 1.
    TypeError
        Samples that are neither bool, integer nor float.
    SettingsError
        A filter that is not known.
    """
    return prepare_stack((frame,), settings, working_side=working_side)[0]


def prepare_stack(
    frames: Sequence[Frame], settings: Settings, *, working_side: int | None = None
) -> list[PreparedFrame]:
    """`prepare` of each frame, in one go where they are many, tiny and of one shape and data type.

    Results are those of one by one; 8-bit luminance may differ by one unit in the last place of float32.

    Parameters
    ----------
    frames : sequence of Frame
        Any number, of any shapes.
    settings : Settings
        As for `prepare`.
    working_side : int, optional
        As for `prepare`.

    Returns
    -------
    list of PreparedFrame
        One a frame.

    Raises
    ------
    ValueError, TypeError, SettingsError
        As `prepare`.
    """
    side = settings.working_side if working_side is None else working_side
    return [prepared for batch in batches(frames, settings, side) for prepared in _prepared(batch)]


def _prepared(batch: Batch) -> list[PreparedFrame]:
    """Run all stages."""
    done = batch
    for stage in STAGES:
        done = stage.run(done)
    if done.is_trimmed and all(done.flat):  # two flat areas are a picture; one of them alone is not
        request = batch.request
        untrimmed = replace(request.settings, trim_borders=False)
        return prepare_stack(request.frames, untrimmed, working_side=request.working_side)
    return [_result(done, number) for number in range(len(done.luminance))]


def _result(batch: Batch, number: int) -> PreparedFrame:
    """What the stages made of one frame of a batch."""
    request = batch.request
    frame = request.frames[number]
    full_shape = frame.full_shape if min(frame.full_shape) > 0 else request.shape
    mask, share = batch.mask[number], float(batch.valid_shares[number])
    return PreparedFrame(
        luminance=batch.luminance[number],
        colour=batch.values[number] if batch.is_colour else None,
        mask=mask,
        box=_at_full_size(batch.box, request.shape, full_shape),
        full_shape=full_shape,
        valid_share=share,
        low_information=share < MINIMUM_VALID or batch.flat[number] or not mask.any(),
        scaling=batch.scalings[number] + _told(frame.fills),
        pixel_sha256=batch.digests[number],
        bits=frame.bits,
        channels=3 if batch.is_colour else 1,
    )


def _told(fills: tuple[float, ...]) -> str:
    """For people: what constant areas were masked without being declared."""
    return f", areas of {' and '.join(f'{value:g}' for value in fills)} masked" if fills else ""


def _at_full_size(box: Box, shape: tuple[int, int], full_shape: tuple[int, int]) -> Box:
    """A box of a frame that was decoded reduced, in pixels of the full one."""
    if shape == full_shape:
        return box
    top, left, rows, columns = box
    scale_y, scale_x = full_shape[0] / shape[0], full_shape[1] / shape[1]
    y0, y1 = round(top * scale_y), round((top + rows) * scale_y)
    x0, x1 = round(left * scale_x), round((left + columns) * scale_x)
    return y0, x0, y1 - y0, x1 - x0
