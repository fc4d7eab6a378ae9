"""The stage that looks for pieces in pairs of stored images in workers: a pure, picklable function."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

from dedupindex.errors import Reason
from dedupindex.execution.tasks import PieceResult, PieceTask
from dedupindex.features.packing import FRAME_FORMAT
from dedupindex.features.piece_entries import NAMES, unpack_pieces
from dedupindex.records import Side
from dedupindex.verify.pieces.confirmation import View, find_pieces

NEEDED = (*NAMES, "frame")  # features of an image


def pieces_of_pairs(tasks: Sequence[PieceTask]) -> list[PieceResult]:
    """Look for pieces in pairs."""
    return [_pieces(task) for task in tasks]


def pieces_died(task: PieceTask, reason: Reason) -> PieceResult:
    """The result for pairs whose worker died or took too long, twice."""
    return PieceResult(lost=task.pairs)


def stored_view(parts: Mapping[str, bytes]) -> View:
    """The view of a stored image.

    Raises
    ------
    KeyError, ValueError
        A feature is missing or damaged.
    """
    try:
        _, top, left, height, width, full_height, full_width, _ = struct.unpack(FRAME_FORMAT, parts["frame"])
    except struct.error as error:
        raise ValueError(f"damaged feature blob: {error}") from error
    return View(unpack_pieces(parts), (top, left, height, width), (full_height, full_width))


def _pieces(task: PieceTask) -> PieceResult:
    views = {image: stored_view(parts) for image, parts in task.parts.items()}
    confirmed = []
    for a, b, mirrored in task.pairs:
        for side, piece in find_pieces(views[a], views[b], threshold=task.threshold, mirrored=mirrored):
            confirmed.append((a, b, piece) if side is Side.A else (b, a, piece))
    return PieceResult(tuple(confirmed))
