"""`dedupindex` without its start: a process that has imported everything forks for every command it is sent.

Reads a JSON object a line from stdin (argv, cwd, env, out, err) and answers with the exit code. What runs in the fork
is the same `main` that the console script runs. The argument is a folder: commands and their workers describe, verify
and prove nothing twice that is remembered there; see `tests/remembered.py`.
"""

import atexit
import contextlib
import functools
import gc
import importlib
import io
import json
import os
import pkgutil
import sys
import tempfile
import threading
import traceback
from pathlib import Path

THEIRS = (  # what the verbs load while they run
    *("alembic.command", "jinja2", "pathspec", "scipy.fft", "scipy.ndimage", "tifffile"),
    *("sqlalchemy.dialects.sqlite", "typer._adapters", "rich.progress", "PIL.JpegImagePlugin", "PIL.PngImagePlugin"),
)


def load() -> None:
    """Import whatever a verb might import, but for the web: most of our modules are loaded when they are first used."""
    import dedupindex
    from dedupindex.cli.main import _ONE_THREAD, app

    for variable in _ONE_THREAD:
        os.environ[variable] = "1"
    ours = (name for _, name, _ in pkgutil.walk_packages(dedupindex.__path__, "dedupindex."))
    for name in (*ours, *THEIRS):
        if not name.startswith(("dedupindex.web.", "dedupindex.__")):
            with contextlib.suppress(ImportError):  # of an extra that is not installed
                importlib.import_module(name)

    import typer.main
    from sqlalchemy.orm import configure_mappers

    from dedupindex.features.model import load_model

    load_model()
    configure_mappers()
    typer.main.get_command = functools.cache(typer.main.get_command)  # the verbs are the same every time
    typer.main.get_command(app)
    keep()


def keep() -> None:
    """Let the collector leave what there is: a collection in a fork would copy every page that these objects are on."""
    gc.collect()
    gc.freeze()


def rehearse() -> None:
    """Run the usual commands once, for what libraries set up when they are first used: forks inherit it."""
    from dedupindex.cli.main import main
    from dedupindex.execution import contained
    from tests.pictures import half, picture, save

    own, here, arguments = contained.is_worker, Path.cwd(), sys.argv
    contained.is_worker = lambda: True  # decode here: a worker process would be inherited too
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO())):
        save(Path(folder, "in", "a.png"), picture(1))
        save(Path(folder, "in", "b.jpg"), half(picture(1)), quality=90)
        os.chdir(folder)
        for command in ("-q scan in", "report", "report --json", "plan -o p.json --relation copy", "query in/a.png"):
            sys.argv = ["dedupindex", *command.split()]
            with contextlib.suppress(SystemExit):
                main()
        os.chdir(here)
    contained.is_worker, sys.argv = own, arguments


def serve() -> None:
    load()
    from dedupindex.cli.main import main
    from tests.databases import databases_shared
    from tests.remembered import stages_remembered

    with databases_shared(), stages_remembered(Path(sys.argv[1])):
        rehearse()
        keep()
        answer_orders(main)


def answer_orders(main) -> None:
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            become(order)
            leave(main)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def become(order) -> None:
    """Turn the fork into the process that was asked for."""
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    for descriptor, name in enumerate((os.devnull, order["out"], order["err"])):
        opened = os.open(name, os.O_RDONLY if descriptor == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(opened, descriptor)
        os.close(opened)
    sys.argv = order["argv"]
    sys.modules["__main__"].__package__ = None  # as in the console script: help names the program by it


def leave(main) -> None:
    """Run a command and exit with its code; taking down what was imported would take longer than most commands."""
    try:
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    threading._shutdown()  # what the interpreter does when it ends
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    serve()
