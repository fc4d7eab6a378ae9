"""Who is let in: every endpoint with no token, a wrong one, and one of each role; names; what an answer carries."""

import re
from pathlib import Path

import pytest

from dedupindex import Index
from dedupindex.web.service.options import Options
from dedupindex.web.shared.gate import HEADERS
from tests.pictures import picture
from tests.web.service.conftest import READER, WRITER, by, encoded

KEY = "0" * 64
OPEN = ("/healthz", "/readyz")
EVERY = {
    ("GET", "/healthz"): "open",
    ("GET", "/readyz"): "open",
    ("GET", "/metrics"): "read",
    ("GET", "/api/openapi.json"): "read",
    ("GET", "/api/info"): "read",
    ("GET", "/api/report"): "read",
    ("GET", "/api/groups/{group_id}"): "read",
    ("GET", "/api/images/{key}"): "read",
    ("GET", "/api/images/{key}/thumbnail.jpg"): "read",
    ("GET", "/api/failures"): "read",
    ("POST", "/api/query"): "read",
    ("POST", "/api/match"): "read",
    ("POST", "/api/ingest"): "write",
    ("POST", "/api/find"): "write",
}


def ask(client, method, path, **headers):
    path = path.replace("{key}", KEY).replace("{group_id}", "0123456789ab")
    more = {}
    if path in ("/api/query", "/api/match", "/api/ingest"):
        more = {"files": {"image": ("x.png", encoded(picture(77)))}, "data": {"place": "upload:/x.png"}}
    return client.request(method, path, headers=headers, **more)


def test_the_list_of_endpoints_is_that_of_the_sources_and_of_the_document(reader):
    folder = Path(__file__).parents[3] / "dedupindex" / "web" / "service"
    text = "\n".join(file.read_text() for file in folder.glob("*.py"))
    declared = re.findall(r"@router\.(get|post|put|patch|delete)\(\s*\"([^\"]+)\"", text)
    shared = (folder.parent / "shared" / "api.py").read_text()
    declared += [(m, path) for path, m in re.findall(r'add_api_route\("([^"]+)", \w+, methods=\["(\w+)"\]', shared)]
    found = {
        (m.upper(), path if path in ("/healthz", "/readyz", "/metrics") else f"/api{path}") for m, path in declared
    }
    assert found | {("GET", "/api/openapi.json")} == set(EVERY)
    document = reader.get("/api/openapi.json").json()
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert described == found
    assert "HTTPBearer" in document["components"]["securitySchemes"]


@pytest.mark.parametrize(("method", "path"), EVERY)
def test_the_matrix(reader, own, method, path):
    need = EVERY[method, path]
    before = Index.open(own, read_only=True)
    generation = before.generation
    del reader.headers["authorization"]
    wrong = {
        "none": {},
        "wrong": {"authorization": "Bearer wrong"},
        "empty": {"authorization": "Bearer "},
        "another kind": {"authorization": f"Basic {WRITER}"},
        "in another header": {"x-dedupindex-token": WRITER},
        "as a cookie": {"cookie": f"token={WRITER}"},
        "two in one": {"authorization": f"Bearer {WRITER} {READER}"},
    }
    for name, headers in wrong.items():
        answer = ask(reader, method, path, **headers)
        if need == "open":
            assert answer.status_code in (200, 503), name
        else:
            assert (answer.status_code, answer.json()["reason"]) == (401, "token"), name
            assert answer.headers["www-authenticate"].startswith("Bearer")
    assert ask(reader, method, f"{path}?token={WRITER}").status_code in ((200, 503) if need == "open" else (401,))
    refused = ask(reader, method, path, authorization=f"Bearer {READER}")
    if need == "write":
        assert (refused.status_code, refused.json()["reason"]) == (403, "role")
        assert before.generation == generation
    else:
        assert refused.status_code in (200, 404, 503)
    assert ask(reader, method, path, authorization=f"bearer {WRITER}").status_code in (200, 202, 404, 503)
    if need != "open":
        foreign = ask(reader, method, path, authorization=f"Bearer {WRITER}", host="evil.example")
        assert (foreign.status_code, foreign.json()["reason"]) == (403, "host")
    before.close()


def test_a_report_that_searches_needs_the_role(reader):
    assert reader.get("/api/report?find=true").status_code == 403
    assert reader.get("/api/report?find=false").status_code == 200
    assert by(reader, WRITER).get("/api/report?find=true").status_code == 200


def test_other_ways_and_other_methods(writer):
    for path in ("/", "/query", "/static/app.css", "/plan", "/api/decisions", "/api/groups", "/api/../etc/passwd"):
        answer = writer.get(path)
        assert (answer.status_code, answer.json()["reason"]) == (404, "not_found"), path
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS"):
        assert writer.request(method, "/api/info").status_code == 405
    assert writer.get("/api/info/").status_code == 404  # no redirection, which would name a host


def test_names():
    options = Options(hosts=frozenset({"a.example", "b.example:8000"}))
    for name in ("a.example", "A.example", "a.example:80", "b.example:8000"):
        assert options.answers_to(name)
    for name in ("b.example", "b.example:80", "evil.example", "", "a.example.evil", "a.example@evil:80", "[::1]"):
        assert not options.answers_to(name)
    assert Options(hosts=frozenset({"*"})).answers_to("anything")
    assert Options(hosts=frozenset({"[::1]"})).answers_to("[::1]:80")


def test_metrics_may_be_open(replica, own):
    client = replica(own, open_metrics=True)
    assert client.get("/metrics").status_code == 200
    assert client.get("/metrics", headers={"host": "evil.example"}).status_code == 403
    assert client.get("/api/info").status_code == 401


def test_what_every_answer_carries(reader):
    seen = set()
    for path in ("/healthz", "/api/info", "/api/none", "/none"):
        headers = reader.get(path).headers
        for name, value in HEADERS.items():
            assert headers[name] == value
        assert headers["cache-control"] == "no-store"
        assert "set-cookie" not in headers
        assert not any(name.startswith("access-control") for name in headers)
        seen.add(headers["x-request-id"])
    assert len(seen) == 4
