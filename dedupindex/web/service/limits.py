"""Limits of a replica: requests at once, requests a token, files.

The token bucket is our own: it is a dozen lines, and libraries for it bring storage backends that a replica does not
need (each counts for itself; a proxy spreads the load over them).
"""

from __future__ import annotations

import time
from collections.abc import Callable

from dedupindex.system import most_descriptors
from dedupindex.web.service.options import Rate

UNKNOWN_DESCRIPTORS = 2_048  # where the system does not say


def descriptors() -> int:
    """Files and connections that this process may have open."""
    return most_descriptors() or UNKNOWN_DESCRIPTORS


class Buckets:
    """A token bucket for every name: full at first, refilled steadily, one taken by each request."""

    def __init__(self, rate: Rate, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._clock = rate, clock
        self._levels: dict[str, tuple[float, float]] = {}  # name -> what was in it, and when

    def wait(self, name: str) -> float:
        """Take one out of a bucket; seconds until that is possible where it is empty, 0 = done."""
        now = self._clock()
        level, then = self._levels.get(name, (self._rate.most, now))
        level = min(self._rate.most, level + (now - then) * self._rate.a_second)
        done = level >= 1
        self._levels[name] = (level - 1 if done else level, now)
        return 0.0 if done else (1 - level) / self._rate.a_second


class Places:
    """A number of requests at a time, without a queue: a proxy can send the next one elsewhere."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.taken = 0

    def take(self) -> bool:
        """Take a place if there is one."""
        if self.taken >= self._most:
            return False
        self.taken += 1
        return True

    def leave(self) -> None:
        """Give it back."""
        self.taken -= 1
