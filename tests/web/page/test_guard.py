"""Who is let in, and what may be sent."""

import re
from pathlib import Path

from dedupindex import Index
from dedupindex.web.page.guard import LARGEST_FORM, Keys
from dedupindex.web.shared.gate import hosts_for
from tests.web.clients import FORM, changes, routes, stranger
from tests.web.conftest import BASE, PORT

PACKAGE = Path(__file__).parents[3] / "dedupindex"


# ------------------------------------------------------------------------------------------------------ the door
def test_the_walk_finds_every_change_that_the_sources_declare(site):
    client, _ = site
    declared = sum(
        len(
            re.findall(r"""^@router\.(?:post|put|patch|delete)\(|methods=\["(?:POST|PUT|PATCH|DELETE)"\]""", text, re.M)
        )
        for folder in ("page", "shared")
        for text in (file.read_text() for file in (PACKAGE / "web" / folder).glob("*.py"))
    )
    assert declared >= 7
    assert len(changes(client.app)) == declared


def test_no_change_without_the_token_or_from_elsewhere(serve, own):
    client, keys = serve(own, allow_apply=True)
    before = Index.open(own, read_only=True)
    generation = before.generation
    cookie = {"cookie": f"{keys.cookie}={keys.session}"}
    bearer = {"authorization": f"Bearer {keys.token}"}
    form = {"csrf": keys.form}
    cases = {
        "no token": ({}, {}),
        "no token, but the form's secret": ({}, form),
        "wrong token": ({"authorization": "Bearer x"}, form),
        "token in the address": ({"x": "token"}, form),
        "wrong cookie": ({"cookie": f"{keys.cookie}=x"}, form),
        "cookie of another port": ({"cookie": f"dedupindex_1={keys.session}"}, form),
        "cookie without the form's secret": (cookie, {}),
        "cookie with a wrong secret": (cookie, {"csrf": "x"}),
        "cookie, the secret in the address": (cookie | {"x": "csrf"}, {}),
        "foreign origin": (cookie | {"origin": "http://evil.example"}, form),
        "foreign origin, token": (bearer | {"origin": "http://evil.example"}, form),
        "another port": (cookie | {"origin": "http://127.0.0.1:9"}, form),
        "https of ours": (cookie | {"origin": f"https://127.0.0.1:{PORT}"}, form),
        "another name of ours": (cookie | {"origin": f"http://localhost:{PORT}"}, form),
        "no origin to speak of": (cookie | {"origin": "null"}, form),
        "another site": (cookie | {"sec-fetch-site": "cross-site"}, form),
        "same site, another port": (cookie | {"sec-fetch-site": "same-site"}, form),
        "foreign host": (cookie | {"host": "evil.example"}, form),
        "foreign host, token": (bearer | {"host": "evil.example:8000"}, form),
        "host of another port": (cookie | {"host": "127.0.0.1:9"}, form),
        "host with a user": (cookie | {"host": f"127.0.0.1:{PORT}@evil.example"}, form),
    }
    out = stranger(client)
    tried = 0
    for method, path in changes(client.app):
        for name, (headers, data) in cases.items():
            sent = dict(headers)
            trick = sent.pop("x", "")
            address = path + (f"?token={keys.token}" if trick == "token" else f"?csrf={keys.form}" if trick else "")
            for body in ({"data": data}, {"json": data}):
                answer = out.request(method, address, headers=sent, **body)
                assert answer.status_code == 403, (method, path, name, answer.text)
                tried += 1
    assert tried == len(cases) * 2 * len(changes(client.app))
    assert before.generation == generation
    before.close()


def test_nothing_is_read_without_the_token_or_by_another_site(site):
    client, keys = site
    out = stranger(client)
    cookie = {"cookie": f"{keys.cookie}={keys.session}"}
    known = [path for method, path in routes(client.app) if method == "GET"]
    assert len(known) > 15
    for path in [*known, "/nowhere"]:
        assert out.get(path).status_code == 403, path
        assert out.get(f"{path}?token=x").status_code == 403
        for headers in (
            {"host": "evil.example"},
            {"origin": "http://evil.example"},
            {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"},
            {"sec-fetch-site": "same-site", "sec-fetch-mode": "cors", "sec-fetch-dest": "empty"},
            {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"},
        ):
            assert out.get(path, headers=cookie | headers).status_code == 403, (path, headers)
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    assert out.get("/", headers=link).status_code == 403  # without the cookie, which browsers do not send then
    assert out.get("/", headers=link | cookie).status_code == 200
    assert out.get("/static/app.css").status_code == 200
    assert out.get("/static/app.css", headers={"host": "evil.example"}).status_code == 403
    assert out.get("/static/../app.py").status_code == 403
    assert out.get("/static/%2e%2e/app.py").status_code == 404


def test_the_token_becomes_a_cookie(site):
    client, keys = site
    out = stranger(client)
    answer = out.get(f"/groups/abc?state=all&token={keys.token}")
    assert out.get("/").status_code == 200
    assert out.get(f"/?token={keys.token}").status_code == 303  # out of the address again
    assert answer.status_code == 303
    assert answer.headers["location"] == "/groups/abc?state=all"
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{keys.cookie}={keys.session};")
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert out.get(f"{BASE}//evil.example/?token={keys.token}").headers["location"] == "/evil.example/"
    assert keys.token not in out.get("/").text
    assert out.get("/api/info", headers={"x-dedupindex-token": keys.token}).status_code == 200
    assert out.get("/api/info", headers={"authorization": f"bearer {keys.token}"}).status_code == 200


def test_every_answer_is_locked_up(site):
    client, _ = site
    for path in ("/", "/nowhere", "/static/app.js", "/api/info", "/thumbnail/1.jpg", "/thumbnail/99999.jpg"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; ")
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert not any(name.startswith("access-control") for name in headers)
    assert client.get("/").headers["cache-control"] == "no-store"


def test_hosts():
    assert hosts_for("127.0.0.1", 1) == {"127.0.0.1:1", "localhost:1", "[::1]:1"}
    assert "[fe80::1]:1" in hosts_for("fe80::1", 1)
    assert hosts_for("0.0.0.0", 1) == hosts_for("127.0.0.1", 1)
    assert Keys(hosts_for("127.0.0.1", 1)).token != Keys(hosts_for("127.0.0.1", 1)).token


def test_bodies_have_limits(site):
    client, keys = site
    large = {"csrf": keys.form, "do": "both", "x": "x" * LARGEST_FORM}
    assert client.post("/groups/abc", data=large).status_code == 413

    def parts():
        for _ in range(4):
            yield b"x" * (LARGEST_FORM // 3)

    answer = client.post("/groups/abc", content=parts(), headers=FORM | {"x-csrf-token": keys.form})
    assert answer.status_code == 413  # without a length
    assert client.post("/groups/abc", content=b"x", headers={"content-length": "-1"}).status_code == 413
