"""Messages in other languages: every one of the templates is translated, and values stand in their places."""

import ast
import re
import string
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="needs the extra web")

from jinja2.ext import extract_from_ast

from dedupindex.groups.ranking import RULES
from dedupindex.records.plans import CHOSEN
from dedupindex.reports.phrases import PHRASES, RANK_RULES, Phrases
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
    return found | {(phrase, "") for phrase in PHRASES if not any(one == phrase and many for one, many in found)}


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


PACKAGE = FOLDER.parents[1]
MARK = "\x01"
SPOKEN = {  # functions and tables whose sentences the page shows
    "reports/wording.py": (
        "proof_words", "places_words", "largest_words", "companions_words", "_resized", "_cropped", "_shifted",
        "_rotated", "_mirrored", "_edited", "_plain", "_PHRASES", "rank_words", "FLAGS", "MEANING",
    ),
    "reports/plans.py": ("target_warning", "WHY", "_ACTIONS"),
    "groups/ranking.py": ("RULES", "_made_words", "DECIDED_WORDS"),
    "actions/planning.py": ("_look", "_BOTH", "_plan_surplus", "_nodes"),
    "actions/plan_evidence.py": ("doubt_of",),
    "actions/chosen_alternates.py": ("BECAUSE",),
    "web/page/review.py": ("_STACK_WORDS", "_words"),
    "web/page/comparing.py": ("_depth", "_compression", "_fields"),
}  # fmt: skip
INSIDE = {  # parts of sentences, names and formats; what they stand in is a sentence of the catalogue
    "place", "places", "counter-clockwise", "clockwise", "representative", "leads", "behind", "grey", "colour",
    "to the trash", "to be moved", "to become hard links", "to become symbolic links", "to be deleted",
    "cannot be read", "with ",
}  # fmt: skip


def as_text(node):
    """A text with a mark in every place that it fills in."""
    parts = [node] if isinstance(node, ast.Constant) else node.values
    return "".join(part.value if isinstance(part, ast.Constant) else MARK for part in parts)


def sentences(file, names):
    """The texts of some functions and tables."""
    for node in ast.walk(ast.parse((PACKAGE / file).read_text("utf-8"))):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        called = getattr(node, "name", "") or next((one.id for one in targets if isinstance(one, ast.Name)), "")
        if called not in names or not isinstance(node, ast.FunctionDef | ast.Assign | ast.AnnAssign):
            continue
        inner = {id(part) for one in ast.walk(node) if isinstance(one, ast.JoinedStr) for part in ast.walk(one)}
        inner |= {id(one.value) for one in ast.walk(node) if isinstance(one, ast.Expr)}  # docstrings
        notes = [one.annotation for one in ast.walk(node) if getattr(one, "annotation", None) is not None]
        inner |= {id(part) for note in notes for part in ast.walk(note)}
        for one in ast.walk(node):
            if isinstance(one, ast.JoinedStr) or (
                isinstance(one, ast.Constant) and isinstance(one.value, str) and id(one) not in inner
            ):
                yield as_text(one)


def known_to_the_catalogue(text):
    """Whether a sentence of the catalogue is this text, with anything in its places."""
    wanted = re.escape(text.strip()).replace(MARK, ".+?")
    return any(re.fullmatch(wanted, phrase) or phrase.endswith(text) for phrase in PHRASES)


@pytest.mark.parametrize("file", SPOKEN)
def test_what_reports_say_is_known_to_the_catalogue(file):
    texts = {text for text in sentences(file, SPOKEN[file]) if re.search("[a-z]{3}", text.replace(MARK, ""))}
    assert texts
    for text in texts - INSIDE:
        assert known_to_the_catalogue(text), text


def test_how_a_picture_was_made_is_known_to_the_catalogue():
    tree = ast.parse((PACKAGE / "groups" / "provenance.py").read_text("utf-8"))
    texts = {as_text(node) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)} | {
        node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    said = [text for text in texts if re.match(r"(it|its|noise|JPEG steps|less fine) [^\n]+[^.:]$", text)]
    assert len(said) >= 12
    for text in said:
        assert known_to_the_catalogue(text) or any(phrase.startswith(text.rstrip(" (")) for phrase in PHRASES), text


@pytest.mark.parametrize(
    ("english", "german"),
    [
        ("crop of, rotated", "Ausschnitt, gedreht"),
        ("resized: no. 2 at 50 % of the size of no. 1", "andere Größe: Nr. 2 gegen Nr. 1: 50 %"),
        ("cropped: this shows a part of no. 1", "zugeschnitten: dieses gegen Nr. 1: ein Teil"),
        ("edited: 1,234 places, 0.5 % of the area", "bearbeitet: 1.234 Stellen, 0,5 % der Fläche"),
        ("proven, largest difference 3 of 255", "nachgewiesen, größter Unterschied 3 von 255"),
        (
            "behind by more-pixels: 2.00 times the resolution (80 x 60 against 40 x 30) (a judgement call)",
            "steht dahinter durch mehr Pixel: 2,00-fache Auflösung (80 x 60 gegen 40 x 30) (Ermessenssache)",
        ),
        ("with a.xmp (edits), a.mov (video)", "mit a.xmp (Bearbeitung), a.mov (Video)"),
        ("  (gone)", "  (weg)"),
        ("12.5 MB", "12,5 MB"),
        ("/home/a.png", "/home/a.png"),
        ("", ""),
    ],
)
def test_sentences_of_reports_are_said_with_their_parts(english, german):
    assert language("de").say(english) == german
    assert language("en").say(english) == english


def test_every_rule_has_a_name():
    assert {*RULES, CHOSEN} == set(RANK_RULES)


def test_a_long_text_is_left_alone():
    text = "resized: " + "x" * 10_000
    assert Phrases(str.upper).say(text) == text


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
