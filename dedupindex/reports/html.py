"""The report as one self-contained page: an index of groups, whose details a script inside the page shows on demand.

A browser renders and decodes only what somebody looks at: the details of a group are text until it is opened, and each
picture is stored once, as text, until it comes into view. So thousands of groups stay light.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

from markupsafe import Markup

from dedupindex.places import text_of
from dedupindex.records import DuplicateGroup, ImageRecord, Relation
from dedupindex.records.reports import Report
from dedupindex.reports.laid_pairs import laid_on_first, pairs_with
from dedupindex.reports.names import shown
from dedupindex.reports.page_environment import page_environment
from dedupindex.reports.summary import ReportSummary, files_of, freed_by
from dedupindex.reports.summary_text import ROWS, freed_words
from dedupindex.reports.text import changes_words, extent_words, run_words, selection_words

if TYPE_CHECKING:
    from jinja2 import Template

Thumbnail = Callable[[ImageRecord], str | None]
TEMPLATES = files("dedupindex.reports") / "templates"
MANY_PAIRS = 200  # pairs of a group that are listed; a flood has thousands
OPEN_GROUPS = 3  # groups that are open when the page is, where there are no more
MOST_FOLDERS = 500  # names that the field for folders proposes
MOST_CHARACTERS = 48_000_000  # of pictures in a page; browsers take long over more. Further pictures are left out


@dataclass(frozen=True, slots=True)
class _Row:
    """A group with what the index of the page filters and sorts by."""

    group: DuplicateGroup
    relations: tuple[str, ...]
    folders: tuple[int, ...]  # numbers in the list of folders
    files: int
    bytes: int  # that could be freed
    score: float
    date: int  # seconds since 1970, of the file that changed last


class _Pictures:
    """The pictures of a page, each stored once."""

    def __init__(self, thumbnail: Thumbnail) -> None:
        self._thumbnail = thumbnail
        self._numbers: dict[int, int | None] = {}
        self._by_uri: dict[str, int] = {}
        self._room = MOST_CHARACTERS

    def number(self, image: ImageRecord) -> int | None:
        """Return the number of an image's picture, or None where there is none."""
        if image.id not in self._numbers:
            self._numbers[image.id] = self._store(self._thumbnail(image) if self._room > 0 else None)
        return self._numbers[image.id]

    def stored(self) -> list[Markup]:
        """Return all of them by number, as ``data:`` URIs."""
        return [Markup(uri) for uri in self._by_uri]  # without `<`, see `_store`

    def _store(self, uri: str | None) -> int | None:
        if uri is None or not uri.startswith("data:image/") or "<" in uri:
            return None
        if uri not in self._by_uri:
            self._room -= len(uri)
            self._by_uri[uri] = len(self._by_uri)
        return self._by_uri[uri]


def report_html(
    report: Report,
    thumbnail: Thumbnail,
    *,
    summary: ReportSummary | None = None,
    title: str = "Duplicate pictures",
) -> bytes:
    """Return the page, UTF-8.

    Parameters
    ----------
    report : Report
    thumbnail : callable
        Takes an `ImageRecord`; gives its picture as a ``data:`` URI, or None when there is none. It is asked once for
        each image.
    summary : ReportSummary, optional
        Of all groups, where some were left off; by default of those of the report.
    title : str
        Heading of the page.

    Returns
    -------
    bytes
    """
    style, script = (Markup((TEMPLATES / name).read_text("utf-8")) for name in ("report.css", "report.js"))  # our own
    summary = summary or ReportSummary.of(report)
    folders = sorted({folder for group in report.groups for folder in _folders(group)})
    rows = [_row(group, {folder: number for number, folder in enumerate(folders)}) for group in report.groups]
    relations = Counter(name for row in rows for name in row.relations)
    pictures = _Pictures(thumbnail)
    page = _template().render(
        title=title,
        report=report,
        summary=summary,
        most_rows=ROWS,
        freed=freed_words(summary),
        style=style,
        style_digest=_digest(style),
        script=script,
        script_digest=_digest(script),
        rows=rows,
        relations=dict(relations.most_common()),
        folders=[shown(folder) for folder in folders],
        folder_names=_json([shown(folder) for folder in folders]),
        most_folders=MOST_FOLDERS,
        picture=pictures.number,
        stored=pictures.stored,
        open_groups=OPEN_GROUPS,
        many_pairs=MANY_PAIRS,
        selected=selection_words(report.selection),
    )
    return page.encode("utf-8", "replace")


def _row(group: DuplicateGroup, folders: dict[str, int]) -> _Row:
    images = [member.image for member in group.members]
    names = Counter(str(relation) for pair in group.pairs for relation in pair.relations)
    if any(len(image.locations) > 1 for image in images):
        names[str(Relation.SAME_BYTES)] += 1
    return _Row(
        group=group,
        relations=tuple(name for name, _ in names.most_common()),
        folders=tuple(sorted(folders[folder] for folder in _folders(group))),
        files=len(files_of(images)),
        bytes=freed_by(group),
        score=1.0 if group.weakest is None else round(group.weakest.verification.score, 4),
        date=max((place.mtime_ns for image in images for place in image.locations), default=0) // 10**9,
    )


def _folders(group: DuplicateGroup) -> set[str]:
    return {text_of(place.path.parent) for member in group.members for place in member.image.locations}


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


def _json(values: Sequence[str]) -> Markup:
    """JSON for a script element, which nothing in it can end."""
    return Markup(json.dumps(values).replace("<", "\\u003c"))


def _figures(values: Sequence[float]) -> str:
    """Numbers as short as pictures of some thousand pixels need them."""
    return " ".join(f"{value:.6g}" for value in values)


def _names(group: DuplicateGroup) -> dict[int, str]:
    """Return the numbers by which a group's pictures are called, by image id."""
    return {member.image.id: f"no. {number}" for number, member in enumerate(group.members, 1)}


@lru_cache(maxsize=1)
def _template() -> Template:
    environment = page_environment()
    environment.filters.update(extent=extent_words, figures=_figures)
    environment.globals.update(
        run_words=run_words, changes_words=changes_words, names=_names, laid=laid_on_first, pairs_with=pairs_with
    )
    return environment.from_string((TEMPLATES / "report.html.j2").read_text("utf-8"))
