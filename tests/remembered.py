"""What many tests compute of the same few pictures: computed once in a session, by the very same functions.

For tests in which describing, verifying and proving are the means and not the matter: say
``pytestmark = pytest.mark.usefixtures("remembered")``. Worker processes compute anew.
"""

import hashlib
import importlib
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import pytest

STAGES = (  # pure functions of their arguments, where the stages of a run look them up
    ("dedupindex.ingest.describing", "prepare_stack"),
    ("dedupindex.ingest.describing", "describe_stack"),
    ("dedupindex.search.pair_stages", "verify"),
    ("dedupindex.verify.proof.finer", "prove"),
)
_results: dict[bytes, bytes] = {}  # digest of the function's name and arguments -> pickled result


def remembering(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, which looks results up by the content of its arguments; each caller gets a copy of its own."""

    @wraps(function)
    def looked_up(*given: Any, **named: Any) -> Any:
        key = hashlib.sha256(pickle.dumps((name, given, named))).digest()
        if key not in _results:
            _results[key] = pickle.dumps(function(*given, **named))
        return pickle.loads(_results[key])

    return looked_up


@contextmanager
def stages_remembered() -> Iterator[None]:
    """Let the stages of this process remember what they computed."""
    with pytest.MonkeyPatch.context() as patched:
        for module, name in STAGES:
            found = importlib.import_module(module)
            patched.setattr(found, name, remembering(f"{module}.{name}", getattr(found, name)))
        yield
