"""`leaks`: pictures of a test set that are in the training set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dedupindex.cli.console import list_failures, note, out, out_bytes
from dedupindex.cli.ingest import Recursive
from dedupindex.cli.options import ANY, DONE, FOUND, JsonOption, Session
from dedupindex.cli.split import PANEL, ImagesOption
from dedupindex.errors import SettingsError
from dedupindex.places import absolute, at_home

if TYPE_CHECKING:
    from dedupindex import Failure, Index, LeakReport, Part

MOST_DRAWN = 300  # leaks on a sheet


def leaks(
    session: Session,
    train: Annotated[
        list[str] | None,
        typer.Option(
            "--train",
            metavar="PLACE",
            help="The training set: folders, lists of pictures (.csv, .parquet, .txt), COCO files; several times.",
            show_default=False,
        ),
    ] = None,
    test: Annotated[
        list[str] | None,
        typer.Option("--test", metavar="PLACE", help="The test set, likewise.", show_default=False),
    ] = None,
    split: Annotated[
        Path | None,
        typer.Option("--split", metavar="FILE", help="In place of both: a split that `split --output` wrote."),
    ] = None,
    images: ImagesOption = None,
    alternates: Annotated[
        bool,
        typer.Option(
            "--alternates/--no-alternates", help="Other pictures of the same scene or template are leaks too."
        ),
    ] = True,
    baseline: Annotated[
        Path | None, typer.Option("--baseline", metavar="FILE", help="Leaks that are accepted; they do not count.")
    ] = None,
    update_baseline: Annotated[
        bool,
        typer.Option("--update-baseline", help="Write all leaks that there are to the baseline: all are accepted."),
    ] = False,
    json: JsonOption = False,
    sarif: Annotated[
        Path | None,
        typer.Option(
            "--sarif",
            metavar="FILE",
            help="Write them as SARIF, with which a code host annotates changes.",
            rich_help_panel=PANEL,
        ),
    ] = None,
    sheet: Annotated[
        Path | None,
        typer.Option(
            "--sheet", metavar="FILE.png", help="Draw them, both pictures side by side.", rich_help_panel=PANEL
        ),
    ] = None,
    recursive: Recursive = True,
) -> int:
    """List the pictures of a test set that are in the training set too.

    Reads what is new, searches for duplicates, and prints a table. Exit code 3 when there is a leak that the baseline
    does not name; 1 when there is none, but files could not be read.
    """  # fmt: skip
    from dedupindex.cli.outputs import require_folders, say_written
    from dedupindex.durable import output_path, write_whole
    from dedupindex.reports.curation.leaks import baseline_json, leaks_json, leaks_text
    from dedupindex.reports.jsonfile import to_json

    if update_baseline and baseline is None:
        raise SettingsError("--update-baseline needs --baseline FILE")
    require_folders(sarif, sheet, baseline if update_baseline else None)
    parts, given, folder = parts_of(train, test, split, images)
    accepted = accepted_by(baseline, new=update_baseline)
    with session.open(create=True) as index:
        failures = take_in(session, index, given, folder, recursive=recursive)
        report = index.leaks(parts, alternates=alternates, accepted=accepted)
        if sheet is not None and report.leaks:
            write_whole(output_path(sheet), drawn(index, report))
    if sarif is not None:
        from dedupindex import __version__
        from dedupindex.reports.curation.sarif import leaks_sarif

        write_whole(output_path(sarif), to_json(leaks_sarif(report, Path.cwd(), version=__version__)))
    if json:
        out_bytes(to_json(leaks_json(report)))
    else:
        out(leaks_text(report, Path.cwd()))
    written = [path for path in (sarif, sheet if report.leaks else None) if path is not None]
    if update_baseline and baseline is not None:
        write_whole(output_path(baseline), to_json(baseline_json(report)))
        written.append(baseline)
    if not session.quiet:
        say_written(*written)
    list_failures(failures)
    if report.leaks and not update_baseline:
        return ANY
    return FOUND if report.unread or report.unknown else DONE


def parts_of(
    train: list[str] | None, test: list[str] | None, split: Path | None, images: Path | None
) -> tuple[list[Part], list[str], Path | None]:
    """Return the parts that the options name, what is to be read for them, and the folder of pictures.

    Parameters
    ----------
    train, test : list of str or None
        Places.
    split : Path or None
        A split file.
    images : Path or None
        Folder of the pictures that COCO files name.

    Raises
    ------
    SettingsError
        Both ways are used, or neither whole.
    """
    from dedupindex import part_of, read_split

    folder = None if images is None else absolute(at_home(images))
    if split is not None:
        if train or test:
            raise SettingsError("give either --split, or --train and --test")
        return list(read_split(at_home(split))), [str(split)], folder
    if not train or not test:
        raise SettingsError("give --train and --test, or --split")
    return [part_of("train", train, images=folder), part_of("test", test, images=folder)], [*train, *test], folder


def accepted_by(baseline: Path | None, *, new: bool) -> frozenset[str]:
    """Return the fingerprints that a baseline accepts; none of one that is only to be written."""
    from dedupindex import read_baseline

    if baseline is None or (new and not at_home(baseline).exists()):
        return frozenset()
    return read_baseline(at_home(baseline))


def take_in(
    session: Session, index: Index, given: list[str], images: Path | None, *, recursive: bool
) -> tuple[Failure, ...]:
    """Read what is new in some places and search for it; return what failed.

    Parameters
    ----------
    session : Session
    index : Index
    given : list of str
        Folders, pictures, lists.
    images : Path or None
        Folder of the pictures that COCO files name.
    recursive : bool
    """
    from dedupindex import sources_of

    places, lists = sources_of(given, images=images)
    with session.progress() as progress:
        ingested = index.ingest(places, lists=lists, recursive=recursive, progress=progress)
        index.find_duplicates(progress=progress)
    return ingested.failures


def drawn(index: Index, report: LeakReport) -> bytes:
    """Return a sheet of the first leaks."""
    from dedupindex.errors import SettingsError
    from dedupindex.reports.curation.sheet import leak_sheet

    if index.settings.hash_only:
        raise SettingsError(f"{index.name} holds hashes only: there are no pictures for a sheet")
    leaks = report.leaks[:MOST_DRAWN]
    if len(report.leaks) > MOST_DRAWN:
        note(f"the sheet shows the first {MOST_DRAWN} of {len(report.leaks):,} leaks")
    ids = {image for leak in leaks for image in (leak.image, leak.source_image)}
    return leak_sheet(leaks, index.stored_thumbnails(sorted(ids)), Path.cwd())
