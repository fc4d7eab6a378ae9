"""Connections of a replica: how many may wait for a request, and for how long.

Whoever connects and says nothing costs a descriptor, and a process has a limited number of them. So of the connections
that wait the one that has waited longest is closed where an address, or all of them, have too many. Requests that are
being answered are limited elsewhere (`limits.Places`); where they hold every connection, a few more are taken that may
only ask how the service is.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any

import h11
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from dedupindex.web.service.limits import descriptors
from dedupindex.web.service.middleware import HEALTH

HEADER_SECONDS = 20.0  # from the first byte, or from connecting, to the last of the headers
REST_SECONDS = 2.0  # for the rest of a body whose request is answered already
REST_BYTES = 1 << 20
CONNECTIONS = 1_000
FEWEST = 16  # however few descriptors there are
OTHER_FILES = 200  # descriptors for the catalogue, uploads and workers
RESERVED = 8  # connections beyond all limits, for questions about the service's health
SHARE = 4  # an address may have this part of all connections waiting


class Connections:
    """The connections of a replica.

    Parameters
    ----------
    most : int
        Connections at a time, but for `RESERVED` more.
    each : int
        Those of one address that wait for a request.
    """

    def __init__(self, most: int, each: int) -> None:
        self._most, self._each = most, each
        self._open: set[PatientProtocol] = set()
        self._reserved: set[PatientProtocol] = set()
        self._waiting: dict[PatientProtocol, None] = {}  # in the order in which they began to wait
        self._addresses: Counter[str] = Counter()  # how many wait

    @classmethod
    def by_machine(cls, *, proxy: bool) -> Connections:
        """As many as this process may have descriptors for; behind a proxy all of them come from one address."""
        most = max(FEWEST, min(CONNECTIONS, descriptors() - OTHER_FILES))
        return cls(most, most if proxy else max(1, most // SHARE))

    def opened(self, one: PatientProtocol) -> bool:
        """Take a new connection; False where it has to be closed."""
        if self._addresses[one.address] >= self._each:
            self._close_longest_waiting(one.address)
        if len(self._open) >= self._most:
            self._close_longest_waiting()
        if len(self._open) >= self._most:
            if len(self._reserved) >= RESERVED:
                return False
            one.reserved = True
            self._reserved.add(one)
            return True
        self._open.add(one)
        self.waits(one)
        return True

    def waits(self, one: PatientProtocol) -> None:
        """Note that a connection waits for a request from now on."""
        if one in self._open and one not in self._waiting:
            self._waiting[one] = None
            self._addresses[one.address] += 1

    def works(self, one: PatientProtocol) -> None:
        """Note that a request is being answered."""
        if one in self._waiting:
            del self._waiting[one]
            self._addresses[one.address] -= 1
            if not self._addresses[one.address]:
                del self._addresses[one.address]

    def closed(self, one: PatientProtocol) -> None:
        """Forget a connection."""
        self.works(one)
        self._open.discard(one)
        self._reserved.discard(one)

    def _close_longest_waiting(self, address: str | None = None) -> None:
        one = next((one for one in self._waiting if address in (None, one.address)), None)
        if one is not None:
            self.closed(one)
            one.transport.abort()


class PatientProtocol(H11Protocol):
    """HTTP/1.1 with an end to waiting: uvicorn waits for ever for headers, and for bodies that nobody needs any more.

    Parameters
    ----------
    connections : Connections
    *arguments, **options
        Of uvicorn's protocol.
    """

    def __init__(self, *arguments: Any, connections: Connections, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._connections = connections
        self._patience: asyncio.TimerHandle | None = None
        self._rest: asyncio.TimerHandle | None = None
        self._rest_bytes = 0
        self.address = ""
        self.reserved = False

    def connection_made(self, transport: Any) -> None:
        """Begin to wait."""
        super().connection_made(transport)
        self.address = self.client[0] if self.client else ""
        if not self._connections.opened(self):
            transport.abort()
            return
        if self.reserved:
            self.app = _HealthOnly(self.app)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Stop waiting once the headers are there."""
        if self._rest is not None:
            self._rest_bytes += len(data)
            if self._rest_bytes > REST_BYTES:
                self.flow.pause_reading()
        super().data_received(data)
        self._settle()

    def on_response_complete(self) -> None:
        """Wait for the next request, or not long for the rest of a body that nobody reads."""
        super().on_response_complete()
        if self.transport.is_closing():
            return
        if self.reserved:
            self.transport.close()
            return
        self._settle()
        if self._rest is None and self.conn.their_state is h11.SEND_BODY and self.cycle.response_complete:
            self._unset_keepalive_if_required()
            self._rest_bytes = 0
            self._rest = self.loop.call_later(REST_SECONDS, self.transport.abort)

    def connection_lost(self, error: Exception | None) -> None:
        """End with the connection."""
        self._connections.closed(self)
        self._stop()
        self._stop_rest()
        super().connection_lost(error)

    def _settle(self) -> None:
        """Bring timers and counts up to date with the state of the connection."""
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop()
            self._stop_rest()
            self._connections.works(self)
        elif self.conn.their_state is not h11.SEND_BODY:
            self._stop_rest()
            self._connections.waits(self)
            if self._patience is None and self.conn.trailing_data[0]:  # the next request has begun
                self._wait()

    def _wait(self) -> None:
        self._patience = self.loop.call_later(HEADER_SECONDS, self.transport.abort)

    def _stop(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _stop_rest(self) -> None:
        if self._rest is not None:
            self._rest.cancel()
            self._rest = None


class _HealthOnly:
    """The application for a reserved connection."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] in HEALTH:
            await self._app(scope, receive, send)
            return
        body = json.dumps({"error": "too many connections at once", "reason": "busy"}).encode()
        headers = [(b"content-type", b"application/json"), (b"retry-after", b"1"), (b"connection", b"close"),
                   (b"content-length", str(len(body)).encode())]  # fmt: skip
        await send({"type": "http.response.start", "status": 503, "headers": headers})
        await send({"type": "http.response.body", "body": body})
