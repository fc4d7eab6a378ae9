"""FAISS, loaded when it is first used: loading takes long, and a report that searches for nothing new does without."""

from __future__ import annotations

import os
from functools import cache
from typing import Any


def _usable_cores() -> int:
    """Cores this process may run on: a container or a pinned process has fewer than the machine."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def _loaded() -> Any:
    import faiss

    faiss.omp_set_num_threads(max(1, min(faiss.omp_get_max_threads(), _usable_cores())))
    return faiss


class _Faiss:
    """Gives the names of the module `faiss`."""

    def __getattr__(self, name: str) -> Any:
        return getattr(_loaded(), name)


faiss: Any = _Faiss()  # the module's annotations differ between releases and lag behind its Python layer
