"""How much may be asked: rates, sizes, requests at once, time."""

import asyncio
import io
import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedupindex.errors import SettingsError
from dedupindex.search.uploads import MOST_FRAMES, Uploads
from dedupindex.web.service.limits import Buckets
from dedupindex.web.service.middleware import OTHER_BODY
from dedupindex.web.service.options import Options, Rate, parse_rate
from dedupindex.web.shared.gate import Body
from tests.pictures import picture
from tests.web.service.conftest import READER, WRITER, by, encoded, ingest


# ---------------------------------------------------------------------------------------------------------- rates
def test_rates_are_read():
    assert parse_rate("10/s") == Rate(10, 1)
    assert parse_rate(" 600/m ") == Rate(600, 60)
    assert parse_rate("1.5/h").a_second == pytest.approx(1.5 / 3600)
    for wrong in ("", "10", "10/d", "0/s", "-1/s", "x/s", "0.5/s", "1e3/s"):
        with pytest.raises(SettingsError, match="rate"):
            parse_rate(wrong)


@given(
    st.integers(1, 8),
    st.sampled_from([0.5, 1.0, 3.0]),
    st.lists(st.tuples(st.integers(0, 20), st.sampled_from(["a", "b"])), max_size=60),
)
def test_buckets_as_an_event_by_event_account_does_it(most, period, steps):
    """The oracle fills each bucket in small steps of time."""
    now, levels = 0, {}
    buckets = Buckets(Rate(most, period), clock=lambda: now / 8)
    for ticks, name in steps:
        for _ in range(ticks):
            now += 1
            levels = {some: min(most, level + most / period / 8) for some, level in levels.items()}
        level = levels.setdefault(name, most)
        wait = buckets.wait(name)
        if abs(level - 1) < 1e-6:  # rounding decides
            levels[name] = buckets._levels[name][0]
            continue
        assert (wait == 0) == (level > 1)
        if wait:
            assert wait == pytest.approx((1 - level) / (most / period))
        else:
            levels[name] -= 1


def test_a_token_that_asks_too_often(replica, own):
    client = replica(own, rate=Rate(3, 3600.0))
    by(client, READER)
    found = [client.get("/api/failures").status_code for _ in range(5)]
    assert found == [200, 200, 200, 429, 429]
    refused = client.get("/api/failures")
    assert refused.json()["reason"] == "rate"
    assert 1100 < int(refused.headers["retry-after"]) <= 1200
    assert by(client, WRITER).get("/api/failures").status_code == 200  # has a bucket of its own
    assert client.get("/healthz").status_code == 200


# ---------------------------------------------------------------------------------------------------------- sizes
def test_large_bodies(replica, own):
    client = by(replica(own, max_upload=50_000), WRITER)
    large = {"image": ("x.png", b"x" * 60_000)}
    for path in ("/api/query", "/api/ingest"):
        answer = client.post(path, files=large, data={"place": "upload:/x"})
        assert (answer.status_code, answer.json()["reason"]) == (413, "too_large")

    def parts():
        yield b'--b\r\nContent-Disposition: form-data; name="image"; filename="x.png"\r\n\r\n'
        for _ in range(100):
            yield b"x" * 1_000

    kind = {"content-type": "multipart/form-data; boundary=b"}
    answer = client.post("/api/query", content=parts(), headers=kind)  # without a length
    assert (answer.status_code, answer.json()["reason"]) == (413, "too_large")
    assert client.post("/api/find", content=b"x" * (OTHER_BODY + 1)).status_code == 413
    assert client.post("/api/query", content=b"x", headers={"content-length": "-1"}).status_code == 413
    assert client.post("/api/query", files={"image": ("x.png", encoded(picture(1)))}).status_code in (200, 413)


# ----------------------------------------------------------------------------------------------- at once, and time
@pytest.fixture
def held(monkeypatch):
    """Uploads that are searched for wait until the event is set."""
    go, begun = threading.Event(), threading.Event()

    def matches(self, file, name, limit=10):
        begun.set()
        assert go.wait(20)
        return []

    monkeypatch.setattr(Uploads, "matches", matches)
    yield go, begun
    go.set()


def ask(client, found):
    found.append(client.post("/api/query", files={"image": ("x.png", b"x")}))


def test_more_at_once_than_there_are_places(replica, own, held):
    go, begun = held
    client = by(replica(own, concurrent=1), READER)
    with client:
        answers = []
        first = threading.Thread(target=ask, args=(client, answers))
        first.start()
        assert begun.wait(20)
        refused = client.get("/api/failures")
        assert (refused.status_code, refused.json()["reason"], refused.headers["retry-after"]) == (503, "busy", "1")
        assert client.get("/healthz").status_code == 200
        assert "dedupindex_requests_in_flight 2.0" in client.get("/metrics").text
        go.set()
        first.join(20)
        assert answers[0].status_code == 200
        assert client.get("/api/failures").status_code == 200  # the place is free again


def test_an_answer_that_takes_too_long_keeps_its_place(replica, own, held):
    go, begun = held
    client = by(replica(own, concurrent=1, timeout=0.3), READER)
    with client:
        answers = []
        first = threading.Thread(target=ask, args=(client, answers))
        first.start()
        assert begun.wait(20)
        time.sleep(0.8)
        assert client.get("/api/failures").status_code == 503
        go.set()
        first.join(20)
        assert (answers[0].status_code, answers[0].json()["reason"]) == (504, "timeout")
        assert client.get("/api/failures").status_code == 200


def test_a_body_that_comes_too_slowly():
    async def never():
        await asyncio.sleep(60)

    async def read():
        await Body(never, 100, asyncio.get_running_loop().time() + 0.05)()

    with pytest.raises(Exception, match="too slowly") as found:
        asyncio.run(read())
    assert found.value.status_code == 408


def test_options_that_mean_nothing():
    for wrong in (
        {"concurrent": 0},
        {"timeout": 0.0},
        {"timeout": float("nan")},
        {"drain": -1.0},
        {"search_after": -1},
    ):
        with pytest.raises(SettingsError, match=next(iter(wrong))):
            Options(**wrong)


def test_frames_of_an_upload_are_limited(writer):
    data = io.BytesIO()
    np.save(data, np.random.default_rng(1).integers(0, 256, (MOST_FRAMES + 1, 8, 8), np.uint8))
    answer = ingest(writer, data.getvalue(), "upload:/stack.npy")
    assert (answer.status_code, answer.json()["reason"]) == (422, "too_many_frames")


def test_headers_are_limited_in_bytes(reader):
    """Also where all of them come at once, which the HTTP parser lets pass."""
    assert reader.get("/api/failures", headers={"x-a": "b" * 15_000}).status_code == 200
    refused = reader.get("/api/failures", headers={f"x-{n}": "b" * 100 for n in range(200)})
    assert refused.status_code == 431
    assert refused.json()["reason"] == "too_large"
