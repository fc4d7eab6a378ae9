"""FAISS, loaded when it is first used: loading takes long, and a report that searches for nothing new does without."""

from __future__ import annotations

from functools import cache
from typing import Any

from dedupindex.system import usable_cores


@cache
def _loaded() -> Any:
    import faiss

    faiss.omp_set_num_threads(max(1, min(faiss.omp_get_max_threads(), usable_cores())))
    return faiss


class _Faiss:
    """Gives the names of the module `faiss`."""

    def __getattr__(self, name: str) -> Any:
        return getattr(_loaded(), name)


faiss: Any = _Faiss()  # the module's annotations differ between releases and lag behind its Python layer
