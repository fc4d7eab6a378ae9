"""Limits of worker processes, by the settings and the machine."""

from __future__ import annotations

import os
from pathlib import Path

from dedupindex.execution.worker import Limits
from dedupindex.settings import Settings
from dedupindex.system import usable_cores

LEAST_MEMORY, MOST_MEMORY = 2_000_000_000, 8_000_000_000  # default address space of a worker, bytes


def limits_of(settings: Settings) -> Limits:
    """Limits of each worker by the settings; by default the workers share the machine's memory."""
    memory = settings.worker_memory
    if not memory:
        share = machine_memory() // (settings.workers or usable_cores())
        memory = min(max(share, LEAST_MEMORY), MOST_MEMORY)
    return Limits(memory, settings.max_seconds)


def machine_memory() -> int:
    """Bytes of memory that this process may use; 0 where that is not known."""
    try:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 0
    try:
        return min(memory, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    except (OSError, ValueError):  # no control group, or "max"
        return memory
