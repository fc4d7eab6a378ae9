"""Access control of the service, before anything else looks at a request: name, token, role, limits; and its log.

There are no cookies, so no page on another site can use what a browser holds: whoever asks brings the token. The name
(``Host``) is checked all the same, because ``/metrics`` may be open. Nothing that a proxy adds is trusted, except the
address in the log, and only where the service was told of a proxy.
"""

from __future__ import annotations

import asyncio
import logging
import math
import re
import secrets
import time
from dataclasses import dataclass, field

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dedupindex.web.service import accesslog
from dedupindex.web.service.accesslog import Served
from dedupindex.web.service.limits import Buckets, Places
from dedupindex.web.service.measures import Measures
from dedupindex.web.service.options import Options
from dedupindex.web.service.tokens import Role, Token, Tokens
from dedupindex.web.shared.gate import SAFE, Body, add_headers, bearer_of, host_of, is_http, is_too_large

log = logging.getLogger(__name__)

HEALTH = ("/healthz", "/readyz")  # for whoever runs the service: no name, no token, no limits
METRICS = "/metrics"
READING = ("/api/query", "/api/match")  # paths whose POST changes nothing
UPLOADS = ("/api/query", "/api/ingest", "/api/match")
HEADER_BYTES = 16_000  # of a request line with its headers
OTHER_BODY = 64_000  # bytes of a body that is no upload
ENDPOINT_UNKNOWN = "none"  # label for paths that no route answers
_SECRET = re.compile(r"token=[^&]*", re.IGNORECASE)  # some put the token into the address, where it is not accepted


def header_bytes(scope: Scope) -> int:
    """Bytes of a request line with its headers, as they were sent."""
    line = len(scope["method"]) + len(scope.get("raw_path", b"")) + len(scope["query_string"]) + len("  HTTP/1.1\r\n")
    return line + sum(len(name) + len(value) + len(": \r\n") for name, value in scope["headers"])


