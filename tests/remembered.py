"""What many tests compute of the same few pictures: computed once in a session, by the very same functions.

For tests in which describing, verifying and proving are the means and not the matter: say
``pytestmark = pytest.mark.usefixtures("remembered")``. Worker processes compute anew, but for those of the commands of
the fixture `run` and of the machine of `tests/reliability`: their results go through a folder.
"""

import hashlib
import importlib
import os
import pickle
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
    folder : Path or None
        Where other processes find them too.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._known: dict[str, bytes] = {}
        self.folder = folder

    def get(self, key: str) -> bytes | None:
        if key not in self._known and self.folder is not None:
            with suppress(FileNotFoundError):
                self._known[key] = (self.folder / key).read_bytes()
        return self._known.get(key)

    def put(self, key: str, result: bytes) -> None:
        self._known[key] = result
        if self.folder is not None:
            draft = self.folder / f"{key}.{os.getpid()}"
            draft.write_bytes(result)
            draft.replace(self.folder / key)


_results = Results()


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
def stages_remembered(folder: Path | None = None) -> Iterator[None]:
    """Let the stages of this process, and of its forks, remember what they computed, if need be in a folder."""
    results = Results(folder) if folder is not None else _results
    with pytest.MonkeyPatch.context() as patched:
        for stages, remember in ((STAGES, remembering), (STACKS, remembering_each)):
            for module, name in stages:
                found = importlib.import_module(module)
                patched.setattr(found, name, remember(f"{module}.{name}", getattr(found, name), results))
        yield
