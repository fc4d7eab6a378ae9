"""Replicas as processes of their own on one catalogue, over real sockets."""

import http.client
import io
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import uuid
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest

from dedupindex import Index
from dedupindex.web.service.tokens import Role, line_of, make_token
from tests.pictures import half, picture
from tests.web.service.conftest import encoded
from tests.web.service.test_searching import eventually

SCRIPT = Path(sys.executable).parent / "dedupindex"


class Replica:
    """A process, and how to ask it."""

    def __init__(self, process, token):
        self.process = process
        self.address = process.stdout.readline().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", self.address)
        self.host = self.address.removeprefix("http://")
        self.headers = {"Authorization": f"Bearer {token}"}

    def ask(self, method, path, body=None, **headers):
        connection = http.client.HTTPConnection(self.host, timeout=60)
        try:
            connection.request(method, path, body, self.headers | headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def send(self, path, data, name="x.png", **fields):
        kind, body = form(data, name, **fields)
        return self.ask("POST", path, body, **{"Content-Type": kind})

    def measure(self, name):
        with urlopen(f"{self.address}/metrics") as answer:
            [value] = re.findall(rf"^{name} (\S+)$", answer.read().decode(), re.MULTILINE)
        return float(value)

    def listens(self):
        try:
            socket.create_connection(self.address_pair, timeout=5).close()
        except ConnectionRefusedError:
            return False
        return True

    @property
    def address_pair(self):
        host, _, port = self.host.partition(":")
        return host, int(port)


def form(data, name, **fields):
    mark = uuid.uuid4().hex
    body = io.BytesIO()
    for field, value in fields.items():
        body.write(f'--{mark}\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'.encode())
    body.write(f'--{mark}\r\nContent-Disposition: form-data; name="image"; filename="{name}"\r\n\r\n'.encode())
    body.write(data + f"\r\n--{mark}--\r\n".encode())
    return f"multipart/form-data; boundary={mark}", body.getvalue()


@contextmanager
def started(folder, token, *more):
    """Start a replica on ``p.db`` of a folder; its log goes to ``log`` there."""
    command = [SCRIPT, "-d", folder / "p.db", "serve", "--api-only", "--port", "0", "--workers", "1"]
    command += ["--tokens", folder / "tokens", "--create", "--log-json", *more]
    with (
        (folder / "log").open("a") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True) as process,
    ):
        try:
            replica = Replica(process, token)
            eventually(lambda: replica.ask("GET", "/readyz")[0] == 200)
            yield replica
        finally:
            process.kill()


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Two replicas that begin with no database, and where it is."""
    folder = tmp_path_factory.mktemp("replicas")
    secret, token = make_token("tester")
    (folder / "tokens").write_text(line_of(token) + "\n")
    with (
        started(folder, secret, "--search-after", "0.2") as one,
        started(folder, secret, "--search-after", "0.2") as two,
    ):
        yield one, two, folder / "p.db"


def test_what_comes_in_through_one_is_found_by_the_other(pair):
    one, two, _ = pair
    small = encoded(half(picture(1)), "JPEG", quality=90)
    assert two.send("/api/query", small)[1]["matches"] == []
    status, made = one.send("/api/ingest", encoded(picture(1)), place="s3://b/1.png")
    assert (status, made["new"]) == (200, True)
    status, found = two.send("/api/query", small)
    assert [match["image"]["key"] for match in found["matches"]] == [made["key"]]
    two.send("/api/ingest", small, place="s3://b/1-small.jpg")
    for replica in pair[:2]:
        eventually(lambda replica=replica: replica.ask("GET", "/api/report?path=s3://b/1.png")[1]["total"] == 1)
    # the pair is there before its proof is
    eventually(lambda: one.ask("GET", "/api/report")[1]["groups"] == two.ask("GET", "/api/report")[1]["groups"])


def test_the_same_pictures_through_both_at_once(pair):
    """Every picture is one image, whoever was first, and every place is there."""
    one, two, database = pair
    answers, rounds = [], 6

    def hand_in(replica, letter):
        for number in range(rounds):
            answers.append(
                replica.send("/api/ingest", encoded(picture(20 + number)), place=f"upload:/{letter}{number}")
            )

    threads = [
        threading.Thread(target=hand_in, args=(r, x)) for r, x in ((one, "a"), (two, "b"), (one, "c"), (two, "d"))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert [status for status, _ in answers] == [200] * (4 * rounds)
    keys = {made["key"] for _, made in answers}
    assert len(keys) == rounds
    assert sum(made["new"] for _, made in answers) == rounds
    with Index.open(database, read_only=True) as index:
        known = index.images_of(keys)
        assert len(known) == rounds
        assert all(len(image.locations) == 4 for image in known.values())
        eventually(lambda: not index.info()["unsearched"])
        assert not index.check()


def test_a_flood_is_told_to_come_again(pair):
    one, _, _ = pair
    statuses = []

    def ask():
        statuses.append(one.send("/api/query", encoded(picture(1)))[0])

    threads = [threading.Thread(target=ask) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert set(statuses) <= {200, 503}
    assert statuses.count(200) >= 10


def test_a_body_that_is_too_large_is_told_so(pair):
    one, _, _ = pair
    status, told = one.ask("POST", "/api/find", b"x" * 500_000)
    assert (status, told["reason"]) == (413, "too_large")


def test_headers_have_limits(pair):
    one, _, _ = pair
    with socket.create_connection(one.address_pair, timeout=20) as raw:
        raw.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 100_000)
        assert raw.recv(1000).startswith(b"HTTP/1.1 400")


def test_what_is_in_flight_is_finished_when_it_is_told_to_end(tmp_path):
    secret, token = make_token("tester", Role.WRITE)
    (tmp_path / "tokens").write_text(line_of(token))
    with started(tmp_path, secret) as replica:
        kind, body = form(encoded(picture(1)), "x.png", place="upload:/last.png")
        with socket.create_connection(replica.address_pair, timeout=30) as raw:
            head = f"POST /api/ingest HTTP/1.1\r\nHost: {replica.host}\r\nAuthorization: Bearer {secret}\r\n"
            raw.sendall(f"{head}Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body[:1000])
            eventually(lambda: replica.measure("dedupindex_requests_in_flight") == 2)  # the question itself is one
            replica.process.send_signal(signal.SIGTERM)
            eventually(lambda: not replica.listens())
            raw.sendall(body[1000:])
            answer = b""
            while some := raw.recv(65536):
                answer += some
            assert answer.startswith(b"HTTP/1.1 200"), answer[:300]
        assert replica.process.wait(30) == 0
    said = (tmp_path / "log").read_text()
    lines = [json.loads(line) for line in said.splitlines()]
    assert any(line.get("endpoint") == "/api/ingest" and line["status"] == 200 for line in lines)
    assert secret not in said
    assert "last.png" not in said
    with Index.open(tmp_path / "p.db", read_only=True) as index:
        assert index.image_at("upload:/last.png") is not None
    assert not (tmp_path / "p.db-wal").exists()  # the database was closed
