"""What `relocate` did, as text."""

from __future__ import annotations

from collections.abc import Iterator

from dedupindex.records.roots import RelocateSummary
from dedupindex.reports.amounts import count
from dedupindex.reports.names import shown

MANY = 20  # files that are listed, of each kind


def relocate_text(summary: RelocateSummary, *, dry_run: bool = False) -> str:
    """Return what was rewritten, or would be, in a line."""
    would = " would get" if dry_run else ""
    read = f", {summary.read:,} of them after comparing their bytes" if summary.read else ""
    line = f"{count(summary.moved, 'file')}{would or ' got'} the new path{read}"
    return f"{line}; {count(summary.places, 'place')} in all"


def relocate_troubles(summary: RelocateSummary) -> Iterator[str]:
    """Yield the files that are not at the new place, and those that have other content there."""
    kinds = (
        (summary.changed, "has other content now; the next ingest reads it"),
        (summary.gone, "is not there; it counts as gone"),
    )
    for files, words in kinds:
        yield from (f"{shown(path)}: {words}" for path in files[:MANY])
        if len(files) > MANY:
            yield f"and {count(len(files) - MANY, 'other file')}: {words}"
