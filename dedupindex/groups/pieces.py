"""Which stored pieces a report shows."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from dedupindex.groups import roots
from dedupindex.groups.decisions import DecidedPairs
from dedupindex.records import ImageRecord, Relation
from dedupindex.records.pieces import Piece
from dedupindex.records.reports import Selection
from dedupindex.records.selected_places import touches
from dedupindex.store import catalog_pieces
from dedupindex.store.database import Connection


def shown_pieces(
    connection: Connection, selection: Selection, decided: DecidedPairs, away: Sequence[Path]
) -> tuple[Piece, ...]:
    """Pieces of images that are both still somewhere, surest first.

    Those of two pictures that were decided to be no duplicates, or of which both are in a reference only, are left out.

    Parameters
    ----------
    connection : Connection
    selection : Selection
        Its relations, score and paths count.
    decided : DecidedPairs
    away : sequence of Path
        Places that are not there now (`roots.absent`).

    Returns
    -------
    tuple of Piece
    """
    if not selection.wants((Relation.PIECE_OF,)) or selection.groups:
        return ()
    references = roots.reference_images(connection)
    kept = []
    for piece in catalog_pieces.pieces(connection, min_score=selection.min_score):
        both = (piece.container, piece.part)
        if references and all(image.id in references for image in both):
            continue
        if decided.leaves_out(piece.container.key, piece.part.key, decided=selection.decided):
            continue
        container, part = (_present(image) for image in both)
        if container.locations and part.locations and touches(selection, (*container.locations, *part.locations)):
            kept.append(dataclasses.replace(piece, container=container, part=part))
    if away:
        kept = [
            dataclasses.replace(one, container=roots.marked(one.container, away), part=roots.marked(one.part, away))
            for one in kept
        ]
    return tuple(kept)


def _present(image: ImageRecord) -> ImageRecord:
    return dataclasses.replace(image, locations=tuple(place for place in image.locations if not place.missing))
