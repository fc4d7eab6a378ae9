"""The flags of `serve` that belong to the service."""

import subprocess
import sys
from pathlib import Path

import pytest

from dedupindex.cli import serve as verb
from dedupindex.cli.options import Session
from dedupindex.errors import SettingsError
from dedupindex.web.service.tokens import parse_tokens

SCRIPT = Path(sys.executable).parent / "dedupindex"


def test_a_token_is_made(capsys):
    assert verb.serve(Session(), make_token="alice", role="read") == 0
    said = capsys.readouterr()
    [token] = parse_tokens(said.out, "stdout")
    assert (token.name, token.role) == ("alice", "read")
    secret = said.err.rpartition(" ")[2].strip()
    assert secret not in said.out
    assert len(secret) == 43
    with pytest.raises(SettingsError, match="role"):
        verb.serve(Session(), make_token="alice", role="admin")


@pytest.mark.parametrize(
    "options",
    [
        {"create": True},
        {"tokens": Path("x")},
        {"rate": "5/s"},
        {"allow_host": ["x"]},
        {"open_metrics": True},
        {"api_only": True, "allow_apply": True},
        {"api_only": True, "open_browser": True},
        {"api_only": True, "rate": "fast"},
        {"api_only": True, "timeout": 0.0},
        {"api_only": True, "tokens": Path("/nonexistent/tokens")},
    ],
)
def test_options_that_do_not_go_together(options):
    with pytest.raises(SettingsError):
        verb.serve(Session("/nonexistent/p.db"), **options)


def test_the_extra_is_asked_for(monkeypatch):
    monkeypatch.setattr(verb, "SERVICE_NEEDED", ("no_such_package",))
    with pytest.raises(SettingsError, match=r"the service needs .* install dedupindex with its extra 'web'"):
        verb.serve(Session("/nonexistent/p.db"), api_only=True)
    with pytest.raises(SettingsError, match="rate"):
        verb.serve(Session("/nonexistent/p.db"), rate="fast")  # the page does not need it


def test_a_token_of_the_start_is_printed_where_there_is_no_other(tmp_path, monkeypatch):
    monkeypatch.delenv("DEDUPINDEX_TOKENS", raising=False)
    command = [SCRIPT, "-d", tmp_path / "p.db", "serve", "--api-only", "--create", "--port", "0", "--workers", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            address, header = process.stdout.readline().strip(), process.stdout.readline().strip()
            asked = subprocess.run(
                [sys.executable, "-c", ASK, f"{address}/api/info", header], capture_output=True, text=True, check=True
            )
            assert '"kind":"info"' in asked.stdout
        finally:
            process.terminate()
        assert process.wait(30) == 0
        assert process.stderr.read() == ""


ASK = """
import sys
from urllib.request import Request, urlopen
name, _, value = sys.argv[2].partition(": ")
print(urlopen(Request(sys.argv[1], headers={name: value})).read().decode())
"""
