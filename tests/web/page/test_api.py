"""The JSON interface, and the verb `serve`."""

import json
import re
import subprocess
import sys
from pathlib import Path
from urllib.request import Request, urlopen

import numpy as np
import pytest

from tests.pictures import half, picture
from tests.web.clients import group_of, png, stranger

SCRIPT = Path(sys.executable).parent / "dedupindex"


# ------------------------------------------------------------------------------------------------- for programs
@pytest.fixture
def program(site):
    client, keys = site
    out = stranger(client)
    out.headers["authorization"] = f"Bearer {keys.token}"
    return out


def test_json(program):
    info = program.get("/api/info").json()
    assert info["info"]["images"] > 5
    listed = program.get("/api/groups?limit=1&offset=1").json()
    assert (len(listed["groups"]), listed["kind"]) == (1, "groups")
    assert listed["total"] >= 4
    one = listed["groups"][0]
    assert program.get(f"/api/groups/{one['id']}").json()["group"] == one
    assert program.get("/api/groups/none").json() == {"error": "no group none"}
    assert program.get("/api/groups?relation=none").status_code == 422
    json.dumps(program.get("/api/groups?relation=crop_of").json())


def test_query_as_a_program(program):
    found = program.post("/api/query?limit=3", files={"image": ("n.png", png(half(picture(1))))}).json()
    assert found["kind"] == "query"
    names = {Path(match["image"]["locations"][0]["path"]).name for match in found["matches"]}
    assert "small1.jpg" in names
    assert all("1" in name for name in names)
    answer = program.post("/api/query", files={"image": ("n.png", b"not a picture")})
    assert answer.status_code == 422
    assert answer.json()["error"].startswith("n.png: not_an_image")
    assert "tmp" not in answer.json()["error"]
    assert program.post("/api/query").status_code == 422
    large = np.random.default_rng(1).integers(0, 256, (1200, 1200, 3), np.uint8)
    assert program.post("/api/query", files={"image": ("n.png", png(large))}).json()["matches"] == []


def test_decide_as_a_program(program):
    _, members = group_of(program, "p0.png")
    keys = [member["key"] for member in members[:2]]
    order = {"kind": "keep-both", "pictures": keys, "note": "both"}
    made = program.post("/api/decisions", json=order).json()["decisions"]
    assert [(d["kind"], d["note"], {d["a"], d["b"]}) for d in made] == [("keep-both", "both", set(keys))]
    assert program.get("/api/decisions").json()["decisions"] == made
    assert program.post("/api/decisions", json={"kind": "x", "pictures": keys}).status_code == 422
    assert program.post("/api/decisions", json={"kind": "keeper", "pictures": []}).status_code == 422
    unknown = program.post("/api/decisions", json={"kind": "keeper", "pictures": ["f" * 64]})
    assert unknown.status_code == 400
    assert "knows no picture" in unknown.json()["error"]


def test_the_document_describes_what_there_is(program):
    document = program.get("/api/openapi.json").json()
    assert document["openapi"].startswith("3.")
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert described == {
        ("GET", "/api/info"),
        ("GET", "/api/groups"),
        ("GET", "/api/groups/{group_id}"),
        ("POST", "/api/query"),
        ("GET", "/api/decisions"),
        ("POST", "/api/decisions"),
    }


# --------------------------------------------------------------------------------------------------- the command
def test_the_command(own):
    command = [SCRIPT, "-d", own, "serve", "--port", "0", "--workers", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        try:
            address = server.stdout.readline().strip()
            assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\?token=[\w-]{43}", address), address
            base, _, token = address.partition("/?token=")
            with urlopen(Request(f"{base}/api/info", headers={"Authorization": f"Bearer {token}"})) as answer:
                assert json.load(answer)["kind"] == "info"
            taken = subprocess.run(
                [SCRIPT, "-d", own, "serve", "--port", base.rpartition(":")[2]],
                capture_output=True,
                text=True,
                check=False,
                timeout=60,
            )
            assert taken.returncode == 2
            assert "cannot listen" in taken.stderr
        finally:
            server.terminate()
        assert server.wait(30) == 0
        assert "Traceback" not in server.stderr.read()


def test_the_extra_is_asked_for(monkeypatch, capsys):
    from dedupindex.cli import serve as verb
    from dedupindex.cli.options import Session
    from dedupindex.errors import SettingsError

    monkeypatch.setattr(verb, "NEEDED", ("no_such_package",))
    with pytest.raises(SettingsError, match=r"install dedupindex with its extra 'web'"):
        verb.serve(Session())
