"""Files that a report is written to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dedupindex.cli.console import Bar, Quiet
    from dedupindex.index import Index
    from dedupindex.records.reports import Report
    from dedupindex.reports.summary import ReportSummary


def require_folders(*paths: Path | None) -> None:
    """Raise before the work begins, not after it, where the folder of an output file is missing.

    Raises
    ------
    OSError
    """
    from dedupindex.durable import output_path

    for path in paths:
        if path is None:
            continue
        folder = output_path(path).absolute().parent
        if not folder.is_dir():
            raise NotADirectoryError(f"{folder} is no folder, so {path.name} cannot be written there")
        if output_path(path).is_dir():
            raise IsADirectoryError(f"{path} is a folder, must be a file")


def write_pairs(path: Path, report: Report) -> None:
    """Write every confirmed pair as CSV, names exact."""
    from dedupindex.durable import output_path, write_whole
    from dedupindex.reports.exchange.csvfile import pairs_csv

    write_whole(output_path(path), pairs_csv(report))


def write_parquet(path: Path, report: Report) -> None:
    """Write every confirmed pair as Parquet."""
    from dedupindex.durable import output_path, write_whole
    from dedupindex.reports.exchange.parquetfile import pairs_parquet

    write_whole(output_path(path), pairs_parquet(report))


def write_xmp(folder: Path, report: Report) -> int:
    """Write a sidecar for every file of a report, in a tree like that of the files; return how many.

    Raises
    ------
    SettingsError
        A file is in the way that another program wrote; nothing was written then.
    OSError
    """
    import os

    from dedupindex.durable import write_whole
    from dedupindex.errors import SettingsError
    from dedupindex.places import absolute, at_home
    from dedupindex.reports.exchange.xmp import is_own, report_tags, xmp_packet

    tags = report_tags(report)
    base = Path(os.path.commonpath([path.parent for path in tags])) if tags else Path("/")
    into = absolute(at_home(folder))
    targets = {into / path.relative_to(base).with_name(f"{path.name}.xmp"): own for path, own in tags.items()}
    for target in targets:
        if os.path.lexists(target) and not (target.is_file() and is_own(target.read_bytes())):
            raise SettingsError(f"{target}: another program wrote it, so it stays; choose another folder")
    for target, own in targets.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, xmp_packet(own))
    return len(targets)


def say_written(*paths: Path | None) -> None:
    """Say on stderr where output went, and how large it is."""
    from dedupindex.cli.console import note
    from dedupindex.durable import output_path
    from dedupindex.reports.names import shown
    from dedupindex.reports.plans import size_text

    for path in paths:
        if path is not None:
            written = output_path(path).absolute()
            note(f"written: {shown(written)} ({size_text(written.stat().st_size)})")


def write_html(
    path: Path,
    report: Report,
    index: Index,
    progress: Bar | Quiet,
    *,
    summary: ReportSummary | None = None,
    blur: bool = False,
) -> None:
    """Write a report as one HTML page.

    Parameters
    ----------
    path : Path
        Replaced whole, or not at all.
    report : Report
    index : Index
        Gives the thumbnails.
    progress : Bar or Quiet
    summary : ReportSummary, optional
        Of all groups, where some were left off.
    blur : bool
        Blur all pictures.

    Raises
    ------
    OSError
    """
    from dedupindex.cli.thumbnails import Thumbnails
    from dedupindex.durable import output_path, write_whole
    from dedupindex.reports.html import report_html

    with progress:
        images = [member.image.id for group in report.groups for member in group.members]
        images += [member.image.id for series in report.series for member in series.members]
        progress.start(len(images), "page")
        thumbnails = Thumbnails(index, images, progress, blur=blur)
        page = report_html(report, thumbnails, summary=summary)
        progress.finish()
    write_whole(output_path(path), page)


def write_pieces_html(path: Path, report: Report, index: Index, progress: Bar | Quiet) -> None:
    """Write the pieces of a report as one HTML page.

    Parameters
    ----------
    path : Path
        Replaced whole, or not at all.
    report : Report
    index : Index
        Gives the thumbnails.
    progress : Bar or Quiet

    Raises
    ------
    OSError
    """
    from dedupindex.cli.thumbnails import Thumbnails
    from dedupindex.durable import output_path, write_whole
    from dedupindex.reports.pieces import by_container, pieces_html

    with progress:
        images = [
            image.id
            for parts in by_container(report.pieces)
            for image in (parts[0].container, *(p.part for p in parts))
        ]
        progress.start(len(images), "page")
        page = pieces_html(report.pieces, Thumbnails(index, images, progress))
        progress.finish()
    write_whole(output_path(path), page)
