"""Replicas for a test client; they share the worker processes, which cost a second to start."""

import io

import pytest
from PIL import Image
from starlette.testclient import TestClient

from dedupindex import Index
from dedupindex.web.service.app import create_service
from dedupindex.web.service.options import Options
from dedupindex.web.service.tokens import Role, Tokens, make_token

BASE = "http://service.test"
READER, READING = make_token("reader", Role.READ)
WRITER, WRITING = make_token("writer", Role.WRITE)


@pytest.fixture
def replica(workers, monkeypatch):
    """replica(database, **options) -> a client without a token."""
    opened = []

    def start(database, **options):
        index = Index.open(database, workers=1)
        uploads = index.uploads()
        monkeypatch.setattr(uploads, "_pool", workers)
        opened.append(index)
        known = Tokens((READING, WRITING))
        app = create_service(
            index, uploads, known, Options(**{"hosts": frozenset({"service.test"}), "search_after": 0.0} | options)
        )
        return TestClient(app, base_url=BASE, raise_server_exceptions=False)

    yield start
    for index in opened:
        index.close()


@pytest.fixture
def reader(replica, own):
    return by(replica(own), READER)


@pytest.fixture
def writer(replica, own):
    return by(replica(own), WRITER)


def by(client, token):
    client.headers["authorization"] = f"Bearer {token}"
    return client


def encoded(pixels, kind="PNG", **options):
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, kind, **options)
    return data.getvalue()


def ingest(client, data, place, name="x.png", **query):
    return client.post("/api/ingest", files={"image": (name, data)}, data={"place": place}, params=query)
