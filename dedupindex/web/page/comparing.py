"""What the page of a group shows of two of its pictures: a table of what differs, and how one lies on the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dedupindex.index.overlays import regions_on
from dedupindex.records import DuplicateGroup, ImageRecord, LocationRecord, Outcome, Pair
from dedupindex.records.pictures import FileFacts
from dedupindex.records.proofs import Affine, Proof, inverted
from dedupindex.reports.names import shown
from dedupindex.reports.plans import size_text
from dedupindex.reports.text import frame_words
from dedupindex.reports.wording import companions_words

SAME: Affine = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))


@dataclass(frozen=True, slots=True)
class Value:
    """A value of a picture, for people."""

    text: str
    moment: str = ""  # ISO time, where the value is one: the browser writes it as the reader does
    better: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table: a property of the two pictures."""

    name: str
    left: Value
    right: Value
    equal: bool
    path: bool = False


@dataclass(frozen=True, slots=True)
class Lying:
    """How the right picture lies on the left one.

    Attributes
    ----------
    matrix : ((float, float, float), (float, float, float))
        Full-frame (x, y, 1) pixel indices of the right picture to those of the left one.
    pair : Pair or None
        The two as they were compared with one another; None where they are only linked through others.
    steps : int
        Pairs between the two; 0 = the same picture.
    """

    matrix: Affine
    pair: Pair | None
    steps: int


def table(left: ImageRecord, right: ImageRecord, facts: Callable[[ImageRecord], FileFacts]) -> tuple[Row, ...]:
    """Return what two pictures have in common and what not.

    Parameters
    ----------
    left, right : ImageRecord
    facts : callable
        What the file of an image says of itself.

    Returns
    -------
    tuple of Row
    """
    one, other = left.locations[0], right.locations[0]
    said, says = facts(left), facts(right)
    rows = [
        _row("Folder", shown(one.path.parent), shown(other.path.parent), path=True),
        _row("File", _file(one), _file(other), path=True),
        _row("Size", size_text(one.size), size_text(other.size), one.size, other.size),
        _row("Pixels", _pixels(left), _pixels(right), left.width * left.height, right.width * right.height),
        _row("Format", left.format, right.format, int(left.lossless), int(right.lossless)),
        _row("Depth", _depth(left), _depth(right), left.bits, right.bits),
        _row("Compression", _compression(left, said), _compression(right, says), *_fineness(left, said, right, says)),
        _times("Taken", said.taken, says.taken),
        _times("Modified", moment(one.mtime_ns), moment(other.mtime_ns)),
        _row("Camera", said.camera, says.camera, bool(said.camera), bool(says.camera)),
        _row("Rating", _stars(said.rating), _stars(says.rating), said.rating or 0, says.rating or 0),
        _row("Metadata", _fields(left), _fields(right), left.metadata_count, right.metadata_count),
        _row("Companions", _companions(left), _companions(right), len(one.companions), len(other.companions)),
    ]
    return tuple(row for row in rows if row.left.text or row.right.text)


def lying(group: DuplicateGroup, left: int, right: int) -> Lying | None:
    """Return how one member of a group lies on another one, through as few pairs as there can be.

    Parameters
    ----------
    group : DuplicateGroup
    left, right : int
        Image ids.

    Returns
    -------
    Lying or None
        None where no pairs lead from one to the other.
    """
    if left == right:
        return Lying(SAME, None, 0)
    onto: dict[int, Affine] = {left: SAME}  # image -> its pixels to those of the left one
    steps = {left: 0}
    beside: dict[int, list[Pair]] = {}
    for pair in group.pairs:
        beside.setdefault(pair.a.id, []).append(pair)
        beside.setdefault(pair.b.id, []).append(pair)
    waiting = deque([left])
    while waiting and right not in onto:
        here = waiting.popleft()
        for pair in beside.get(here, ()):
            there = pair.b.id if pair.a.id == here else pair.a.id
            if there in onto:
                continue
            matrix = _matrix(pair)
            try:
                step = matrix if pair.a.id == here else inverted(matrix)
            except ValueError:
                continue
            onto[there], steps[there] = _after(onto[here], step), steps[here] + 1
            waiting.append(there)
    if right not in onto:
        return None
    own = next((pair for pair in group.pairs if {pair.a.id, pair.b.id} == {left, right}), None)
    return Lying(onto[right], own, steps[right])


