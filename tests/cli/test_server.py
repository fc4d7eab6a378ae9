"""The command line on a PostgreSQL server."""

import json
import os

import pytest

from tests.pictures import make_tree

AWAY = "postgresql://me:hush@127.0.0.1:1/none"


@pytest.mark.parametrize("verb", [["report"], ["ingest", "."], ["upgrade"], ["check"]])
def test_a_server_that_is_away_is_one_line(run, tmp_path, verb):
    pytest.importorskip("psycopg")
    done = run("-d", AWAY, *verb, cwd=tmp_path, code=2)
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "127.0.0.1:1/none" in done.stderr
    assert "hush" not in done.stderr


def test_a_doctor_comes_to_a_server_that_is_away(run, tmp_path):
    pytest.importorskip("psycopg")
    done = run("-d", AWAY, "doctor", "--json", cwd=tmp_path, code=1)
    [problem] = [finding for finding in json.loads(done.stdout)["findings"] if finding["level"] == "problem"]
    assert problem["topic"] == "database"
    assert "hush" not in done.stdout


@pytest.fixture
def ask(server, run, tmp_path):
    """Run a verb on an empty database of a server."""
    place = server.empty()

    def on_server(*arguments, code=None):
        env = {name: os.environ[name] for name in ("DEDUPINDEX_CACHE", "XDG_STATE_HOME")}
        return run("-d", place, *arguments, cwd=tmp_path, env=env, code=code)

    return on_server


@pytest.mark.postgres
def test_every_day(ask, run, tmp_path):
    pictures = make_tree(tmp_path / "pictures")
    assert "empty database" in ask("report", code=2).stderr
    ask("scan", pictures, "--pairs", "server.csv", code=1)  # one picture is broken
    run("-d", "file.db", "scan", pictures, "--pairs", "file.csv", cwd=tmp_path, code=1)
    ours, theirs = (sorted((tmp_path / f"{name}.csv").read_text().splitlines()) for name in ("server", "file"))
    assert ours == theirs
    assert len(ours) > 3
    assert "0 read" in ask("ingest", pictures).stdout + ask("ingest", pictures).stderr
    found = json.loads(ask("info", "--json", code=0).stdout)
    assert (found["images"], found["path"].startswith("postgresql://")) == (9, True)
    assert "same1.png" in ask("query", pictures / "copies" / "small1.jpg", code=0).stdout
    assert "all is well" in ask("check", "--deep", code=0).stdout
    ask("decide", "keep-both", pictures / "copies" / "same0.png", pictures / "copies" / "small0.jpg", code=0)
    ask("plan", "--output", "plan.json", code=0)
    assert "nothing to do" in ask("upgrade", code=0).stdout
    ask("rebuild", code=0)
    assert "forgotten" in ask("forget", pictures, code=0).stdout


@pytest.mark.postgres
def test_what_is_for_files_says_what_to_use(ask, tmp_path):
    ask("ingest", tmp_path, code=0)
    assert "pg_dump" in ask("backup", "b.db", code=2).stderr
    assert "pg_restore" in ask("restore", "b.db", code=2).stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.postgres
def test_a_doctor_on_a_server(ask, tmp_path):
    ask("ingest", tmp_path, code=0)
    findings = json.loads(ask("doctor", "--json").stdout)["findings"]
    topics = {finding["topic"]: finding for finding in findings}
    assert {"server", "round trip", "connections", "database", "writer", "search"} <= set(topics)
    assert topics["server"]["state"].startswith("PostgreSQL")
    assert "0 images" in topics["database"]["state"]
