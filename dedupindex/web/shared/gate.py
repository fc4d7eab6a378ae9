"""Checks that both applications share: names of this server, sizes of bodies, headers of answers.

The review page lets in whoever has the token of its start (`page.guard`), the service whoever has a token of its file
(`service.middleware`). Both use this.
"""

from __future__ import annotations

import asyncio
import hmac
import re
from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope

SAFE = ("GET", "HEAD")
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # no-referrer would make browsers send "Origin: null" with our own forms
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_BEARER = re.compile(r"bearer +([\x21-\x7e]{1,512})", re.IGNORECASE)


def is_http(scope: Scope) -> bool:
    """Whether this is a request; False for the start and the end of the application.

    Raises
    ------
    ValueError
        It is something else, a web socket: none are served.
    """
    if scope["type"] not in ("http", "lifespan"):
        raise ValueError(f"a connection of type {scope['type']} is not served")
    return bool(scope["type"] == "http")


def hosts_for(host: str, port: int) -> frozenset[str]:
    """Names under which a server on this host and port is reached; of a wildcard address only the loopback ones."""
    wildcard = host in ("0.0.0.0", "::", "")
    own = () if wildcard else (f"[{host}]" if ":" in host else host,)
    return frozenset(f"{name.lower()}:{port}" for name in (*LOOPBACK, *own))


def host_of(headers: Headers) -> str:
    """The name that a request calls this server by, in lower case; "" where it gives none, or several."""
    hosts = headers.getlist("host")
    return hosts[0].lower() if len(hosts) == 1 else ""


def bearer_of(headers: Headers) -> str:
    """The token that a program brings as ``Authorization: Bearer TOKEN``; "" = none."""
    matched = _BEARER.fullmatch(headers.get("authorization", ""))
    return matched[1] if matched else ""


def same(given: str, wanted: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), wanted.encode())


def is_too_large(headers: Headers, most: int) -> bool:
    """Whether a request announces a body of more than *most* bytes, or of no length that can be told."""
    length = headers.get("content-length", "0")
    return not length.isdecimal() or int(length) > most


def add_headers(message: Message, *, cache: str = "no-store") -> MutableHeaders:
    """Put our headers on the start of an answer; *cache* unless the application said how long it may be kept."""
    headers = MutableHeaders(scope=message)
    for name, value in HEADERS.items():
        headers[name] = value
    headers.setdefault("Cache-Control", cache)
    return headers


class Body:
    """The body of a request, not more than so many bytes, and not later than a moment of the loop's clock, if any."""

    def __init__(self, receive: Receive, most: int, until: float | None = None) -> None:
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