def stage(left: ImageRecord, right: ImageRecord, lies: Lying | None) -> dict[str, Any]:
    """Return what the comparison in the browser needs, as plain data.

    Parameters
    ----------
    left, right : ImageRecord
    lies : Lying or None
        None: the two are only shown beside one another.

    Returns
    -------
    dict
    """
    pair = lies.pair if lies else None
    proof: Proof | None = pair.proof if pair else None
    return {
        "left": _shown(left),
        "right": _shown(right),
        "matrix": [value for row in lies.matrix for value in row] if lies else _beside(left, right),
        "aligned": lies is not None,
        "regions": [list(box) for box in regions_on(pair, left)] if pair else [],
        "largest": proof.largest_level if proof and proof.outcome is not Outcome.NONE else None,
    }


def _shown(image: ImageRecord) -> dict[str, Any]:
    return {"id": image.id, "width": image.width, "height": image.height, "deep": image.bits > 8}


def _beside(left: ImageRecord, right: ImageRecord) -> list[float]:
    """A map that only brings the right picture to the size of the left one."""
    scale = min(left.width / max(1, right.width), left.height / max(1, right.height))
    return [scale, 0.0, 0.0, 0.0, scale, 0.0]


def _matrix(pair: Pair) -> Affine:
    """How *b* lies on *a*: as the proof refined it at full resolution, else as the verification saw it."""
    if pair.proof is not None and pair.proof.outcome is not Outcome.NONE:
        return pair.proof.matrix
    return pair.verification.registration.matrix


def _after(outer: Affine, inner: Affine) -> Affine:
    """The map that does first *inner*, then *outer*."""
    (a, b, c), (d, e, f) = outer
    (g, h, i), (j, k, m) = inner
    return (a * g + b * j, a * h + b * k, a * i + b * m + c), (d * g + e * j, d * h + e * k, d * i + e * m + f)


def _row(
    name: str, left: str, right: str, good_left: float = 0.0, good_right: float = 0.0, *, path: bool = False
) -> Row:
    equal = left == right
    return Row(
        name,
        Value(left, better=not equal and good_left > good_right),
        Value(right, better=not equal and good_right > good_left),
        equal,
        path,
    )


def _times(name: str, left: str, right: str) -> Row:
    texts = [text.replace("T", " ")[:16] for text in (left, right)]
    earlier = bool(left) and left < right, bool(right) and right < left
    return Row(name, Value(texts[0], left, earlier[0]), Value(texts[1], right, earlier[1]), left == right)


def _file(place: LocationRecord) -> str:
    return shown(place.path.name) + frame_words(place)


def _pixels(image: ImageRecord) -> str:
    return f"{image.width} × {image.height} ({image.width * image.height / 1e6:.1f} MP)"


def _depth(image: ImageRecord) -> str:
    return f"{image.bits} bits, {'grey' if image.channels == 1 else 'colour'}"


def _compression(image: ImageRecord, facts: FileFacts) -> str:
    if facts.quality is not None:
        return f"JPEG quality {facts.quality}"
    return "lossless" if image.lossless else "lossy"


def _fineness(left: ImageRecord, said: FileFacts, right: ImageRecord, says: FileFacts) -> tuple[int, int]:
    return (
        said.quality or (101 if left.lossless else 0),
        says.quality or (101 if right.lossless else 0),
    )


def moment(nanoseconds: int) -> str:
    """Return a time of change as ISO text in UTC, which the browser writes as its reader does; "" = none."""
    return datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC).isoformat()[:19] + "Z" if nanoseconds else ""


def _stars(rating: int | None) -> str:
    return "" if rating is None else "★" * rating + "☆" * (5 - rating)


def _fields(image: ImageRecord) -> str:
    return f"{image.metadata_count} fields" if image.metadata_count else ""


def _companions(image: ImageRecord) -> str:
    return companions_words(image, image.locations[0]).removeprefix("with ")
