"""Tokens: how they are written down, read, compared and changed."""

import hashlib

import pytest

from dedupindex.errors import SettingsError
from dedupindex.web.service import tokens as module
from dedupindex.web.service.tokens import Role, Tokens, line_of, make_token, parse_tokens


def test_a_fresh_token_is_known_by_its_line():
    secret, token = make_token("ci", Role.READ)
    assert token.sha256 == hashlib.sha256(secret.encode()).hexdigest()
    assert secret not in line_of(token)
    assert parse_tokens(line_of(token), "x") == (token,)
    assert Tokens((token,)).owner(secret) == token
    assert len({make_token("ci")[0] for _ in range(50)}) == 50
    for name in ("", "a b", "-x", "x" * 65, "a\n"):
        with pytest.raises(SettingsError, match="name"):
            make_token(name)


def test_what_is_no_token_belongs_to_nobody():
    secret, token = make_token("ci")
    known = Tokens((token, make_token("other")[1]))
    for given in ("", "x", secret[:-1], secret + "x", secret.upper(), token.sha256, "\udcff", "é"):
        assert known.owner(given) is None


def test_roles():
    _, reading = make_token("r", Role.READ)
    _, writing = make_token("w", Role.WRITE)
    assert [reading.allows(Role.READ), reading.allows(Role.WRITE)] == [True, False]
    assert [writing.allows(Role.READ), writing.allows(Role.WRITE)] == [True, True]


def test_lines():
    (_, one), (_, two) = make_token("one", Role.READ), make_token("two")
    text = f"# people\n\n  {line_of(one)}  # until May\r\n{line_of(two).upper().replace('TWO WRITE', 'two write')}\n"
    assert parse_tokens(text, "x") == (one, two)
    assert parse_tokens(f"{line_of(one)};{line_of(two)}", "x") == (one, two)
    secret = make_token("x")[0]
    for wrong, words in {
        "": "no token",
        "# nothing": "no token",
        f"one read {secret}": "line 1 has no SHA-256",
        f"{line_of(one)}\none admin {two.sha256}": "line 2 is not",
        f"{secret}": "line 1 is not",
        f"{line_of(one)}\nother write {one.sha256}": "twice",
    }.items():
        with pytest.raises(SettingsError, match=words) as found:
            parse_tokens(wrong, "tokens.txt")
        assert str(found.value).startswith("tokens.txt: ")
        assert secret not in str(found.value)


def test_where_they_come_from(tmp_path, monkeypatch):
    secret, token = make_token("one")
    monkeypatch.delenv(module.VARIABLE, raising=False)
    assert Tokens.load(None) is None
    monkeypatch.setenv(module.VARIABLE, line_of(token))
    assert Tokens.load(None).owner(secret) == token
    with pytest.raises(SettingsError, match=r"none\.txt: No such file"):
        Tokens.load(tmp_path / "none.txt")
    (tmp_path / "bytes.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="is no text"):
        Tokens.load(tmp_path / "bytes.txt")


def test_they_are_changed_while_a_replica_runs(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(module, "LOOK_AGAIN", 0.0)
    file = tmp_path / "tokens"
    (old, first), (new, second) = make_token("one"), make_token("two")
    file.write_text(line_of(first))
    known = Tokens.load(file)
    assert known.owner(old)
    assert not known.owner(new)
    file.write_text(f"{line_of(first)}\n{line_of(second)}\n")
    assert known.owner(old)
    assert known.owner(new)
    file.write_text("half a li")  # being written
    assert known.owner(old)
    assert "stay as they were" in caplog.text
    file.unlink()
    assert not known.owner(new)
    assert "is gone" in caplog.text
    file.write_text(line_of(second) + "\n")
    assert not known.owner(old)
    assert known.owner(new)
