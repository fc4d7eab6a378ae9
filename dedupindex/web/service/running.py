"""Running a replica on a port."""

from __future__ import annotations

import asyncio
import dataclasses
import math
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from dedupindex.index import Index
from dedupindex.web.service import accesslog
from dedupindex.web.service.app import create_service
from dedupindex.web.service.options import Options
from dedupindex.web.service.tokens import Tokens
from dedupindex.web.shared.gate import hosts_for
from dedupindex.web.shared.serving import is_loopback, listening, run, shown_host

HEADER_BYTES = 16_000  # of a request line with its headers
HEADER_SECONDS = 20.0  # from the first byte, or from connecting, to the last of the headers
IDLE_SECONDS = 75  # that a connection is kept for the next request: longer than proxies do, so that they end it
CONNECTIONS = 1_000


def serve_api(
    index: Index, tokens: Tokens, options: Options, *, host: str, port: int, ready: Callable[[str], None]
) -> None:
    """Serve the JSON interface until interrupted or terminated.

    Then no connection is taken any more, what is in flight is finished within `options.drain` seconds, and a search for
    duplicates ends at its next batch.

    Parameters
    ----------
    index : Index
    tokens : Tokens
    options : Options
    host, port : str, int
        Where to listen; port 0 takes a free one.
    ready : callable
        Is told the address once requests are answered.

    Raises
    ------
    OSError
        The port is taken, or the host is none of this machine's.
    """
    if options.log_json:
        accesslog.speak_json()
    with listening(host, port) as listener, index.uploads() as uploads:
        port = int(listener.getsockname()[1])
        options = dataclasses.replace(
            options,
            hosts=options.hosts | hosts_for(host, port),
            open_metrics=options.open_metrics or is_loopback(host),
        )
        run(
            create_service(index, uploads, tokens, options),
            listener,
            lambda: ready(f"http://{shown_host(host)}:{port}"),
            http=PatientProtocol,
            h11_max_incomplete_event_size=HEADER_BYTES,
            limit_concurrency=CONNECTIONS,
            timeout_keep_alive=IDLE_SECONDS,
            timeout_graceful_shutdown=math.ceil(options.drain),
            proxy_headers=False,
            log_config=None,
        )


class PatientProtocol(H11Protocol):
    """HTTP/1.1, for as long as headers keep coming: uvicorn itself waits for them for ever."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin to wait."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Stop waiting once the headers are there."""
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop()
        elif self._patience is None:
            self._wait()

    def connection_lost(self, error: Exception | None) -> None:
        """End with the connection."""
        self._stop()
        super().connection_lost(error)

    def _wait(self) -> None:
        self._patience = self.loop.call_later(HEADER_SECONDS, self.transport.abort)

    def _stop(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
