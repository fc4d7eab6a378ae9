"""Connections that wait, and bodies that nobody reads: neither keeps others from being answered."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import uvicorn

from dedupindex.web.service import connections as module
from dedupindex.web.service import limits
from dedupindex.web.service.connections import RESERVED, Connections, PatientProtocol
from dedupindex.web.service.middleware import HEADER_BYTES, header_bytes

GET = b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n"


async def plain(scope, receive, send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@asynccontextmanager
async def served(app, known: Connections):
    """The port of a server with these limits."""
    config = uvicorn.Config(app, lifespan="off", log_config=None, ws="none")
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)

    def protocol() -> PatientProtocol:
        return PatientProtocol(config=config, server_state=server.server_state, app_state={}, connections=known)

    listener = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()
        for one in list(server.server_state.connections):
            one.transport.abort()


def run(app, known: Connections, work: Callable[[int], Awaitable[None]]) -> None:
    async def main() -> None:
        async with served(app, known) as port:
            await asyncio.wait_for(work(port), 20)

    asyncio.run(main())


async def status(reader) -> int:
    return int((await reader.readuntil(b"\r\n\r\n")).split()[1])


async def asked(port: int, path: bytes = b"/healthz") -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(GET % path)
    try:
        return await status(reader)
    finally:
        writer.close()


async def ended(reader) -> bool:
    """Whether a connection is closed soon."""
    try:
        return await asyncio.wait_for(reader.read(1), 5) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize(("most", "each"), [(6, 6), (100, 6)])
def test_silent_connections_give_way_to_new_ones(most, each):
    known = Connections(most, each)

    async def work(port):
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(40)]
        assert await asked(port, b"/api/info") == 200
        assert len(known._open) <= 6
        assert all([await ended(reader) for reader, _ in silent[:30]])
        for _, writer in silent:
            writer.close()

    run(plain, known, work)
    assert not known._open
    assert not known._addresses


def test_health_is_told_while_all_connections_work():
    """Where requests hold every connection, some are taken for the health alone, and no more than these."""
    known = Connections(3, 3)

    async def work(port):
        release = asyncio.Event()

        async def slow(scope, receive, send):
            if scope["path"] == "/slow":
                await release.wait()
            await plain(scope, receive, send)

        async with served(slow, known) as port:
            busy = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
            for _, writer in busy:
                writer.write(GET % b"/slow")
            while known._waiting or len(known._open) < 3:
                await asyncio.sleep(0.01)
            for _ in range(2 * RESERVED):  # each leaves its place
                assert await asked(port) == 200
                assert await asked(port, b"/api/info") == 503
            silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(RESERVED)]
            while len(known._reserved) < RESERVED:
                await asyncio.sleep(0.01)
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            assert await ended(reader)
            writer.close()
            release.set()
            assert [await status(reader) for reader, _ in busy] == [200] * 3
            for _, writer in (*busy, *silent):
                writer.close()

    asyncio.run(asyncio.wait_for(work(0), 20))


def test_slow_headers_are_not_waited_for(monkeypatch):
    monkeypatch.setattr(module, "HEADER_SECONDS", 0.2)

    async def slow(scope, receive, send):
        await asyncio.sleep(0.4)  # an answer may take longer than headers
        await plain(scope, receive, send)

    async def work(port):
        loop = asyncio.get_running_loop()
        assert await asked(port) == 200
        for begun in (b"", b"GET / HTTP/1.1\r\nHo"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(begun)
            began = loop.time()
            assert await ended(reader)
            assert 0.1 < loop.time() - began < 5
            writer.close()

    run(slow, Connections(9, 9), work)


@pytest.mark.parametrize("size", [10, 10 << 20])
def test_a_body_after_an_early_answer_is_cut_off(monkeypatch, size):
    monkeypatch.setattr(module, "REST_SECONDS", 0.3)

    async def work(port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n")
        assert await status(reader) == 200
        assert await reader.readexactly(2) == b"ok"
        began = asyncio.get_running_loop().time()
        writer.write(b"x" * size)
        assert await ended(reader)
        assert asyncio.get_running_loop().time() - began < 5
        writer.close()

    run(plain, Connections(9, 9), work)


def test_a_connection_is_kept_where_the_rest_of_a_body_comes_soon():
    async def work(port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(2):
            writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n")
            assert await status(reader) == 200
            assert await reader.readexactly(2) == b"ok"
            writer.write(b"body")
        writer.write(GET % b"/")
        assert await status(reader) == 200
        writer.close()

    known = Connections(9, 9)
    run(plain, known, work)
    assert not known._waiting


def test_connections_follow_the_descriptors(monkeypatch):
    for allowed, most in ((1024, 824), (100, module.FEWEST), (10**6, module.CONNECTIONS)):
        monkeypatch.setattr(module, "descriptors", lambda allowed=allowed: allowed)
        assert Connections.by_machine(proxy=True)._most == most
        assert Connections.by_machine(proxy=True)._each == most
        assert Connections.by_machine(proxy=False)._each == most // module.SHARE
    assert limits.descriptors() > 0


def test_headers_are_counted_in_bytes():
    scope = {"method": "GET", "raw_path": b"/a", "query_string": b"", "headers": [(b"host", b"x"), (b"a", b"b" * 10)]}
    sent = b"GET /a HTTP/1.1\r\nhost: x\r\na: " + b"b" * 10 + b"\r\n"
    assert header_bytes(scope) == len(sent)
    assert header_bytes(scope | {"headers": [(b"a", b"b")] * 10_000}) > HEADER_BYTES
