"""The `dedupindex` command: its verbs, and how it ends.

Exit codes: 0 done; 1 done, but some inputs failed or ``check`` found something; 2 an error or wrong usage;
3 with ``--exit-code``, there is something to report; ``leaks`` has leaks, ``split`` could not part all;
130 interrupted; 141 nobody reads the output any more.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from importlib import import_module
from typing import Any, NamedTuple

import typer
import typer.main

from dedupindex.cli.completion import complete_from_the_first_tab
from dedupindex.cli.console import complain
from dedupindex.cli.help import Verbs
from dedupindex.cli.options import (
    ENGINE,
    ERROR,
    FINDING,
    INTERRUPTED,
    MAKING,
    PIPE_CLOSED,
    READING,
    SEARCHING,
    SHAPING,
    TAKING,
    WORKING,
    add_verb,
    common,
    discard_stdout,
)


class Entry(NamedTuple):
    """A verb: its function in a module of `dedupindex.cli`, and the settings that it has flags for."""

    function: str  # MODULE.NAME
    settings: Sequence[str] = ()

    def load(self) -> Any:
        """The function; loads its module."""
        module, _, name = self.function.partition(".")
        return getattr(import_module(f"dedupindex.cli.{module}"), name)


ENTRIES: Mapping[str, Entry] = {
    "scan": Entry("scan.scan", (*TAKING, *WORKING, *ENGINE, *FINDING, *MAKING, *READING)),
    "ingest": Entry("ingest.ingest", (*TAKING, *WORKING, *ENGINE, *MAKING, *READING)),
    "merge": Entry("merge.merge", MAKING),
    "query": Entry("query.query", (*SEARCHING, "proof", *READING)),
    "similar": Entry("similar.similar", ("workers", *SEARCHING, "embedding", *READING)),
    "compare": Entry("compare.compare", ("threshold", *SHAPING, *READING)),
    "report": Entry("report.report", (*WORKING, *ENGINE, *FINDING)),
    "prove": Entry("prove.prove", (*WORKING, *ENGINE, "budget", *READING)),
    "plan": Entry("plan.plan", (*WORKING, *FINDING)),
    "apply": Entry("apply.apply"),
    "undo": Entry("undo.undo"),
    "evaluate": Entry("evaluate.evaluate", ("workers", *SEARCHING, *SHAPING, *READING)),
    "split": Entry("split.split", (*TAKING, *WORKING, *ENGINE, *FINDING, *MAKING, *READING)),
    "leaks": Entry("leaks.leaks", (*TAKING, *WORKING, *ENGINE, *FINDING, *MAKING, *READING)),
    "bank": Entry("bank.bank", ("workers", *READING)),
    "decide": Entry("decide.decide"),
    "import-list": Entry("import_list.import_list"),
    "failures": Entry("failures.failures"),
    "info": Entry("info.info", (*SHAPING, *READING)),
    "check": Entry("check.check", SHAPING),
    "rebuild": Entry("rebuild.rebuild", (*WORKING, *SHAPING, *READING)),
    "backup": Entry("backup.backup"),
    "restore": Entry("backup.restore"),
    "relocate": Entry("relocate.relocate", ("max_bytes",)),
    "forget": Entry("forget.forget"),
    "doctor": Entry("doctor.doctor"),
    "upgrade": Entry("upgrade.upgrade"),
    "watch": Entry("watch.watch", (*TAKING, *WORKING, *FINDING, *MAKING, *READING)),
    "serve": Entry("serve.serve", (*WORKING, *FINDING, *READING)),
    "demo": Entry("demo.demo"),
}


class Commands(MutableMapping[str, Any]):
    """The verbs by name, each made when it is first asked for: of one run only one is needed."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            alone = typer.Typer(add_completion=False, rich_markup_mode=None)
            add_verb(alone, name, ENTRIES[name].load(), settings=ENTRIES[name].settings)
            self._made[name] = typer.main.get_command(alone)
        return self._made[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._made[name] = command

    def __delitem__(self, name: str) -> None:
        del self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter({**ENTRIES, **self._made})

    def __len__(self) -> int:
        return len({**ENTRIES, **self._made})


class Program(Verbs):
    """The program, with the verbs of `ENTRIES`."""

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        self.commands = Commands()

    def purpose(self, ctx: Any, name: str) -> str:
        """Return the help text of a verb, without making its options."""
        return ENTRIES[name].load().__doc__ or ""


app = typer.Typer(
    name="dedupindex",
    cls=Program,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
app.callback(invoke_without_command=True)(common)
complete_from_the_first_tab()


# Matrices of one picture are small: on a busy machine, threads that wait for one another make a query much slower.
_ONE_THREAD = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OPENCV_FOR_THREADS_NUM")


def _replace_closed_streams() -> None:
    """Let standard streams that were closed by the caller lead nowhere, so that the exit code is that of the work.

    Otherwise the next file that is opened would become standard output to everybody who writes there.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)  # the lowest free number, which is this one
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            os.set_inheritable(number, True)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115


def main() -> None:
    """Run the command line and exit."""
    for variable in _ONE_THREAD:  # read when NumPy and OpenCV are loaded, which the verbs do
        os.environ.setdefault(variable, "1")
    _replace_closed_streams()
    if hasattr(sys.stdout, "reconfigure"):  # a name that the terminal's encoding lacks must not end the run
        sys.stdout.reconfigure(errors="backslashreplace")
        sys.stderr.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        app()
    except KeyboardInterrupt:
        complain("interrupted")
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        discard_stdout()
        sys.exit(PIPE_CLOSED)
    except Exception as error:  # a fault of ours, or a row of a damaged database that means nothing
        if {"-v", "--verbose"}.intersection(sys.argv):
            raise
        complain(f"{type(error).__name__}: {error}")
        complain("`dedupindex check --deep` tells if the database is sound; if so, please report this (-v shows where)")
        sys.exit(ERROR)
    finally:
        try:
            sys.stdout.flush()
        except (OSError, ValueError):  # a full disk, said above: Python would say it again when it exits, with code 120
            discard_stdout()
        with contextlib.suppress(BrokenPipeError, ValueError):
            sys.stderr.flush()
