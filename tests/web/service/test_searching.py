"""The search in the background."""

import time

import pytest

from dedupindex import Index
from dedupindex.errors import DedupIndexError, StoreError
from dedupindex.web.service import searching
from dedupindex.web.service.measures import Measures
from dedupindex.web.service.searching import Searcher
from tests.pictures import half, picture
from tests.web.service.conftest import WRITER, by, encoded, ingest
from tests.web.service.test_health import until_ready


def eventually(check):
    until = time.monotonic() + 30
    while not check():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_what_was_handed_in_stands_in_the_report_by_and_by(replica, own):
    client = by(replica(own, search_after=0.2), WRITER)
    with client:
        until_ready(client)
        made = ingest(client, encoded(half(picture(4)), "JPEG"), "upload:/small4.jpg").json()

        def reported():
            groups = client.get("/api/report?path=upload:/small4.jpg").json()["groups"]
            return any(member["key"] == made["key"] for group in groups for member in group["members"])

        eventually(reported)
        assert client.get("/api/info").json()["info"]["unsearched"] == 0


def test_what_another_one_left_is_searched_for_at_the_start(replica, own):
    client = by(replica(own), WRITER)
    ingest(client, encoded(half(picture(4)), "JPEG"), "upload:/small4.jpg")
    other = by(replica(own, search_after=0.05), WRITER)
    with other:
        eventually(lambda: other.get("/api/info").json()["info"]["unsearched"] == 0)


@pytest.fixture
def searcher(own):
    with Index.open(own, workers=1) as index:
        made = Searcher(index, Measures(index), 0.01)
        yield made, index
        made.stop()


def test_a_search_that_fails_is_tried_again(searcher, monkeypatch, caplog):
    made, index = searcher
    tried = []

    def find_duplicates(progress=None):
        tried.append(1)
        raise StoreError("full disk") if len(tried) < 2 else RuntimeError("a fault")

    monkeypatch.setattr(searching, "LOOK_AGAIN", 0.02)
    monkeypatch.setattr(index, "info", lambda: {"unsearched": 1})
    monkeypatch.setattr(index, "find_duplicates", find_duplicates)
    made.start()
    eventually(lambda: len(tried) > 3)
    assert "full disk" in caplog.text
    assert "a fault" in caplog.text


def test_a_search_leaves_when_the_service_ends(searcher, monkeypatch):
    made, index = searcher
    steps = []

    def find_duplicates(progress):
        progress.start(None, "x")
        while True:
            steps.append(1)
            progress.advance(1)
            time.sleep(0.01)

    monkeypatch.setattr(index, "info", lambda: {"unsearched": 1})
    monkeypatch.setattr(index, "find_duplicates", find_duplicates)
    made.start()
    made.soon()
    eventually(lambda: steps)
    began = time.monotonic()
    made.stop()
    assert time.monotonic() - began < 5
    assert not made._thread.is_alive()
    with pytest.raises(DedupIndexError, match="the service ends"):
        made.now()


def test_without_a_delay_nothing_is_searched_for_by_itself(own, monkeypatch):
    with Index.open(own, workers=1) as index:
        made = Searcher(index, Measures(index), 0.0)
        begun = []
        monkeypatch.setattr(made, "now", lambda: begun.append(1))
        made.start()
        made.tell()
        time.sleep(0.2)
        assert not begun
        made.soon()
        eventually(lambda: begun)
        made.stop()
