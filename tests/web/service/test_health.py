"""Health, measures and the log."""

import json
import logging
import sqlite3
import time

import pytest
from prometheus_client.parser import text_string_to_metric_families

from dedupindex.web.service.accesslog import JsonLines
from tests.pictures import half, picture
from tests.web.service.conftest import READER, WRITER, by, encoded, ingest


def measures(client):
    """Sample name and labels -> value."""
    text = by(client, READER).get("/metrics").text
    found = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation
        for sample in family.samples:
            found[sample.name, *sorted(sample.labels.items())] = sample.value
    return found


def until_ready(client):
    until = time.monotonic() + 30
    while client.get("/readyz").status_code != 200:
        assert time.monotonic() < until
        time.sleep(0.05)


def test_alive_and_ready(replica, own):
    client = replica(own)
    assert client.get("/healthz").text == "alive\n"
    loading = client.get("/readyz")  # nobody has begun to load anything
    assert (loading.status_code, loading.json()["reason"]) == (503, "loading")
    with client:
        until_ready(client)
        assert client.get("/readyz").json()["ready"] is True


def test_not_ready_without_the_catalogue(replica, own):
    client = replica(own)
    client.app.state.service.warm.set()
    assert client.get("/readyz").status_code == 200
    with sqlite3.connect(own) as raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
    raw.close()
    newer = client.get("/readyz")
    assert (newer.status_code, newer.json()["reason"]) == (503, "schema")
    assert "9999" in newer.json()["error"]
    with sqlite3.connect(own) as raw:
        raw.execute("ALTER TABLE alembic_version RENAME TO gone")
    raw.close()
    lost = client.get("/readyz")
    assert (lost.status_code, lost.json()["reason"]) == (503, "catalogue")
    assert str(own) not in lost.text
    assert client.get("/healthz").status_code == 200


def test_measures(replica, own, monkeypatch):
    from dedupindex.web.service import measures as module

    monkeypatch.setattr(module, "KEPT", 0.0)
    client = by(replica(own), WRITER)
    client.post("/api/query", files={"image": ("x.png", encoded(half(picture(1))))})
    ingest(client, encoded(picture(90)), "upload:/a.png")
    ingest(client, encoded(picture(90)), "upload:/a.png")
    ingest(client, encoded(picture(90)), "upload:/b.png")
    ingest(client, b"no picture", "upload:/c.png")
    client.get("/api/groups/none")
    client.get("/somewhere/else/entirely")
    client.get("/api/info", headers={"authorization": "Bearer x"})
    found = measures(client)

    def requests(endpoint, method, status):
        labels = ("endpoint", endpoint), ("method", method), ("status", str(status))
        return found.get(("dedupindex_requests_total", *labels))

    assert requests("/api/query", "POST", 200) == 1
    assert requests("/api/ingest", "POST", 200) == 3
    assert requests("/api/ingest", "POST", 422) == 1
    assert requests("/api/groups/{group_id}", "GET", 404) == 1
    assert requests("none", "GET", 404) == 1
    assert requests("/api/info", "GET", 401) == 1
    assert found[("dedupindex_request_seconds_count", ("endpoint", "/api/ingest"))] == 4
    assert found[("dedupindex_queries_total",)] == 1
    assert found[("dedupindex_matches_total",)] >= 2
    outcomes = {
        o: found[("dedupindex_uploads_total", ("outcome", o))] for o in ("added", "placed", "unchanged", "refused")
    }
    assert outcomes == {"added": 1, "placed": 1, "unchanged": 1, "refused": 1}
    told = client.get("/api/info").json()["info"]
    assert found[("dedupindex_images",)] == told["images"]
    assert found[("dedupindex_unsearched",)] == told["unsearched"] == 1
    assert found[("dedupindex_generation",)] == told["generation"]
    assert found[("dedupindex_vector_index_images",)] == told["images"] - told["low_information"]
    assert 0 <= found[("dedupindex_last_ingest_age_seconds",)] < 60
    assert found[("dedupindex_last_search_age_seconds",)] > 0
    assert found[("dedupindex_requests_in_flight",)] == 1
    assert found[("dedupindex_up",)] == 1


def test_measures_of_a_catalogue_that_does_not_answer(replica, own):
    client = replica(own)
    with sqlite3.connect(own) as raw:
        raw.execute("DROP TABLE meta")
    raw.close()
    found = measures(client)
    assert found[("dedupindex_up",)] == 0
    assert ("dedupindex_images",) not in found


@pytest.mark.parametrize("names", [False, True])
def test_the_log_has_no_token_and_names_only_on_request(replica, own, caplog, names):
    caplog.set_level(logging.INFO, "dedupindex")
    client = by(replica(own, log_names=names, proxy=True), WRITER)
    ingest(client, encoded(picture(91)), "upload:/private.png", name="private.png")
    forwarded = {"x-forwarded-for": "6.6.6.6, 10.1.2.3"}
    client.get("/api/report?path=upload:/private.png&after=%0Aforged", headers=forwarded)
    client.get(f"/api/info?token={WRITER}", headers={"authorization": "Bearer x"})
    lines = [JsonLines().format(record) for record in caplog.records if record.name.startswith("dedupindex.web")]
    assert len(lines) == 3
    told = [json.loads(line) for line in lines]
    assert [(line["endpoint"], line["status"], line["token"]) for line in told] == [
        ("/api/ingest", 200, "writer"),
        ("/api/report", 200, "writer"),
        ("/api/info", 401, ""),
    ]
    assert told[1]["client"] == "10.1.2.3"
    assert told[0]["received"] > 1000
    everything = "\n".join(lines)
    assert READER not in everything
    assert ("private" in everything) == names
    assert WRITER not in everything
    assert not any("\n" in line for line in lines)
    assert not any("\n" in record.getMessage() for record in caplog.records)


def test_an_address_that_a_client_claims_is_not_believed(replica, own, caplog):
    caplog.set_level(logging.INFO, "dedupindex")
    by(replica(own), READER).get("/api/info", headers={"x-forwarded-for": "6.6.6.6"})
    assert "6.6.6.6" not in "".join(JsonLines().format(record) for record in caplog.records)
