"""Pairs as a table: rows of values, and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

from dedupindex.records import GroupMember, Link, LocationRecord, Outcome, Pair, Relation
from dedupindex.records.proofs import DIRECT
from dedupindex.records.reports import Report
from dedupindex.records.selected_places import copy_pairs, place_pairs
from dedupindex.reports.names import for_spreadsheet

COLUMNS = (
    "a", "b", "score", "relation", "dy", "dx", "scale", "rotation", "mirrored", "overlap", "proof", "changed",
    "a_gone", "b_gone",
    "leads", "rule", "because", "judgement",
    "companions_a", "companions_b",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PairLine:
    """A pair of two places, as tables show it."""

    a: LocationRecord
    b: LocationRecord
    score: float
    relation: str
    dy: float = 0.0
    dx: float = 0.0
    scale: float = 1.0
    rotation: float = 0.0
    mirrored: bool = False
    overlap: float = 1.0
    proof: str = "same"  # outcome of the proof; "" = the files were not compared
    changed: float | None = 0.0  # share of what was compared that differs, 0..1; None = not known
    leads: str = "a"  # which of the two stands before the other in their group; "" = they are in none
    rule: str = ""  # by which the representative stands before the other one; "" for two that stand behind it
    because: str = ""
    judgement: bool = False


def pair_lines(report: Report) -> Iterator[PairLine]:
    """Yield the pairs of a report, best first.

    A pair of images at several places is listed for each two of their places, up to the first
    `dedupindex.records.selected_places.MOST_PLACES` of an image. Places of one image come first of all, as
    ``same_bytes``.
    """
    for group in report.groups:
        for member in group.members:
            for a, b in copy_pairs(report.selection, member.image):
                yield PairLine(a, b, 1.0, "same_bytes")
    ranks = {
        member.image.id: (number, member) for group in report.groups for number, member in enumerate(group.members)
    }
    for pair in sorted(report.pairs, key=lambda pair: -pair.verification.score):
        verification, registration = pair.verification, pair.verification.registration
        proof, changed = proof_columns(pair)
        for a, b in place_pairs(report.selection, pair):
            yield PairLine(
                a,
                b,
                verification.score,
                "+".join(pair.relations),
                round(registration.shift[0], 2) + 0.0,  # no minus zero
                round(registration.shift[1], 2) + 0.0,
                registration.scale,
                round(registration.rotation, 3) + 0.0,
                registration.mirrored,
                registration.overlap,
                proof,
                changed,
                *_rank_columns(pair, ranks),
            )


def piece_lines(report: Report) -> Iterator[PairLine]:
    """Yield the pieces of a report, surest first: *a* contains a part of *b*; dy and dx are where it lies in *a*."""
    for piece in report.pieces:
        placed = piece.found
        yield PairLine(
            piece.container.locations[0],
            piece.part.locations[0],
            placed.score,
            str(Relation.PIECE_OF),
            float(placed.box[0]),
            float(placed.box[1]),
            placed.scale,
            round(placed.rotation, 3) + 0.0,
            placed.mirrored,
            placed.part_share,
            "" if placed.proof is None else str(placed.proof.outcome),
            None if placed.proof is None else placed.proof.changed,
            leads="",
        )


def _rank_columns(pair: Pair, ranks: Mapping[int, tuple[int, GroupMember]]) -> tuple[str, str, str, bool]:
    """Which picture of a pair stands before the other one, and why where that is the representative."""
    if pair.a.id not in ranks or pair.b.id not in ranks or pair.link is Link.ALTERNATE:
        return "", "", "", False
    (first, _), (second, behind) = sorted((ranks[pair.a.id], ranks[pair.b.id]), key=lambda one: one[0])
    leads = "a" if ranks[pair.a.id][0] < second else "b"
    return (leads, behind.rule, behind.because, behind.judgement) if first == 0 else (leads, "", "", False)


def proof_columns(pair: Pair) -> tuple[str, float | None]:
    """Return the outcome of a pair's proof, and the share that differs; the same bytes and pixels need no proof."""
    if DIRECT.intersection(pair.relations):
        return str(Outcome.SAME), 0.0
    if pair.proof is None:
        return "", None
    return str(pair.proof.outcome), None if pair.proof.outcome is Outcome.NONE else pair.proof.changed


def companion_columns(line: PairLine) -> tuple[str, str]:
    """Return the names of the files that belong to each of the two, joined by ``/``, which no name holds."""
    a, b = ("/".join(companion.path.name for companion in place.companions) for place in (line.a, line.b))
    return a, b


class _Lines:
    """Takes rows that end in CR LF and writes them with LF."""

    def __init__(self, text: io.StringIO) -> None:
        self._text = text

    def write(self, row: str) -> int:
        """Write one row."""
        return self._text.write(row.removesuffix("\r\n") + "\n")


def pairs_csv(report: Report, *, spreadsheet: bool = False) -> bytes:
    """Return the pairs of a report as CSV, UTF-8; names that are not UTF-8 keep their bytes.

    Parameters
    ----------
    spreadsheet : bool
        Put an apostrophe before cells that a spreadsheet would take for a formula. Without, names are exact.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(
        _Lines(text), lineterminator="\r\n"
    )  # before Python 3.13 it quotes only what ends its own lines
    writer.writerow(COLUMNS)
    for line in chain(pair_lines(report), piece_lines(report)):
        a, b = line.a.address, line.b.address
        writer.writerow(
            (
                for_spreadsheet(a) if spreadsheet else a,
                for_spreadsheet(b) if spreadsheet else b,
                f"{line.score:.6f}",
                line.relation,
                f"{line.dy:.2f}",
                f"{line.dx:.2f}",
                f"{line.scale:.5f}",
                f"{line.rotation:.3f}",
                str(line.mirrored).lower(),
                f"{line.overlap:.4f}",
                line.proof,
                "" if line.changed is None else f"{line.changed:.6f}",
                str(line.a.missing).lower(),
                str(line.b.missing).lower(),
                line.leads,
                line.rule,
                line.because,
                str(line.judgement).lower(),
                *(for_spreadsheet(names) if spreadsheet else names for names in companion_columns(line)),
            )
        )
    return text.getvalue().encode("utf-8", "surrogateescape")
