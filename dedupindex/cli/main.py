"""The `dedupindex` command: its verbs, and how it ends.

Exit codes: 0 done; 1 done, but some inputs failed or ``check`` found something; 2 an error or wrong usage;
3 with ``--exit-code``, there is something to report; ``leaks`` has leaks, ``split`` could not part all;
130 interrupted; 141 nobody reads the output any more.
"""

from __future__ import annotations

import contextlib
import os
import sys

import typer

from dedupindex.cli import (
    apply,
    backup,
    bank,
    check,
    compare,
    decide,
    demo,
    doctor,
    evaluate,
    failures,
    forget,
    import_list,
    info,
    ingest,
    leaks,
    merge,
    plan,
    prove,
    query,
    rebuild,
    relocate,
    report,
    scan,
    serve,
    similar,
    split,
    undo,
    upgrade,
    watch,
)
from dedupindex.cli.console import complain
from dedupindex.cli.help import Verbs
from dedupindex.cli.options import (
    ENGINE,
    ERROR,
    FINDING,
    INTERRUPTED,
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

app = typer.Typer(
    name="dedupindex",
    cls=Verbs,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
app.callback(invoke_without_command=True)(common)
add_verb(app, "scan", scan.scan, settings=(*TAKING, *WORKING, *ENGINE, *FINDING, *SHAPING, *READING))
add_verb(app, "ingest", ingest.ingest, settings=(*TAKING, *WORKING, *ENGINE, *SHAPING, *READING))
add_verb(app, "merge", merge.merge, settings=SHAPING)
add_verb(app, "query", query.query, settings=(*SEARCHING, "proof", *READING))
add_verb(app, "similar", similar.similar, settings=("workers", *SEARCHING, "embedding", *READING))
add_verb(app, "compare", compare.compare, settings=("threshold", *SHAPING, *READING))
add_verb(app, "report", report.report, settings=(*WORKING, *ENGINE, *FINDING))
add_verb(app, "prove", prove.prove, settings=(*WORKING, *ENGINE, "budget", *READING))
add_verb(app, "plan", plan.plan, settings=(*WORKING, *FINDING))
add_verb(app, "apply", apply.apply)
add_verb(app, "undo", undo.undo)
add_verb(app, "evaluate", evaluate.evaluate, settings=("workers", *SEARCHING, *SHAPING, *READING))
add_verb(app, "split", split.split, settings=(*TAKING, *WORKING, *ENGINE, *FINDING, *SHAPING, *READING))
add_verb(app, "leaks", leaks.leaks, settings=(*TAKING, *WORKING, *ENGINE, *FINDING, *SHAPING, *READING))
add_verb(app, "bank", bank.bank, settings=("workers", *READING))
add_verb(app, "decide", decide.decide)
add_verb(app, "import-list", import_list.import_list)
add_verb(app, "failures", failures.failures)
add_verb(app, "info", info.info, settings=(*SHAPING, *READING))
add_verb(app, "check", check.check, settings=SHAPING)
add_verb(app, "rebuild", rebuild.rebuild, settings=(*WORKING, *SHAPING, *READING))
add_verb(app, "backup", backup.backup)
add_verb(app, "restore", backup.restore)
add_verb(app, "relocate", relocate.relocate, settings=("max_bytes",))
add_verb(app, "forget", forget.forget)
add_verb(app, "doctor", doctor.doctor)
add_verb(app, "upgrade", upgrade.upgrade)
add_verb(app, "watch", watch.watch, settings=(*TAKING, *WORKING, *FINDING, *SHAPING, *READING))
add_verb(app, "serve", serve.serve, settings=(*WORKING, *FINDING, *READING))
add_verb(app, "demo", demo.demo)


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
