"""What many tests compute of the same few pictures: computed once in a session, by the very same functions.

For tests in which describing, verifying and proving are the means and not the matter: say
``pytestmark = pytest.mark.usefixtures("remembered")``. Worker processes compute anew, but for those of commands of the
fixture `run`. Results are files, so that all processes of the session find them.
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

import pytest

STAGES = (  # pure functions of their arguments, where the stages of a run look them up
    ("dedupindex.ingest.describing", "prepare_stack"),
    ("dedupindex.search.pair_stages", "verify"),
    ("dedupindex.search.candidates", "verify"),
    ("dedupindex.search.proof_stages", "prove"),
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
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

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
        key = hashlib.sha256(pickle.dumps((name, given, named))).hexdigest()
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


@contextmanager
def stages_remembered(folder: Path) -> Iterator[None]:
    """Let the stages of this process, and of its forks, remember in a folder what they computed."""
    results = Results(folder)
    with pytest.MonkeyPatch.context() as patched:
        for stages, remember in ((STAGES, remembering), (STACKS, remembering_each)):
            for module, name in stages:
                found = importlib.import_module(module)
                patched.setattr(found, name, remember(f"{module}.{name}", getattr(found, name), results))
        yield
