"""Pairs as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence

from dedupindex.records import DuplicateGroup, Pair
from dedupindex.reports.names import for_spreadsheet

COLUMNS = ("a", "b", "score", "relation", "dy", "dx", "scale", "rotation", "mirrored", "overlap")


def pair_rows(pairs: Sequence[Pair], groups: Sequence[DuplicateGroup]) -> list[tuple[str, ...]]:
    """Return the rows of a list of pairs, best first.

    Parameters
    ----------
    pairs : sequence of Pair
        Confirmed pairs of different images, best first.
    groups : sequence of DuplicateGroup
        For the images at several locations: each further location is paired with the first one as ``same_bytes``.
    """
    rows = list(_same_bytes(groups))
    for pair in sorted(pairs, key=lambda pair: -pair.verification.score):
        found, registration = pair.verification, pair.verification.registration
        rows.append(
            (
                pair.a.locations[0].address,
                pair.b.locations[0].address,
                f"{found.score:.6f}",
                "+".join(found.relations),
                f"{round(registration.shift[0], 2) + 0.0:.2f}",
                f"{round(registration.shift[1], 2) + 0.0:.2f}",
                f"{registration.scale:.5f}",
                f"{round(registration.rotation, 3) + 0.0:.3f}",
                str(registration.mirrored).lower(),
                f"{registration.overlap:.4f}",
            )
        )
    return rows


def _same_bytes(groups: Sequence[DuplicateGroup]) -> Iterator[tuple[str, ...]]:
    for group in groups:
        for member in group.members:
            first, *others = member.image.locations
            for place in others:
                same = ("1.000000", "same_bytes", "0.00", "0.00", "1.00000", "0.000", "false", "1.0000")
                yield (first.address, place.address, *same)


def pairs_csv(pairs: Sequence[Pair], groups: Sequence[DuplicateGroup], *, spreadsheet: bool = False) -> bytes:
    """Return a list of pairs as CSV, UTF-8; names that are not UTF-8 keep their bytes.

    Parameters
    ----------
    spreadsheet : bool
        Put an apostrophe before cells that a spreadsheet would take for a formula. Without, names are exact.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for a, b, *numbers in pair_rows(pairs, groups):
        names = (for_spreadsheet(a), for_spreadsheet(b)) if spreadsheet else (a, b)
        writer.writerow((*names, *numbers))
    return text.getvalue().encode("utf-8", "surrogateescape")
