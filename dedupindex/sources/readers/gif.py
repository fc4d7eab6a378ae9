"""Frames of a GIF, counted before Pillow counts them: it would go through gigabytes of them, ten bytes each."""

from __future__ import annotations

from dedupindex.sources.content import Source, check_count

_LEAST_FRAME = 12  # bytes: separator, 9 of the descriptor, code size, the end of the data
_HEADER, _DESCRIPTOR = 13, 10
_EXTENSION, _FRAME = 0x21, 0x2C


def check_gif(source: Source) -> None:
    """Check the number of frames against `max_frames`. Damage ends the count; the decoder tells it.

    Parameters
    ----------
    source : Source

    Raises
    ------
    LimitExceededError
    """
    data, most = source.data, source.settings.max_frames
    if len(data) <= most * _LEAST_FRAME:
        return
    frames, at = 0, _HEADER + _colours(data[10])
    while at < len(data):
        if data[at] == _FRAME and at + _DESCRIPTOR < len(data):
            frames += 1
            check_count(source, frames)
            at += _DESCRIPTOR + _colours(data[at + 9]) + 1
        elif data[at] == _EXTENSION:
            at += 2
        else:
            at += 1  # Pillow passes over other bytes too, one by one
            continue
        while at < len(data) and data[at]:  # blocks, each with its length before it
            at += data[at] + 1
        at += 1


def _colours(flags: int) -> int:
    """Bytes of the colour table that a descriptor announces."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0
