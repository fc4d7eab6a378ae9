"""Messages in other languages: every one of the templates is translated, and values stand in their places."""

import ast
import string
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="needs the extra web")

from jinja2.ext import extract_from_ast

from dedupindex.web.page import language as module
from dedupindex.web.page.language import LANGUAGES, chosen_language, compiled, entries, language
from dedupindex.web.page.overview import ORDERS, PROOFS, STATES
from dedupindex.web.page.site import _environment
from dedupindex.web.page.starting import PROFILES

FOLDER = Path(module.__file__).parent


def messages():
    """(message, plural) of all templates, of `words.text` and `words.count` in the sources, and of our tables."""
    environment, found = _environment(), set()
    for file in FOLDER.glob("templates/*.j2"):
        for _, name, given in extract_from_ast(environment.parse(file.read_text("utf-8")), ("_", "_n")):
            texts = [text for text in (given if isinstance(given, tuple) else (given,)) if isinstance(text, str)]
            if texts:
                found.add((texts[0], texts[1] if name == "_n" else ""))
    for node in ast.walk(ast.parse((FOLDER / "overview.py").read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("text", "count"):
            texts = [one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
            found.add((texts[0], texts[1] if node.func.attr == "count" else ""))
    for values in (STATES, ORDERS, PROOFS, PROFILES):
        found |= {(words, "") for words in values.values()}
    for node in ast.walk(ast.parse((FOLDER / "comparing.py").read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("_row", "_times"):
            found |= {(one.value, "") for one in node.args[:1] if isinstance(one, ast.Constant)}
    for node in ast.walk(ast.parse((FOLDER / "pages.py").read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_search":
            found |= {(one.value, "") for one in node.args if isinstance(one, ast.Constant)}
    return found


def names(text):
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("code", [code for code in LANGUAGES if code != "en"])
def test_every_message_is_translated(code):
    known = {(one, many): said for one, many, said in entries((FOLDER / "locale" / f"{code}.po").read_text("utf-8"))}
    head = known.pop(("", ""))
    assert "UTF-8" in head[0]
    wanted = messages()
    assert len(wanted) > 200
    assert wanted - known.keys() == set()
    assert known.keys() - wanted == set()
    for (one, many), said in known.items():
        assert len(said) == (2 if many else 1), one
        assert all(said), one
        for text, original in zip(said, (one, many), strict=False):
            assert names(text) == names(original), one


def test_messages_and_numbers():
    german = language("de")
    assert german.text("Groups") == "Gruppen"
    assert german.text("no such message") == "no such message"
    assert german.text("Keep no. {n}", n="<3>") == "Nr. <3> behalten"
    assert german.count(1, "{n} file", "{n} files") == "1 Datei"
    assert german.count(12345, "{n} file", "{n} files") == "12.345 Dateien"
    assert language("en").count(12345, "{n} file", "{n} files") == "12,345 files"
    assert language("xx").text("Groups") == "Groups"


def test_catalogues_are_read_as_gettext_writes_them():
    text = (
        'msgid "a \\"b\\""\nmsgstr ""\n"c\\n"\n"d"\n\n#, fuzzy\nmsgid "none"\nmsgstr ""\n\n'
        'msgid "x"\nmsgid_plural "xs"\nmsgstr[0] "y"\nmsgstr[1] "ys"\n'
    )
    assert list(entries(text)) == [('a "b"', "", ["c\nd"]), ("none", "", [""]), ("x", "xs", ["y", "ys"])]
    import gettext
    import io

    read = gettext.GNUTranslations(io.BytesIO(compiled(entries(text))))
    assert read.gettext('a "b"') == "c\nd"
    assert read.gettext("none") == "none"  # not translated yet
    assert read.ngettext("x", "xs", 2) == "ys"


@pytest.mark.parametrize(
    ("cookie", "accepted", "code"),
    [
        ("", "", "en"),
        ("", "de-AT,de;q=0.9,en;q=0.8", "de"),
        ("", "fr, en;q=0.5, de;q=0.7", "de"),
        ("", "en-US,de;q=0.3", "en"),
        ("", "de;q=x, *", "en"),
        ("de", "en", "de"),
        ("../../etc", "de", "de"),
    ],
)
def test_the_language_is_chosen_by_the_reader(cookie, accepted, code):
    assert chosen_language(cookie, accepted) == code


def test_the_page_remembers_the_language(site):
    client, keys = site
    assert '<html lang="en">' in client.get("/").text
    assert '<html lang="de">' in client.get("/", headers={"accept-language": "de"}).text
    answer = client.post("/language", data={"csrf": keys.form, "code": "de", "back": "/plan"}, follow_redirects=False)
    assert answer.headers["location"] == "/plan"
    assert '<html lang="de">' in client.get("/").text
    for back in ("//evil.example/x", "https://evil.example", "\\\\evil.example"):
        form = {"csrf": keys.form, "code": "en", "back": back}
        there = client.post("/language", data=form, follow_redirects=False).headers["location"]
        assert there.startswith("/")
        assert not there.startswith(("//", "/\\"))
    assert client.post("/language", data={"csrf": keys.form, "code": "xx"}).status_code == 422
