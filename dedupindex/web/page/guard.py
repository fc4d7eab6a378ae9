"""Access control of the review page, before anything else looks at a request.

A page on any web site can make the user's browser send requests to 127.0.0.1, under a name of its own that it lets
point there (DNS rebinding) or straight (CSRF), and any user of the machine can connect. So a request passes only if

- its ``Host`` is one of ours,
- it was not started by another site or another port (``Origin``, ``Sec-Fetch-Site``),
- it brings the token of this start: in the address that the command printed, then in a cookie, or in a header.

Changes by cookie also have to bring a second secret that only our own pages know; `app.py` asks for it.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dedupindex.web.shared.gate import SAFE, Body, add_headers, bearer_of, host_of, is_http, is_too_large, same

LARGEST_FORM = 1_000_000  # bytes of a body that is no upload
STATIC = "/static/"  # our own style and script: nothing of the user's is in them
SHUT = """<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>dedupindex</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="stylesheet" href="/static/app.css">
</head><body><main><h1>Not from here</h1><p>Open the address that <code>dedupindex serve</code> printed: it carries the
token of this start.</p></main></body></html>"""


@dataclass(frozen=True, slots=True)
class Keys:
    """The secrets of one start, and the names under which the page is known."""

    hosts: frozenset[str]  # "127.0.0.1:8000"
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    session: str = field(default_factory=lambda: secrets.token_urlsafe(32))  # what the cookie holds
    form: str = field(default_factory=lambda: secrets.token_urlsafe(32))  # what our own forms and scripts bring

    @property
    def cookie(self) -> str:
        """Name of the cookie; browsers do not tell ports apart, so the name does."""
        return f"dedupindex_{min(self.hosts).rpartition(':')[2]}"

    def is_token(self, headers: Headers) -> bool:
        """Whether a program brought the token in a header."""
        return same(bearer_of(headers) or headers.get("x-dedupindex-token", ""), self.token)

    def is_session(self, headers: Headers) -> bool:
        """Whether a browser brought the cookie."""
        try:
            cookies = SimpleCookie(headers.get("cookie", ""))
        except CookieError:
            return False
        return self.cookie in cookies and same(cookies[self.cookie].value, self.session)


class Guard:
    """ASGI middleware: lets a request pass, or answers 403 (413 when its body is too large)."""

    def __init__(self, app: ASGIApp, keys: Keys, *, uploads: Iterable[str] = (), largest: int = LARGEST_FORM) -> None:
        self._app = app
        self._keys = keys
        self._uploads = frozenset(uploads)  # paths that take a body of `largest` bytes
        self._largest = largest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or hand on."""
        if not is_http(scope):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        static = scope["path"].startswith(STATIC)
        guarded = _with_headers(send, cached=static)
        answer: Response | None = self._refused(scope, headers)
        if answer is None and not static:
            answer = self._welcome(scope)
            if answer is None and not self._keys.is_token(headers) and not self._keys.is_session(headers):
                answer = HTMLResponse(SHUT, 403)
        if answer is not None:
            await answer(scope, receive, guarded)
            return
        most = self._largest if scope["path"] in self._uploads else LARGEST_FORM
        if is_too_large(headers, most):
            await PlainTextResponse(f"more than {most:,} bytes", 413)(scope, receive, guarded)
            return
        await self._app(scope, Body(receive, most), guarded)

    def _refused(self, scope: Scope, headers: Headers) -> PlainTextResponse | None:
        host = host_of(headers)
        if host not in self._keys.hosts:
            return PlainTextResponse("this server does not answer under this name", 403)
        origins = headers.getlist("origin")
        own = f"http://{host}"
        if any(origin.lower() != own for origin in origins):
            return PlainTextResponse("requests from other origins are not answered", 403)
        site = headers.get("sec-fetch-site", "none")
        if scope["method"] in SAFE:
            # a link on another page may lead here (without our cookie, which is SameSite=Strict); nothing else may
            link = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
            if site not in ("same-origin", "none") and not link:
                return PlainTextResponse("requests from other sites are not answered", 403)
        elif site not in ("same-origin", "none"):
            return PlainTextResponse("changes from other sites are not made", 403)
        return None

    def _welcome(self, scope: Scope) -> RedirectResponse | None:
        """Turn the token in an address into a cookie, and go on to the address without it."""
        if scope["method"] != "GET":
            return None
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        tokens = [value for name, value in query if name == "token"]
        if len(tokens) != 1 or not same(tokens[0], self._keys.token):
            return None
        rest = urlencode([(name, value) for name, value in query if name != "token"])
        path = "/" + scope["path"].lstrip("/")  # never "//host"
        answer = RedirectResponse(path + (f"?{rest}" if rest else ""), 303)
        answer.set_cookie(self._keys.cookie, self._keys.session, httponly=True, samesite="strict", path="/")
        return answer


def _with_headers(send: Send, *, cached: bool) -> Send:
    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            add_headers(message, cache="no-cache" if cached else "no-store")
        await send(message)

    return guarded
