"""What many tests compute of the same few pictures: computed once in a session, by the very same functions.

For tests in which describing, verifying and proving are the means and not the matter: say
``pytestmark = pytest.mark.usefixtures("remembered")``. Results are files, so that all processes of the session find
them: both of pytest-xdist, commands of the fixture `run`, and workers (`tests/remembering_workers.py`). A test of
whether something changes results says ``usefixtures("computed_anew")`` besides.
"""

import hashlib
import importlib
import os
import pickle
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import Any

STAGES = (  # pure functions of their arguments, where the stages of a run look them up
    ("dedupindex.ingest.describing", "prepare_stack"),
    ("dedupindex.search.pair_stages", "verify"),
    ("dedupindex.search.candidates", "verify"),
    ("dedupindex.verify.proof.finer", "prove"),
)
STACKS = (  # pure functions of each item of a sequence: how many are given at once changes no result
    ("dedupindex.ingest.describing", "describe_stack"),
)


class Results:
    """Pickled results by the digest of a function's name and arguments.

    Parameters
    ----------
    folder : Path
        Where all processes of a session find them.
    process : int
        Nothing is remembered while there is no `flag_of` this process.
    """

    def __init__(self, folder: Path, process: int) -> None:
        self._folder, self._flag = folder, flag_of(folder, process)

    @property
    def used(self) -> bool:
        """Whether results are remembered now."""
        return self._flag.exists()

    def get(self, key: str) -> bytes | None:
        with suppress(FileNotFoundError):
            return (self._folder / key).read_bytes()
        return None

    def put(self, key: str, result: bytes) -> None:
        draft = self._folder / f"{key}.{os.getpid()}.{threading.get_ident()}"
        draft.write_bytes(result)
        draft.replace(self._folder / key)


def remembering(name: str, function: Callable[..., Any], results: Results) -> Callable[..., Any]:
    """The function, which looks results up by the content of its arguments; each caller gets a copy of its own."""

    @wraps(function)
    def looked_up(*given: Any, **named: Any) -> Any:
        if not results.used:
            return function(*given, **named)
        # what is shared by many pairs only saves work: its state changes no result
        told = {word: value is not None if word == "shared" else value for word, value in named.items()}
        key = hashlib.sha256(pickle.dumps((name, given, told))).hexdigest()
        result = results.get(key)
        if result is None:
            result = pickle.dumps(function(*given, **named))
            results.put(key, result)
        return pickle.loads(result)

    return looked_up


def remembering_each(name: str, function: Callable[..., Any], results: Results) -> Callable[..., Any]:
    """The same of a function of a sequence, whose results are remembered one by one."""

    @wraps(function)
    def looked_up(items: Sequence[Any], *given: Any, **named: Any) -> Any:
        if not results.used:
            return function(items, *given, **named)
        keys = [hashlib.sha256(pickle.dumps((name, item, given, named))).hexdigest() for item in items]
        known = [results.get(key) for key in keys]
        missing = [place for place, result in enumerate(known) if result is None]
        if missing:
            made = function([items[place] for place in missing], *given, **named)
            for place, result in zip(missing, made, strict=True):
                known[place] = pickle.dumps(result)
                results.put(keys[place], known[place])
        return [pickle.loads(result) for result in known]

    return looked_up


def remember_stages(results: Results) -> list[tuple[Any, str, Any]]:
    """Let the stages of this process, and of its forks, remember what they compute; what has to be put back."""
    before = []
    for stages, remember in ((STAGES, remembering), (STACKS, remembering_each)):
        for path, name in stages:
            module = importlib.import_module(path)
            function = getattr(module, name)
            before.append((module, name, function))
            setattr(module, name, remember(f"{path}.{name}", function, results))
    return before


@contextmanager
def stages_remembered(folder: Path) -> Iterator[None]:
    """Remember the stages of this process and its forks, and of its workers where those are ours."""
    flag = flag_of(folder, os.getpid())
    before = remember_stages(Results(folder, os.getpid()))
    flag.touch()
    try:
        yield
    finally:
        flag.unlink()
        for module, name, function in before:
            setattr(module, name, function)


def flag_of(folder: Path, process: int) -> Path:
    """The file that says that workers of a process remember."""
    return folder / f"on-{process}"
