"""Pieces as text and as one HTML page: containers with their parts, and originals with all that shows them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any

from dedupindex.records import ImageRecord, Outcome, Proof
from dedupindex.records.evaluations import PiecesEvaluation
from dedupindex.records.pieces import FoundPiece, Piece, PieceMatch
from dedupindex.reports.amounts import count, duration
from dedupindex.reports.jsonfile import SCHEMA_VERSION, failure_json, path_json
from dedupindex.reports.names import short
from dedupindex.reports.text import place_words

Thumbnail = Callable[[ImageRecord], str | None]
SHOWN = 20  # wrong pairs in the text; JSON has all of them
WHOLE = 0.9  # share from which a picture counts as shown entirely
TURNED, SIZED = 2.0, 0.04  # degrees, relative change of size that are worth a word
COLOURS = ("#d62728", "#1f77b4", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf", "#e377c2", "#8c564b")
STYLE = """
body { font: 15px/1.4 system-ui, sans-serif; margin: 2em auto; max-width: 76em; padding: 0 1em; }
section { border-top: 1px solid #bbb; padding: 1em 0; }
.row { display: flex; flex-wrap: wrap; gap: 1em; align-items: flex-start; }
figure { margin: 0; max-width: 26em; }
figure.large { max-width: 34em; }
svg { max-width: 100%; max-height: 26em; background: #eee; }
figcaption { overflow-wrap: anywhere; }
@media (prefers-color-scheme: dark) { body { background: #181818; color: #ddd; } svg { background: #333; } }
"""


def pieces_text(pieces: Sequence[Piece], base: Path | None = None) -> str:
    """Return pieces as text.

    Parameters
    ----------
    pieces : sequence of Piece
        Surest first.
    base : Path, optional
        Paths below it are shown relative to it.

    Returns
    -------
    str
        Containers with their parts, then originals that several others show.
    """
    if not pieces:
        return "no pieces"
    lines: list[str] = []
    for parts in by_container(pieces):
        container = parts[0].container
        lines.append(f"{place_words(container, base)}  shows {count(len(parts), 'part')}")
        for piece in parts:
            lines.append(f"    {place_words(piece.part, base)}")
            lines.append(f"      score {piece.score:.3f}: {found_words(piece.found)}")
        lines.append("")
    for shown in by_part(pieces):
        lines.append(f"{place_words(shown[0].part, base)}  is shown by {count(len(shown), 'picture')}")
        lines += [f"    {place_words(piece.container, base)}  at {box_words(piece.found.box)}" for piece in shown]
        lines.append("")
    containers = len({piece.container.id for piece in pieces})
    lines.append(f"{count(len(pieces), 'part')} in {count(containers, 'picture')}")
    return "\n".join(lines)


def found_words(placed: FoundPiece) -> str:
    """Return what a container shows of a picture and where, in words."""
    whole = "all of it" if placed.part_share >= WHOLE else f"{100 * placed.part_share:.0f} % of it"
    words = [f"{whole} at {box_words(placed.box)}, {max(0.1, 100 * placed.share):.3g} % of the area"]
    return ", ".join([*words, *_changes(placed)])


def _changes(placed: FoundPiece) -> Iterator[str]:
    """What was done to a part, and what its proof says, in words."""
    if abs(placed.scale - 1) > SIZED:
        yield f"at {100 * placed.scale:.3g} % of its size"
    if placed.mirrored:
        yield "mirrored"
    if abs(placed.rotation) > TURNED:
        yield f"turned by {placed.rotation:.0f} degrees"
    if placed.proof is not None:
        yield proof_words(placed.proof)


def proof_words(proof: Proof) -> str:
    """Return what the proof of a part says, in words."""
    if proof.outcome is Outcome.SAME:
        return "proof: the same"
    return f"proof: {proof.outcome}, {proof.reason}" if proof.reason else f"proof: {proof.outcome}"


def box_words(box: tuple[int, int, int, int]) -> str:
    """Return a box as it is given to ``--box``."""
    return ",".join(str(value) for value in box)


def matches_words(name: str, matches: Sequence[PieceMatch], base: Path | None = None) -> str:
    """Return the answers to a query for pieces as text.

    Parameters
    ----------
    name : str
        Of the query.
    matches : sequence of PieceMatch
        Surest first.
    base : Path, optional
        Paths below it are shown relative to it.
    """
    if not matches:
        return f"{name}: no pieces"
    lines = [f"{name}: {count(len(matches), 'piece')}"]
    for match in matches:
        lines.append(f"    {place_words(match.image, base)}")
        if match.stored_contains:
            lines.append(f"      score {match.found.score:.3f}: it shows {found_words(match.found)}")
        else:
            lines.append(f"      score {match.found.score:.3f}: shown at {box_words(match.found.box)} of the query, ")
            lines[-1] += f"from {box_words(match.found.part_box)}, {100 * match.found.part_share:.0f} % of it"
    return "\n".join(lines)


def within_words(name: str, copies: Sequence[FoundPiece]) -> str:
    """Return the parts of a picture that stand in it twice, as text.

    Parameters
    ----------
    name : str
        Of the picture.
    copies : sequence of FoundPiece
        Surest first.
    """
    if not copies:
        return f"{name}: no part stands in it twice"
    lines = [f"{name}: {count(len(copies), 'part')} twice in it"]
    for piece in copies:
        lines.append(f"    {box_words(piece.part_box)} and {box_words(piece.box)}")
        words = [f"score {piece.score:.3f}", *_changes(piece)]
        lines.append(f"      {', '.join(words)}")
    return "\n".join(lines)


def by_container(pieces: Sequence[Piece]) -> list[list[Piece]]:
    """Pieces by their container, those with most parts first; the parts in their order."""
    groups: dict[int, list[Piece]] = defaultdict(list)
    for piece in pieces:
        groups[piece.container.id].append(piece)
    return sorted(groups.values(), key=lambda parts: (-len(parts), parts[0].container.key))


def by_part(pieces: Sequence[Piece]) -> list[list[Piece]]:
    """Pieces of pictures that at least two others show, those that most show first."""
    groups: dict[int, list[Piece]] = defaultdict(list)
    for piece in pieces:
        groups[piece.part.id].append(piece)
    shown = [parts for parts in groups.values() if len({piece.container.id for piece in parts}) > 1]
    return sorted(shown, key=lambda parts: (-len(parts), parts[0].part.key))


def pieces_html(pieces: Sequence[Piece], thumbnail: Thumbnail) -> bytes:
    """Return pieces as one self-contained page: each container with outlines of its parts, and what they are of.

    Parameters
    ----------
    pieces : sequence of Piece
    thumbnail : callable
        A picture of an image as a data URI; None where there is none.

    Returns
    -------
    bytes
        UTF-8.
    """
    body = "\n".join(_sections(pieces, thumbnail)) or "<p>no pieces</p>"
    page = (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Pieces</title><style>{STYLE}</style>'
        f"</head><body><h1>Pieces</h1><p>{count(len(pieces), 'part')} of pictures in others. "
        f"They are in no duplicate group, and no plan touches them.</p>{body}</body></html>\n"
    )
    return page.encode("utf-8", "replace")


def _sections(pieces: Sequence[Piece], thumbnail: Thumbnail) -> Iterator[str]:
    for parts in by_container(pieces):
        container = parts[0].container
        quads = [_points(piece.found.quad) for piece in parts]
        figures = [_figure(container, thumbnail, quads, "", large=True)]
        for number, piece in enumerate(parts):
            y, x, height, width = piece.found.part_box
            corners = ((x, y), (x + width, y), (x + width, y + height), (x, y + height))
            words = f"score {piece.score:.3f}: {found_words(piece.found)}"
            figures.append(_figure(piece.part, thumbnail, [_points(corners)], words, first=number))
        yield f'<section><div class="row">{"".join(figures)}</div></section>'


def _points(corners: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.6g},{y:.6g}" for x, y in corners)


def _figure(
    image: ImageRecord, thumbnail: Thumbnail, quads: Sequence[str], words: str, *, large: bool = False, first: int = 0
) -> str:
    source = thumbnail(image)
    shown = "" if source is None else f'<image href="{escape(source)}" width="{image.width}" height="{image.height}"/>'
    stroke = max(image.width, image.height) / 130
    outlines = "".join(
        f'<polygon points="{points}" fill="none" stroke="{COLOURS[(first + number) % len(COLOURS)]}" '
        f'stroke-width="{stroke:.3g}"/>'
        for number, points in enumerate(quads)
    )
    return (
        f'<figure class="{"large" if large else "part"}"><svg viewBox="0 0 {image.width} {image.height}" '
        f'width="{image.width}" role="img">{shown}{outlines}</svg>'
        f"<figcaption>{escape(place_words(image))}<br>{escape(words)}</figcaption></figure>"
    )


def evaluation_words(evaluation: PiecesEvaluation, base: Path | None = None) -> str:
    """Return how many parts of pictures were found again, as text.

    Parameters
    ----------
    evaluation : PiecesEvaluation
    base : Path, optional
        Paths below it are shown relative to it.
    """
    total = sum(one.made for one in evaluation.recalls)
    lines = [
        f"{count(evaluation.pictures, 'picture')}, parts of them in {count(total, 'other picture')} "
        f"({duration(evaluation.seconds)})",
        f"found {100 * evaluation.recall:.1f} % (mean over {count(len(evaluation.recalls), 'way')}), "
        f"precision {100 * evaluation.precision:.2f} % of {count(evaluation.pairs, 'pair')}",
        "",
    ]
    lines += [
        f"  {one.attack:<15}{one.found:>4} of {one.made:<4} {100 * one.recall:5.1f} %"
        for one in sorted(evaluation.recalls, key=lambda one: (one.recall, one.attack))
    ]
    if evaluation.wrong:
        lines += ["", f"wrong: {count(len(evaluation.wrong), 'pair')}"]
        lines += [f"  {short(a, base)}  {short(b, base)}" for a, b in evaluation.wrong[:SHOWN]]
    return "\n".join(lines)


def evaluation_plain(evaluation: PiecesEvaluation) -> dict[str, Any]:
    """Return the same as plain values for JSON."""
    return {
        "schema": SCHEMA_VERSION,
        "kind": "pieces_evaluation",
        "pictures": evaluation.pictures,
        "recall": round(evaluation.recall, 6),
        "precision": round(evaluation.precision, 6),
        "attacks": [
            {"attack": one.attack, "made": one.made, "found": one.found, "recall": round(one.recall, 6)}
            for one in evaluation.recalls
        ],
        "pairs": evaluation.pairs,
        "wrong": [{"a": path_json(a), "b": path_json(b)} for a, b in evaluation.wrong],
        "failures": [failure_json(failure) for failure in evaluation.failures],
        "seed": evaluation.seed,
        "seconds": evaluation.seconds,
    }
