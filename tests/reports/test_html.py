import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from dedupindex.records import Outcome, Proof, Registration, Relation
from dedupindex.reports.html import TEMPLATES, report_html
from dedupindex.reports.page_environment import outline_of
from dedupindex.reports.summary import ReportSummary
from tests.reports.samples import hostile_report, image, pair, report

DOT = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="
EDITED = Proof(Outcome.EDITED, compared=1.0)
VOID = {"meta", "img", "br", "link", "rect", "polygon", "input"}


class Page(HTMLParser):
    """A page with what its script makes of it: the details of every group, which it holds as text until then."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.text = ""
        self.scripts: dict[str, list[str]] = {}
        self.open: list[str] = []
        self.feed(data.decode())
        for body in self.scripts.get("text/html", ()):
            self.feed(body)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.setdefault(dict(attrs).get("type", ""), []).append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            kind = self.tags[-1][1].get("type", "")
            self.scripts[kind][-1] += data
        else:
            self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def digest(text):
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@pytest.fixture(scope="module")
def hostile():
    return Page(report_html(hostile_report(), lambda image: DOT, title="<b>&"))


def test_names_are_text_and_only_our_script_runs(hostile):
    assert set(hostile.scripts) == {"", "text/html", "text/plain", "application/json"}
    assert hostile.scripts[""] == [(TEMPLATES / "report.js").read_text()]
    assert hostile.scripts["text/plain"] == [DOT]  # stored once, however many show it
    assert hostile.all("b") == []
    assert "<img src=x onerror=alert(1)>" in hostile.text
    assert "\x1b" not in hostile.text
    for _, attributes in hostile.tags:
        assert not any(name.startswith("on") or name == "style" for name in attributes)
    shown = [picture for picture in hostile.all("img") if "id" not in picture]
    assert {picture["data-picture"] for picture in shown} == {"0"}
    assert all("src" not in picture for picture in shown)


def test_a_folder_cannot_end_the_script_that_names_it():
    odd = image(1, "/</script><script>alert(1)</script>/a.png", "/b/a.png")
    page = Page(report_html(report([], [odd]), lambda image: None))
    assert len(page.scripts[""]) == 1
    [names] = page.scripts["application/json"]
    assert json.loads(names) == ["/</script><script>alert(1)</script>", "/b"]


def test_what_is_no_picture_is_left_out():
    found = report([pair(image(1, "/a.png"), image(2, "/b.png"), Relation.TONE)])
    for wrong in ("https://example.org/x.png", DOT + "</script><b>", "javascript:alert(1)"):
        page = Page(report_html(found, lambda image, uri=wrong: uri))
        assert "text/plain" not in page.scripts
        assert page.text.count("no picture") == 2


def test_the_policy_allows_our_style_and_script_and_nothing_else(hostile):
    [policy] = [meta["content"] for meta in hostile.all("meta") if meta.get("http-equiv")]
    [style] = re.findall(r"<style>(.*?)</style>", report_html(report([]), lambda image: None).decode(), re.DOTALL)
    assert policy == (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest(style)}'; "
        f"script-src 'sha256-{digest(hostile.scripts[''][0])}'; base-uri 'none'; form-action 'none'"
    )


def test_structure(hostile):
    assert hostile.all("html") == [{"lang": "en"}]
    assert len(hostile.all("h1")) == 1
    assert all(cell["scope"] == "col" for cell in hostile.all("th"))
    assert all(svg["role"] == "img" and svg["aria-label"] for svg in hostile.all("svg"))
    identities = [attributes["id"] for _, attributes in hostile.tags if "id" in attributes]
    assert len(identities) == len(set(identities))


def test_relations_in_words_and_missing_pictures():
    a, b = image(1, "/a.png", width=400, height=200), image(2, "/b.png")
    c = image(3, "/c.png")
    cropped = pair(a, b, Relation.CROP_OF, crop_of="a", crop_box=(0, 0, 124, 400))
    page = Page(report_html(report([cropped]), lambda image: None))
    assert "cropped: this shows 62 % of no. 1" in page.text
    assert "score 0.9000, shift (0, 0) px" in page.text
    assert page.text.count("no picture") == 2
    assert [picture for picture in page.all("img") if "id" not in picture] == []
    page = Page(report_html(report([cropped, pair(a, c, Relation.TONE)]), lambda image: None))
    assert "cropped: no. 3 shows 62 % of no. 1" in page.text


def test_an_empty_report():
    assert "No duplicates." in Page(report_html(report([]), lambda image: None)).text


def test_where_one_lies_on_the_other():
    a, b = image(1, "/a.png", width=400, height=200), image(2, "/b.png", width=200, height=100)
    matrix = ((1.0, 0.0, 30.0), (0.0, 1.0, 20.0))
    plain = outline_of(pair(a, b, Relation.CROP_OF, registration=Registration((0, 0), matrix=matrix)))
    assert plain.points == "30.0,20.0 230.0,20.0 230.0,120.0 30.0,120.0"
    doubled = ((2.0, 0.0, 0.5), (0.0, 2.0, 0.5))  # pixel centres: twice the size has no shift
    assert outline_of(pair(a, b, Relation.RESIZED, registration=Registration((0, 0), matrix=doubled))).points == (
        "0.0,0.0 400.0,0.0 400.0,200.0 0.0,200.0"
    )


def test_what_the_index_filters_and_sorts_by():
    a, b = image(1, "/x/a.png", "/y/a.png", width=400), image(2, "/y/b.png")
    c, d = image(3, "/z/c.png", width=400), image(4, "/z/d.png")
    found = report([pair(a, b, Relation.TONE, Relation.RESIZED), pair(c, d, Relation.EDITED, score=0.7, proof=EDITED)])
    page = Page(report_html(found, lambda image: None))
    assert json.loads(page.scripts["application/json"][0]) == ["/x", "/y", "/z"]
    rows = {row["id"]: row for row in page.all("details") if "id" in row}
    first, second = (rows[f"group-{group.id}"] for group in found.groups)
    assert (first["data-relations"], first["data-folders"], first["data-files"]) == (
        "tone resized same_bytes",
        "0 1",
        "3",
    )
    assert (first["data-bytes"], first["data-score"], first["data-date"]) == ("2000", "0.9", "0")
    assert (second["data-relations"], second["data-folders"], second["data-bytes"]) == ("edited", "2", "0")
    assert [o["value"] for o in page.all("option") if "value" in o][:5] == [
        "",
        "tone",
        "resized",
        "same_bytes",
        "edited",
    ]
    assert "Could be freed, at most: 1.0 kB in 1 file with the same bytes" in page.text


def test_a_picture_is_asked_for_once():
    asked = []

    def thumbnail(one):
        asked.append(one.id)
        return f"{DOT[:-1]}{one.id}"

    found = hostile_report()
    page = Page(report_html(found, thumbnail))
    assert sorted(asked) == sorted({member.image.id for group in found.groups for member in group.members})
    assert len(page.scripts["text/plain"]) == len(asked)


def test_pictures_beyond_the_limit_are_left_out(monkeypatch):
    monkeypatch.setattr("dedupindex.reports.html.MOST_CHARACTERS", 3 * len(DOT))
    page = Page(report_html(hostile_report(), lambda one: f"{DOT}{one.id}"))
    assert len(page.scripts["text/plain"]) == 3
    assert "no picture" in page.text


def test_where_groups_were_left_off_all_are_counted():
    found = hostile_report()
    page = Page(
        report_html(replace(found, groups=found.groups[:1]), lambda image: None, summary=ReportSummary.of(found))
    )
    assert "2 groups with 10 of" in " ".join(page.text.split())
    assert "The first 1 group." in page.text
