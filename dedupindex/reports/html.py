"""The report as one self-contained page."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

from markupsafe import Markup

from dedupindex.records import DuplicateGroup, ImageRecord, Pair, Relation
from dedupindex.records.reports import Report
from dedupindex.reports.page_environment import page_environment
from dedupindex.reports.text import (
    changes_words,
    pairs_with,
    run_words,
    selection_words,
)

if TYPE_CHECKING:
    from jinja2 import Template

Thumbnail = Callable[[ImageRecord], str | None]
Overlaid = Callable[[ImageRecord, Pair], tuple[str, str, str] | None]
TEMPLATES = files("dedupindex.reports") / "templates"
MANY_PAIRS = 200  # pairs of a group that are listed; a flood has thousands
MANY_ALTERNATES = 48  # pictures beside a group that are shown
OPEN_GROUPS = 40  # groups that are open when the page is


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
        selected=selection_words(report.selection),
        files=sum(_places(group) for group in report.groups),
    )
    return page.encode("utf-8", "replace")


@lru_cache(maxsize=1)
def _template() -> Template:
    environment = page_environment()
    environment.filters["places"] = _places
    environment.globals.update(run_words=run_words, changes_words=changes_words, names=_names, edited=_edited)
    return environment.from_string((TEMPLATES / "report.html.j2").read_text("utf-8"))


def _no_overlay(first: ImageRecord, pair: Pair) -> None:
    return None


def _places(group: DuplicateGroup) -> int:
    return sum(len(member.image.locations) for member in group.members)


def _edited(pair: Pair) -> bool:
    """Whether a pair's pictures are to be shown at once, because places of them differ."""
    return Relation.EDITED in pair.relations


def _names(group: DuplicateGroup) -> dict[int, str]:
    """Return the numbers by which a group's pictures are called, by image id."""
    return {member.image.id: f"no. {number}" for number, member in enumerate(group.members, 1)}
