"""`split`: divide a data set into parts that share no picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dedupindex.cli.choices import LINKINGS, completer, one_of
from dedupindex.cli.console import list_failures, out, out_bytes
from dedupindex.cli.ingest import Recursive
from dedupindex.cli.options import ANY, DONE, FOUND, JsonOption, Places, Session
from dedupindex.errors import SettingsError, chosen, nearest
from dedupindex.places import absolute, at_home

if TYPE_CHECKING:
    from dedupindex import Part, Split

PANEL = "Output"

ImagesOption = Annotated[
    Path | None,
    typer.Option(
        "--images", metavar="DIR", help="Folder of the pictures that COCO files name. [default: beside the file]",
        show_default=False,
    ),
]  # fmt: skip


def split(
    session: Session,
    paths: Places = None,
    parts: Annotated[
        str, typer.Option("--parts", metavar="NAME=SHARE,...", help="Parts and their shares of the files.")
    ] = "train=0.8,val=0.1,test=0.1",
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Another seed, other parts.")] = 0,
    images: ImagesOption = None,
    existing: Annotated[
        list[str] | None,
        typer.Option(
            "--existing",
            metavar="[NAME=]PLACE",
            help="What is in a part already and stays there: a split that was written before, or NAME=FOLDER, "
            "NAME=LIST; several times.",
            show_default=False,
        ),
    ] = None,
    drop: Annotated[
        bool, typer.Option("--drop", help="Leave out what lies in an earlier existing part and shows what a later has.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write path, part, unit, label: .csv or .parquet.",
            rich_help_panel=PANEL,
        ),
    ] = None,
    coco: Annotated[
        Path | None,
        typer.Option(
            "--coco",
            metavar="DIR",
            help="Write each COCO file that was given once a part here: NAME_PART.json.",
            rich_help_panel=PANEL,
        ),
    ] = None,
    folders: Annotated[
        Path | None,
        typer.Option(
            "--folders",
            metavar="DIR",
            help="Put the pictures into DIR/PART/, with their folders of classes.",
            rich_help_panel=PANEL,
        ),
    ] = None,
    link: Annotated[
        str,
        typer.Option(
            "--link",
            metavar=one_of(LINKINGS),
            help="How --folders puts them there.",
            rich_help_panel=PANEL,
            autocompletion=completer(LINKINGS),
        ),
    ] = "symlink",
    json: JsonOption = False,
    recursive: Recursive = True,
) -> int:
    """Divide a data set into parts so that no two of them share a picture.

    Reads what is new, searches for duplicates, and deals the files: copies, alternates and frames of one file always
    go into the same part. The same pictures and seed give the same parts. Your files are only read. Exit code 3 when
    what is in several parts already stays there.
    """  # fmt: skip
    from dedupindex import is_coco, sources_of
    from dedupindex.cli.outputs import require_folders, say_written
    from dedupindex.reports.curation.splits import split_json, split_text
    from dedupindex.reports.jsonfile import SCHEMA_VERSION, to_json

    if not paths:
        raise SettingsError("nothing to divide: give folders, or a list or COCO file of pictures")
    link = chosen(link, LINKINGS)
    if link not in LINKINGS:
        raise SettingsError(f"--link is {link!r}, must be {', '.join(LINKINGS)}{nearest(link, LINKINGS)}")
    require_folders(output)
    folder = None if images is None else absolute(at_home(images))
    roots, lists = sources_of(paths, images=folder)
    documents = [source.path for source in lists if source.path.suffix.lower() == ".json" and is_coco(source.path)]
    if coco is not None and not documents:
        raise SettingsError("--coco writes parts of COCO files: give one")
    known: list[Part] = []
    for one in existing or ():
        known += existing_parts(one, folder)
    with session.open(create=True) as index:
        with session.progress() as progress:
            ingested = index.ingest(roots, lists=lists, recursive=recursive, progress=progress)
            index.find_duplicates(progress=progress)
        made = index.split(paths, parts, seed=seed, existing=known, drop=drop, images=folder)
    written = write_all(made, output=output, coco=coco, documents=documents, images=folder)
    if folders is not None:
        from dedupindex import Linking, write_folders

        write_folders(made, absolute(at_home(folders)), roots, Linking(link))
        written.append(folders)
    if json:
        out_bytes(to_json({"schema": SCHEMA_VERSION, "kind": "split", **split_json(made)}))
    else:
        out(split_text(made))
    if not session.quiet:
        say_written(*(path for path in written if path.is_file()))
    list_failures(ingested.failures)
    if made.torn and not drop:
        return ANY
    return FOUND if ingested.failures else DONE


def existing_parts(text: str, images: Path | None) -> list[Part]:
    """Read ``NAME=PLACE``, or a split file that names its parts itself; *images*: the folder of COCO pictures."""
    from dedupindex import part_of, read_split

    name, separator, place = text.partition("=")
    if separator and not at_home(Path(text)).exists():
        return [part_of(name, [place], images=images)]
    return list(read_split(at_home(Path(text))))


def write_all(
    made: Split, *, output: Path | None, coco: Path | None, documents: list[Path], images: Path | None
) -> list[Path]:
    """Write a split as a table and as COCO files; return what was written.

    Parameters
    ----------
    made : Split
    output : Path or None
        The table, ``.parquet`` or else CSV.
    coco : Path or None
        Folder of the COCO files.
    documents : list of Path
        COCO files that were divided.
    images : Path or None
        Folder of their pictures.
    """
    from dedupindex import coco_parts
    from dedupindex.durable import output_path, write_whole
    from dedupindex.reports.curation.splits import split_csv, split_parquet
    from dedupindex.reports.exchange.parquetfile import require_pyarrow
    from dedupindex.reports.jsonfile import to_json

    written: list[Path] = []
    if output is not None:
        file = output_path(output)
        if file.suffix.lower() in (".parquet", ".pq"):
            require_pyarrow()
            write_whole(file, split_parquet(made, file.absolute().parent))
        else:
            write_whole(file, split_csv(made, file.absolute().parent))
        written.append(output)
    if coco is not None:
        at_home(coco).mkdir(parents=True, exist_ok=True)
        for document in documents:
            for part, value in coco_parts(made, document, images=images).items():
                file = at_home(coco) / f"{document.stem}_{part}.json"
                write_whole(file, to_json(value))
                written.append(file)
    return written
