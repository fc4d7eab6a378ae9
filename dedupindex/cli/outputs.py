"""Files that a report is written to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dedupindex.index import Index
    from dedupindex.records import Report


def write_pairs(path: Path, report: Report) -> None:
    """Write every confirmed pair as CSV, names exact."""
    from dedupindex.reports.csvfile import pairs_csv
    from dedupindex.reports.files import write_whole

    write_whole(path.expanduser(), pairs_csv(report.pairs, report.groups))


def write_html(path: Path, report: Report, index: Index) -> None:
    """Write the report as a page."""
    from dedupindex.cli.thumbnails import Thumbnails
    from dedupindex.reports.files import write_whole
    from dedupindex.reports.html import report_html

    write_whole(path.expanduser(), report_html(report, Thumbnails(index)))