class Refused(Exception):  # noqa: N818  (an answer)
    """A request that goes no further."""

    def __init__(self, status: int, reason: str, words: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(words)
        self.answer = JSONResponse({"error": words, "reason": reason}, status, headers)


@dataclass
class _Exchange:
    """One request and its answer."""

    send: Send
    request: str = field(default_factory=lambda: secrets.token_hex(8))
    status: int = 0  # 0 = no answer has begun
    sent: int = 0
    closed: bool = False  # it was answered in the application's place

    async def answer(self, message: Message) -> None:
        """Send on what the application says."""
        if not self.closed:
            await self.put(message)

    async def put(self, message: Message) -> None:
        """Send a message with our headers."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            add_headers(message)["X-Request-Id"] = self.request
        elif message["type"] == "http.response.body":
            self.sent += len(message.get("body", b""))
        await self.send(message)


class Middleware:
    """ASGI middleware."""

    def __init__(
        self, app: ASGIApp, tokens: Tokens, options: Options, measures: Measures, endpoints: frozenset[str]
    ) -> None:
        self._app, self._tokens, self._options, self._measures = app, tokens, options, measures
        self._endpoints = endpoints  # paths of routes, as those that were refused are counted
        self._buckets = Buckets(options.rate)
        self._places = Places(options.concurrent)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or hand on."""
        if not is_http(scope):
            await self._app(scope, receive, send)
            return
        began = time.monotonic()
        exchange = _Exchange(send)
        headers = Headers(scope=scope)
        most = self._options.max_upload if scope["path"] in UPLOADS else OTHER_BODY
        body = Body(receive, most, asyncio.get_running_loop().time() + self._options.timeout)
        owner: Token | None = None
        try:
            with self._measures.in_flight.track_inprogress():
                owner = self._owner(headers)
                self._check(scope, headers, owner, most)
                await self._hand_on(scope, body, exchange)
        except Refused as refused:
            await refused.answer(scope, receive, exchange.put)
        except Exception:
            log.exception("request %s failed", exchange.request)
            if exchange.status == 0:
                fault = Refused(500, "internal", "a fault of dedupindex; see the log")
                await fault.answer(scope, receive, exchange.put)
        finally:
            self._write_down(scope, headers, exchange, owner, body, time.monotonic() - began)

    def _owner(self, headers: Headers) -> Token | None:
        brought = bearer_of(headers)
        return self._tokens.owner(brought) if brought else None

    def _check(self, scope: Scope, headers: Headers, owner: Token | None, most: int) -> None:
        """Raise `Refused` where a request may not pass."""
        path, method = scope["path"], scope["method"]
        if header_bytes(scope) > HEADER_BYTES:
            raise Refused(431, "too_large", f"more than {HEADER_BYTES:,} bytes of headers")
        if is_too_large(headers, most):
            raise Refused(413, "too_large", f"more than {most:,} bytes")
        if path in HEALTH:
            return
        host = host_of(headers)
        if not host or not self._options.answers_to(host):
            raise Refused(403, "host", "this server does not answer under this name; --allow-host adds one")
        if path == METRICS and self._options.open_metrics:
            return
        if owner is None:
            challenge = {"WWW-Authenticate": 'Bearer realm="dedupindex"'}
            raise Refused(401, "token", "bring a token: Authorization: Bearer TOKEN", challenge)
        if method not in SAFE and path not in READING and not owner.allows(Role.WRITE):
            raise Refused(403, "role", "this token may read only")
        wait = self._buckets.wait(owner.name)
        if wait:
            raise Refused(429, "rate", "too many requests with this token", {"Retry-After": str(math.ceil(wait))})
        scope.setdefault("state", {})["token"] = owner

    async def _hand_on(self, scope: Scope, body: Body, exchange: _Exchange) -> None:
        """Let the application answer, within its time; work that takes longer keeps its place until it is done."""
        limited = scope["path"] not in (*HEALTH, METRICS)
        if limited and not self._places.take():
            raise Refused(503, "busy", "too many requests at once", {"Retry-After": "1"})
        try:
            work = asyncio.ensure_future(self._app(scope, body, exchange.answer))
            try:
                await asyncio.wait({work}, timeout=self._options.timeout + 0.2)  # a slow body is told first, as 408
                if not work.done() and exchange.status == 0:
                    exchange.closed = True
                    late = Refused(504, "timeout", f"no answer within {self._options.timeout:g} s")
                    await late.answer(scope, body, exchange.put)
                await work
            except asyncio.CancelledError:
                work.cancel()
                raise
        finally:
            if limited:
                self._places.leave()

    def _write_down(
        self, scope: Scope, headers: Headers, exchange: _Exchange, owner: Token | None, body: Body, seconds: float
    ) -> None:
        endpoint = getattr(scope.get("route"), "path", scope["path"])
        endpoint = endpoint if endpoint in self._endpoints else ENDPOINT_UNKNOWN
        method = scope["method"] if scope["method"] in ("GET", "HEAD", "POST") else "other"
        self._measures.requests.labels(endpoint, method, exchange.status or 500).inc()
        self._measures.seconds.labels(endpoint).observe(seconds)
        asked = scope.get("raw_path", b"").decode("ascii", "backslashreplace")  # as it came: without line breaks
        query = scope["query_string"].decode("ascii", "backslashreplace")
        asked += f"?{_SECRET.sub('token=...', query)}" if query else ""
        accesslog.note(
            Served(
                request=exchange.request,
                method=method,
                endpoint=endpoint,
                status=exchange.status or 500,
                seconds=seconds,
                received=body.bytes,
                sent=exchange.sent,
                token=owner.name if owner else "",
                client=self._client(scope, headers),
                path=asked if self._options.log_names else "",
            )
        )

    def _client(self, scope: Scope, headers: Headers) -> str:
        """Address of who asked; behind a proxy the one that the proxy itself saw, which stands last."""
        forwarded = headers.getlist("x-forwarded-for") if self._options.proxy else []
        last = forwarded[-1].rpartition(",")[2].strip() if forwarded else ""
        return last[:64] or (scope["client"][0] if scope.get("client") else "")
