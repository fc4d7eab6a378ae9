"""Records as HTML for notebooks: reports, groups, matches, verifications."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

from dedupindex.records import DuplicateGroup, ImageRecord, Match, Verification
from dedupindex.records.reports import Report
from dedupindex.reports.amounts import count
from dedupindex.reports.names import shown

GROUPS, MEMBERS = 12, 8  # most that are shown
Picture = Callable[[ImageRecord], str | None]  # an image's thumbnail as a data URI
_CELL = "padding:4px 8px;vertical-align:top;text-align:left"


def notebook_html(record: object, picture: Picture) -> str:
    """Return a record as HTML without scripts.

    Parameters
    ----------
    record : Report, DuplicateGroup, Match or Verification
    picture : callable
        Gives an image's thumbnail as a data URI, or None.

    Raises
    ------
    TypeError
        It is another record.
    """
    match record:
        case Report():
            return _report(record, picture)
        case DuplicateGroup():
            return _group(record, picture)
        case Match():
            return _match(record, picture)
        case Verification():
            return _verification(record)
        case _:
            raise TypeError(f"a {type(record).__name__} has no face")


def _report(report: Report, picture: Picture) -> str:
    words = f"{count(len(report.groups), 'group')}, {count(len(report.pairs), 'pair')} of {report.images:,} pictures"
    parts = [f"<p><b>{words}</b></p>", *(_group(group, picture) for group in report.groups[:GROUPS])]
    if len(report.groups) > GROUPS:
        parts.append(f"<p>... and {len(report.groups) - GROUPS:,} more groups</p>")
    return "".join(parts)


def _group(group: DuplicateGroup, picture: Picture) -> str:
    rows = [
        _row(
            _image(member.image, picture),
            _places(member.image),
            _size(member.image),
            escape(member.relation or "linked"),
            f"{member.score:.3f}",
            escape(shown(member.because)),
        )
        for member in group.members[:MEMBERS]
    ]
    if len(group.members) > MEMBERS:
        rows.append(_row(f"... and {len(group.members) - MEMBERS:,} more"))
    head = f"<b>group {escape(group.id)}</b>: {count(len(group.members), 'picture')}"
    if group.flags:
        head += f", {escape(', '.join(str(flag.kind) for flag in group.flags))}"
    return f"<p>{head}</p><table>{''.join(rows)}</table>"


def _match(match: Match, picture: Picture) -> str:
    cells = (_image(match.image, picture), _places(match.image), _size(match.image))
    return f"<table>{_row(*cells, escape(match.relation), f'{match.score:.3f}')}</table>"


def _verification(verification: Verification) -> str:
    verdict = "accepted" if verification.accepted else "refused"
    rows = [("verdict", f"{verdict}, score {verification.score:.3f}"), ("reason", verification.reason)]
    if verification.relations:
        rows.append(("relations", ", ".join(verification.relations)))
    where = verification.registration
    moved = f"shift ({where.shift[0]:.2f}, {where.shift[1]:.2f}) pixels, scale {where.scale:.4f}"
    moved += f", rotation {where.rotation:.2f}" + (", mirrored" if where.mirrored else "")
    rows.append(("registration", f"{moved}, overlap {where.overlap:.2f}, by {where.method}"))
    rows += [(name, f"{value:.4g}") for name, value in verification.measures.named().items()]
    return f"<table>{''.join(_row(escape(name), escape(words)) for name, words in rows)}</table>"


def _row(*cells: str) -> str:
    return "<tr>" + "".join(f'<td style="{_CELL}">{cell}</td>' for cell in cells) + "</tr>"


def _image(image: ImageRecord, picture: Picture) -> str:
    uri = picture(image)
    return "" if uri is None else f'<img src="{escape(uri)}" alt="{escape(image.key[:8])}">'


def _places(image: ImageRecord) -> str:
    names = [escape(shown(place.address)) + (" (missing)" if place.missing else "") for place in image.locations[:3]]
    if len(image.locations) > len(names):
        names.append(f"and {len(image.locations) - len(names):,} more places")
    return "<br>".join(names)


def _size(image: ImageRecord) -> str:
    return f"{escape(image.format)} {image.width} x {image.height}"
