"""Leaks between the parts of a data set: as text, as JSON, as the baseline of those that were accepted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dedupindex.records import LocationRecord
from dedupindex.records.splits import Leak, LeakKind, LeakReport
from dedupindex.reports.amounts import count
from dedupindex.reports.jsonfile import SCHEMA_VERSION, failure_json, location_json
from dedupindex.reports.names import short, shown
from dedupindex.reports.text import failure_lines

BASELINE_VERSION = 1
SHOWN = 200  # leaks of a table for people
KINDS = {
    LeakKind.COPY: "copies",
    LeakKind.UNPROVEN: "copies as it seems, files not compared",
    LeakKind.ALTERNATE: "alternates: the same scene or template, other content",
}


def leaks_text(report: LeakReport, base: Path | None = None, *, most: int = SHOWN) -> str:
    """Return leaks as a table for people.

    Parameters
    ----------
    report : LeakReport
    base : Path, optional
        Paths below it are shown relative to it.
    most : int
        Rows of the table; what is left off is said.
    """
    names = list(report.parts)
    lines = [", ".join(f"{shown(name)}: {count(number, 'file')}" for name, number in report.parts.items())]
    for part in names[1:]:
        files = report.files_in(part)
        if files:
            share = files / max(1, report.parts[part])
            lines.append(f"{shown(part)}: {count(files, 'file')} ({share:.1%}) of an earlier part are in it")
    for kind, words in KINDS.items():
        number = sum(leak.kind is kind for leak in report.leaks)
        if number:
            lines.append(f"    {number:,} {words}")
    if report.leaks:
        lines += ["", *table_lines(report.leaks[:most], base)]
        if len(report.leaks) > most:
            lines.append(f"... and {len(report.leaks) - most:,} more; --json lists all")
    else:
        lines.append("no leaks")
    if report.accepted:
        lines.append(f"{count(len(report.accepted), 'leak')} accepted by the baseline")
    if report.unknown:
        lines.append(f"{count(len(report.unknown), 'listed file')} not there, e.g. {short(report.unknown[0][1], base)}")
    if report.unread:
        lines.append(f"{count(len(report.unread), 'file')} could not be read, nothing is known of them:")
        lines += [f"    {line}" for line in failure_lines(report.unread)]
    return "\n".join(lines)


def table_lines(leaks: Sequence[Leak], base: Path | None) -> list[str]:
    """Return the rows of a table: the picture, where it comes from, how, score."""
    rows = [
        (
            f"{shown(leak.part)}",
            _address(leak.place, base),
            f"{shown(leak.source_part)}",
            _address(leak.source, base),
            "+".join(leak.relations),
            f"{leak.score:.3f}",
        )
        for leak in leaks
    ]
    heads = ("part", "picture", "is in", "as", "relation", "score")
    widths = [max(len(row[column]) for row in (heads, *rows)) for column in range(len(heads))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in (heads, *rows)
    ]


def leaks_json(report: LeakReport) -> dict[str, Any]:
    """Return leaks as plain values."""
    return {
        "schema": SCHEMA_VERSION,
        "kind": "leaks",
        "parts": {name: {"files": number, "leaked": report.files_in(name)} for name, number in report.parts.items()},
        "leaks": [leak_json(leak) for leak in report.leaks],
        "accepted": [leak_json(leak) for leak in report.accepted],
        "unread": [failure_json(failure) for failure in report.unread],
        "unknown": [{"part": part, "path": shown(path)} for part, path in report.unknown],
    }


def leak_json(leak: Leak) -> dict[str, Any]:
    """Return a leak as plain values."""
    return {
        "kind": leak.kind,
        "part": leak.part,
        "picture": location_json(leak.place),
        "source_part": leak.source_part,
        "source": location_json(leak.source),
        "relations": [str(relation) for relation in leak.relations],
        "score": round(leak.score, 6),
        "changed": None if leak.changed is None else round(leak.changed, 6),
        "keys": list(leak.keys),
        "fingerprint": leak.fingerprint,
    }


def baseline_json(report: LeakReport) -> dict[str, Any]:
    """Return all leaks of a report as a baseline that accepts them; sorted, so that changes can be reviewed."""
    by_fingerprint = {leak.fingerprint: leak for leak in (*report.leaks, *report.accepted)}
    return {
        "kind": "leaks",
        "version": BASELINE_VERSION,
        "accepted": [
            {
                "fingerprint": fingerprint,
                "relations": "+".join(leak.relations),
                leak.source_part: leak.source.path.name,
                leak.part: leak.place.path.name,
            }
            for fingerprint, leak in sorted(by_fingerprint.items())
        ],
    }


def _address(place: LocationRecord, base: Path | None) -> str:
    shown_path = short(place.path, base)
    return shown_path if not place.frame else f"{shown_path}#frame={place.frame}"
