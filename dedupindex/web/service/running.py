"""Running a replica on a port."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable

from dedupindex.index import Index
from dedupindex.web.service import accesslog
from dedupindex.web.service.app import create_service
from dedupindex.web.service.connections import Connections, PatientProtocol
from dedupindex.web.service.middleware import HEADER_BYTES
from dedupindex.web.service.options import Options
from dedupindex.web.service.tokens import Tokens
from dedupindex.web.shared.gate import hosts_for
from dedupindex.web.shared.serving import is_loopback, listening, run, shown_host

IDLE_SECONDS = 75  # that a connection is kept for the next request: longer than proxies do, so that they end it


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
            http=functools.partial(PatientProtocol, connections=Connections.by_machine(proxy=options.proxy)),
            h11_max_incomplete_event_size=HEADER_BYTES,
            timeout_keep_alive=IDLE_SECONDS,
            timeout_graceful_shutdown=math.ceil(options.drain),
            proxy_headers=False,
            log_config=None,
        )
