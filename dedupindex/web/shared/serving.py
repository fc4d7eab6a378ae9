"""Running the application on a port of this machine."""

from __future__ import annotations

import errno
import ipaddress
import signal
import socket
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import uvicorn
from starlette.types import ASGIApp

_WAYS_OUT = {
    errno.EADDRINUSE: "; --port 0 takes a free one",
    errno.EACCES: "; ports below 1024 need more rights, --port 0 takes a free one",
    errno.EADDRNOTAVAIL: "; --host must be an address of this machine",
}


def run(
    app: ASGIApp,
    listener: socket.socket,
    ready: Callable[[], None],
    ending: Callable[[], None] = lambda: None,
    **options: Any,
) -> None:
    """Serve an application until interrupted or terminated; what is in flight is finished first.

    Parameters
    ----------
    app : ASGI application
    listener : socket
        From `listening`.
    ready : callable
        Is called once requests are answered.
    ending : callable
        Is called in a thread of its own once the server is told to end: streams that are open have to end too.
    **options
        Of `uvicorn.Config`.
    """
    config = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False, ws="none", **options)
    server = _Server(config, ready, ending)
    before = signal.signal(signal.SIGTERM, _interrupt)  # uvicorn passes on the signal that ended it
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:
        return
    finally:
        signal.signal(signal.SIGTERM, before)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a host."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[], None], ending: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready, self._ending = ready, ending

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        threading.Thread(target=self._ending, daemon=True).start()
        await super().shutdown(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()


def listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens; port 0 takes a free one.

    Raises
    ------
    OSError
        The port is taken, or the host is none of this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # named, or asyncio leaves Nagle on
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        words = f"cannot listen on {host} port {port}: {error.strerror or error}{_WAYS_OUT.get(error.errno or 0, '')}"
        raise OSError(error.errno, words) from error
    return listener


def shown_host(host: str) -> str:
    """Return a host as it stands in an address under which this machine reaches it."""
    if host in ("0.0.0.0", "::"):
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
