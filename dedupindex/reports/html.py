"""The report as one self-contained page."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from dedupindex.records import DuplicateGroup, GroupMember, ImageRecord, Outcome, Pair, Relation, Verification
from dedupindex.records.reports import Report
from dedupindex.reports.names import shown
from dedupindex.reports.text import (
    changes_words,
    count,
    frame_words,
    image_words,
    pairs_with,
    run_words,
    selection_words,
)
from dedupindex.reports.wording import (
    MEANING,
    flag_words,
    largest_words,
    pair_words,
    percent,
    places_words,
    proof_words,
    shift_text,
)

if TYPE_CHECKING:
    from jinja2 import Template

Thumbnail = Callable[[ImageRecord], str | None]
Overlaid = Callable[[ImageRecord, Pair], tuple[str, str, str] | None]
TEMPLATES = files("dedupindex.reports") / "templates"
MANY_PAIRS = 200  # pairs of a group that are listed; a flood has thousands
MANY_ALTERNATES = 48  # pictures beside a group that are shown
OPEN_GROUPS = 40  # groups that are open when the page is


@dataclass(frozen=True, slots=True)
class Outline:
    """Where one picture of a pair lies on the other, for drawing, in pixels of the picture below."""

    width: int
    height: int
    points: str  # corners of the other one, "x,y x,y x,y x,y"
    outside: tuple[float, float, float, float]  # x, y, width, height of what has to be drawn to show both
    changed: tuple[tuple[int, int, int, int], ...] = ()  # x, y, width, height of the places that differ


def report_html(
    report: Report, thumbnail: Thumbnail, *, overlay: Overlaid | None = None, title: str = "Duplicate pictures"
) -> bytes:
    """Return the page, UTF-8.

    Parameters
    ----------
    report : Report
    thumbnail : callable
        Takes an `ImageRecord`; gives its picture as a ``data:`` URI, or None when there is none.
    overlay : callable, optional
        Takes the first image of a group and its pair with another one; gives three pictures as ``data:`` URIs: the
        first, the other one laid over it, and where they differ; or None.
    title : str
        Heading of the page.

    Returns
    -------
    bytes
    """
    style = Markup((TEMPLATES / "report.css").read_text("utf-8"))  # our own file; nothing in it comes from users
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")
    page = _template().render(
        title=title,
        report=report,
        style=style,
        style_digest=digest,
        thumbnail=thumbnail,
        overlay=overlay or _no_overlay,
        pairs_with=pairs_with,
        open_groups=OPEN_GROUPS,
        many_pairs=MANY_PAIRS,
        meaning={str(relation): words for relation, words in MEANING.items()},
        selected=selection_words(report.selection),
        files=sum(_places(group) for group in report.groups),
    )
    return page.encode("utf-8", "replace")


@lru_cache(maxsize=1)
def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(
        shown=shown,
        percent=percent,
        shift=shift_text,
        image_words=image_words,
        frame_words=frame_words,
        flag_words=flag_words,
        places=_places,
    )
    environment.globals.update(
        run_words=run_words,
        changes_words=changes_words,
        count=count,
        member_words=_member_words,
        pair_words=pair_words,
        outline_of=outline_of,
        names=_names,
        edited=_edited,
        proof_words=proof_words,
        difference_words=difference_words,
        alternates_of=alternates_of,
    )
    return environment.from_string((TEMPLATES / "report.html.j2").read_text("utf-8"))


def _no_overlay(first: ImageRecord, pair: Pair) -> None:
    return None


def _places(group: DuplicateGroup) -> int:
    return sum(len(member.image.locations) for member in group.members)


def _member_words(member: GroupMember, pair: Pair | None) -> tuple[str, ...]:
    """Return how a member relates to the first one."""
    if member.relation == "representative" or pair is None:
        return ()
    return pair_words(pair, *(("no. 1", "this") if pair.b.id == member.image.id else ("this", "no. 1")))


def _edited(pair: Pair) -> bool:
    """Whether a pair's pictures are to be shown at once, because places of them differ."""
    return Relation.EDITED in pair.relations


def _names(group: DuplicateGroup) -> dict[int, str]:
    """Return the numbers by which a group's pictures are called, by image id."""
    return {member.image.id: f"no. {number}" for number, member in enumerate(group.members, 1)}


def outline_of(pair: Pair) -> Outline:
    """Return where *b* lies on *a*."""
    a, b = pair.a, pair.b
    points = [_moved(pair.verification, x, y) for x, y in _corners(b)]
    xs, ys = [0.0, float(a.width), *(p[0] for p in points)], [0.0, float(a.height), *(p[1] for p in points)]
    margin = 0.02 * max(a.width, a.height)
    left, top = min(xs) - margin, min(ys) - margin
    outside = (left, top, max(xs) + margin - left, max(ys) + margin - top)
    boxes = () if pair.proof is None else tuple(region.box for region in pair.proof.regions)
    changed = tuple((left, top, width, height) for top, left, height, width in boxes)
    return Outline(a.width, a.height, " ".join(f"{x:.1f},{y:.1f}" for x, y in points), outside, changed)


def difference_words(pair: Pair | None) -> str:
    """Return the largest difference of a pair that was compared, and in how many places it differs; else nothing."""
    if pair is None or pair.proof is None or pair.proof.outcome is Outcome.NONE:
        return ""
    return largest_words(pair.proof) + (f", {places_words(pair.proof)} outlined" if pair.proof.regions else "")


def alternates_of(group: DuplicateGroup) -> list[tuple[ImageRecord, Pair]]:
    """Return the pictures beside a group that show the same scene or template, each with its best pair; at most 48."""
    own = {member.image.id for member in group.members}
    alternates: dict[int, tuple[ImageRecord, Pair]] = {}
    for pair in group.alternates:
        for image in (pair.a, pair.b):
            if image.id not in own and image.locations:
                alternates.setdefault(image.id, (image, pair))
    return list(alternates.values())[:MANY_ALTERNATES]


def _corners(image: ImageRecord) -> Iterator[tuple[float, float]]:
    yield from ((0, 0), (image.width, 0), (image.width, image.height), (0, image.height))


def _moved(verification: Verification, x: float, y: float) -> tuple[float, float]:
    """Take a point of *b* to *a*; both count from the corner of the first pixel, the matrix from its centre."""
    (xx, xy, x0), (yx, yy, y0) = verification.registration.matrix
    x, y = x - 0.5, y - 0.5
    return xx * x + xy * y + x0 + 0.5, yx * x + yy * y + y0 + 0.5
