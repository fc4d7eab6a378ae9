"""How much may be asked of a replica: requests at once, requests a token, bytes of a body.

A token bucket is written out here: it is a dozen lines of arithmetic, while the libraries for it bring storage backends
that a replica does not want (each counts for itself; a proxy spreads the load over them).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from starlette.exceptions import HTTPException
from starlette.types import Message, Receive

from dedupindex.web.service.options import Rate


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
    """So many requests at a time, and no queue: a proxy knows better where to send the next one."""

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


class Body:
    """The body of a request, not more than so many bytes, and not later than a moment of the loop's clock."""

    def __init__(self, receive: Receive, most: int, until: float) -> None:
        self._receive, self._most, self._until = receive, most, until
        self._whole = False
        self.bytes = 0

    async def __call__(self) -> Message:
        """Receive a message.

        Raises
        ------
        HTTPException
            413, it is larger; 408, it comes too slowly.
        """
        if self._whole:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError:
            raise HTTPException(408, "the request came too slowly") from None
        if message["type"] == "http.request":
            self.bytes += len(message.get("body", b""))
            self._whole = not message.get("more_body", False)
            if self.bytes > self._most:
                raise HTTPException(413, f"more than {self._most:,} bytes")
        return message
