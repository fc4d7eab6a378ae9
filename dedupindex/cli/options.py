"""Options that several verbs share, the session that they make, and what every verb is wrapped in."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from dedupindex.cli.choices import SETTINGS, completer, one_of
from dedupindex.cli.console import Bar, Quiet, complain, logging_to_stderr, progress
from dedupindex.cli.help import Verb
from dedupindex.errors import DedupIndexError, ReadError, said
from dedupindex.places import at_home
from dedupindex.settings import ENVIRONMENT_PREFIX, TIMES, Settings, read_settings_file

if TYPE_CHECKING:
    from dedupindex.index import Index

DEFAULT_DATABASE = "dedupindex.db"
DATABASE_VARIABLE = "DEDUPINDEX_DATABASE"
DONE, FOUND, ERROR, ANY, INTERRUPTED, PIPE_CLOSED = 0, 1, 2, 3, 130, 141

SHAPING = tuple(f.name for f in dataclasses.fields(Settings) if f.metadata["shapes"])
MAKING = (*SHAPING, "hash_only")  # of verbs that may make a database
READING = (
    "all_frames",
    "panels",
    "allow_object_arrays",
    "max_pixels",
    "max_bytes",
    "max_frames",
    "max_aspect",
    "max_frame_bytes",
    "max_ratio",
    "max_seconds",
    "worker_memory",
)
TAKING = ("exclude", "default_excludes", "min_size", "min_pixels", "extensions")
SEARCHING = ("threshold", "effort", "radius", "candidates", "nprobe", "negatives")
FINDING = (*SEARCHING, "false_candidates", "budget", "proof", "embedding")
WORKING = ("workers", "batch")
ENGINE = ("engine", "work")
_FLAGS = {"filters": "--filter"}
SETTINGS_PANEL = "Settings"  # how the panels of the settings begin
PANELS: Mapping[str, Sequence[str]] = {
    "what is taken": TAKING,
    "the search": FINDING,
    "the work": (*WORKING, *ENGINE),
    "how pictures are described (of a new database)": MAKING,
    "how files are read": READING,
}
MOST_SHOWN = 6  # choices that are shown in place of a value; of more the help tells
_NAMED_METAVARS = {"exclude": "GLOB", "min_size": "BYTES", "embedding": "FILE", "filters": "NAME:N"}
_METAVARS: Mapping[type, str] = {int: "N", float: "X", str: "TEXT", tuple: "VALUE"}

# The types of options that stand in several verbs.
Places: TypeAlias = Annotated[
    list[str] | None,
    typer.Argument(metavar="PATH", help="Files, folders, archives, URLs (s3://bucket/prefix).", show_default=False),
]
Paths: TypeAlias = Annotated[list[Path], typer.Argument(metavar="PATH", help="Files and folders.", show_default=False)]
JsonOption: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON.")]
HtmlOption: TypeAlias = Annotated[
    Path | None, typer.Option("--html", metavar="FILE", help="Write the report as one self-contained page.")
]
MinScore: TypeAlias = Annotated[
    float | None, typer.Option("--min-score", metavar="X", min=0.0, max=1.0, help="Leave out weaker pairs, 0..1.")
]
LimitOption: TypeAlias = Annotated[int, typer.Option("--limit", metavar="N", min=1, help="Most matches a picture.")]

_DATABASE = typer.Option(
    "-d", "--database", metavar="FILE", help=f"Database, or URL; else ${DATABASE_VARIABLE}, else ./{DEFAULT_DATABASE}."
)
_CONFIG = typer.Option("--config", metavar="FILE", help="Settings in TOML.")
_QUIET = typer.Option("--quiet", "-q", help="No progress, no log below errors.")
_VERBOSE = typer.Option("--verbose", "-v", help="Say more on stderr.")
COMMON: Mapping[str, Any] = {
    "database": Annotated[str | None, _DATABASE],
    "config": Annotated[Path | None, _CONFIG],
    "quiet": Annotated[bool, _QUIET],
    "verbose": Annotated[bool, _VERBOSE],
}


@dataclass(frozen=True, slots=True)
class Session:
    """What the common options said."""

    database: str = ""
    config: Path | None = None
    quiet: bool = False
    verbose: bool = False
    flags: Mapping[str, Any] = field(default_factory=dict)

    def open(self, *, create: bool = False, read_only: bool = False, allow_mismatch: bool = False) -> Index:
        """Open the database that the common options name.

        Parameters
        ----------
        create : bool
            Make it where there is none.
        read_only : bool
        allow_mismatch : bool
            Open it although its features were made with other settings.

        Returns
        -------
        Index

        Raises
        ------
        DedupIndexError
            There is none, it cannot be opened, or a setting means nothing.
        """
        from dedupindex.index import Index, fork_workers_here

        if not read_only:
            fork_workers_here()  # before there are open files and threads
        return Index.open(
            self.location(),
            create=create,
            read_only=read_only,
            allow_mismatch=allow_mismatch,
            **self.overrides(),
        )

    def location(self) -> str:
        """Return the database: flag, environment, default."""
        chosen = self.database or os.environ.get(DATABASE_VARIABLE) or DEFAULT_DATABASE
        return chosen if "://" in chosen else os.fspath(at_home(Path(chosen)))

    def overrides(self) -> dict[str, Any]:
        """Return settings by name: flags over the environment over the file; what nobody gave is left out."""
        values = {} if self.config is None else read_settings_file(at_home(self.config))
        for name in list(values):
            if ENVIRONMENT_PREFIX + name.upper() in os.environ:
                del values[name]
        return {**values, **self.flags}

    def settings(self) -> Settings:
        """Return the settings in force without a database."""
        return Settings.load(**self.overrides())

    def progress(self) -> Bar | Quiet:
        """Return a progress listener."""
        return progress(quiet=self.quiet, verbose=self.verbose)


def common(
    context: typer.Context,
    database: Annotated[str | None, _DATABASE] = None,
    config: Annotated[Path | None, _CONFIG] = None,
    quiet: Annotated[bool, _QUIET] = False,
    verbose: Annotated[bool, _VERBOSE] = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    """Find every copy of a picture, and prove it."""
    if version:
        from dedupindex import __version__

        typer.echo(f"dedupindex {__version__}")
        raise typer.Exit(DONE)
    if context.invoked_subcommand is None:
        if sys.stdout.isatty():
            typer.echo(
                "Start here: `dedupindex serve --open` opens a page on which you choose folders and scan them.\n"
            )
        typer.echo(context.get_help())
        raise typer.Exit(ERROR)
    context.obj = Session(database or "", config, quiet, verbose)


def add_verb(
    app: typer.Typer, name: str, function: Callable[..., int], *, settings: Sequence[str] = (), **options: Any
) -> None:
    """Make a function a verb of the command line.

    Parameters
    ----------
    function : callable
        Takes a `Session`, then its own options; returns the exit code.
    settings : sequence of str
        Names of the settings for which it has flags.
    """
    own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
    parameters = [inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)]
    parameters += [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]
    parameters += [_setting_parameter(setting) for setting in settings]
    for option, annotation in COMMON.items():
        default = False if option in ("quiet", "verbose") else None
        parameters.append(
            inspect.Parameter(option, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        )

    def run(**values: Any) -> None:
        before: Session = values.pop("context").obj
        flags = {setting: _flag_value(setting, values.pop(setting)) for setting in settings}
        session = Session(
            database=values.pop("database") or before.database,
            config=values.pop("config") or before.config,
            quiet=values.pop("quiet") or before.quiet,
            verbose=values.pop("verbose") or before.verbose,
            flags={setting: value for setting, value in flags.items() if value is not None},
        )
        raise typer.Exit(guarded(functools.partial(function, session, **values), session))

    run.__doc__ = function.__doc__
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    app.command(name, cls=Verb, **options)(run)


def guarded(work: Callable[[], int], session: Session) -> int:
    """Return the exit code of some work; what it raises on purpose, or the system does, becomes a line on stderr."""
    try:
        with logging_to_stderr(quiet=session.quiet, verbose=session.verbose):
            code = work()
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        discard_stdout()
        return PIPE_CLOSED
    except KeyboardInterrupt:
        complain("interrupted; what was committed stays, the next run goes on from there")
        return INTERRUPTED
    except (DedupIndexError, OSError) as error:
        complain(said(error))
        if isinstance(error, ReadError):
            from dedupindex.reports.reasons import ADVICE

            complain(ADVICE[error.reason])
        return ERROR
    except MemoryError:
        complain("not enough memory")
        return ERROR


def discard_stdout() -> None:
    """Send what is left for stdout nowhere, so that the interpreter does not complain at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _setting_parameter(name: str) -> inspect.Parameter:
    described = next(f for f in dataclasses.fields(Settings) if f.name == name)
    flag = _FLAGS.get(name, "--" + name.replace("_", "-"))
    kind: Any = type(described.default)
    metavar = _NAMED_METAVARS.get(name) or _METAVARS.get(kind)
    if kind is bool:
        flag = f"{flag}/--no-{flag.removeprefix('--')}"
    elif kind is tuple:
        kind = list[str]
    if name in TIMES:
        kind, metavar = str, "TIME"
    choices = SETTINGS.get(name, ())
    if 0 < len(choices) <= MOST_SHOWN and name not in _NAMED_METAVARS:
        metavar = one_of(choices)
    words = described.metadata["help"]
    default = described.default if described.default not in ((), "") else "none"
    option = typer.Option(
        flag,
        metavar=metavar,
        help=f"{words[0].upper()}{words[1:]}. [default: {default}]",
        show_default=False,
        rich_help_panel=_panel_of(name),
        case_sensitive=False,
        autocompletion=completer(choices) if choices else None,
    )
    annotation = Annotated[kind | None, option]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _panel_of(name: str) -> str:
    title = next((title for title, names in PANELS.items() if name in names), "")
    return f"{SETTINGS_PANEL}: {title}" if title else SETTINGS_PANEL


def _flag_value(name: str, value: Any) -> Any:
    if isinstance(value, list | tuple):
        described = next(f for f in dataclasses.fields(Settings) if f.name == name)
        return described.metadata["separator"].join(value) if value else None
    return value
