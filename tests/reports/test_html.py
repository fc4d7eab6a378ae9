import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from dedupindex.records import Registration, Relation
from dedupindex.reports.html import report_html
from dedupindex.reports.page_environment import outline_of
from tests.reports.samples import hostile_report, image, pair, report

DOT = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="
VOID = {"meta", "img", "br", "link", "rect", "polygon", "input"}


class Page(HTMLParser):
    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(data.decode())
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def hostile():
    return Page(report_html(hostile_report(), lambda image: DOT, title="<b>&"))


def test_names_are_text_and_nothing_runs(hostile):
    assert hostile.all("script") == []
    assert hostile.all("b") == []
    assert "<img src=x onerror=alert(1)>" in hostile.text
    assert "\x1b" not in hostile.text
    for _, attributes in hostile.tags:
        assert not any(name.startswith("on") or name == "style" for name in attributes)
    for picture in hostile.all("img"):
        assert picture["src"].startswith("data:")
        assert picture["alt"]
        assert picture["loading"] == "lazy"


def test_the_policy_allows_our_style_and_nothing_else(hostile):
    [policy] = [meta["content"] for meta in hostile.all("meta") if meta.get("http-equiv")]
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    page = report_html(report([]), lambda image: None).decode()
    [style] = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in page


def test_structure(hostile):
    assert hostile.all("html") == [{"lang": "en"}]
    assert len(hostile.all("h1")) == 1
    assert all(cell["scope"] == "col" for cell in hostile.all("th"))
    assert all(svg["role"] == "img" and svg["aria-label"] for svg in hostile.all("svg"))
    identities = [attributes["id"] for _, attributes in hostile.tags if "id" in attributes]
    assert len(identities) == len(set(identities))


def test_relations_in_words_and_missing_pictures():
    a, b = image(1, "/a.png", width=400, height=200), image(2, "/b.png")
    found = report([pair(a, b, Relation.CROP_OF, crop_of="a", crop_box=(0, 0, 124, 400))])
    page = Page(report_html(found, lambda image: None))
    assert "cropped: this shows 62 % of no. 1" in page.text
    assert "cropped: no. 2 shows 62 % of no. 1" in page.text
    assert page.text.count("no picture") == 2
    assert page.all("img") == []


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


def test_a_member_is_laid_over_the_first():
    asked = []

    def overlay(first, other):
        asked.append((first.id, other))
        return DOT, DOT + "#moved", DOT + "#difference"

    found = hostile_report()
    page = Page(report_html(found, lambda image: DOT, overlay=overlay))
    laid = [tag for tag in page.all("details") if tag.get("class") == "laid"]
    assert len(laid) == len(asked) > 0
    for first, asked_pair in asked:
        assert first in (asked_pair.a.id, asked_pair.b.id)
    assert {group.members[0].image.id for group in found.groups} >= {first for first, _ in asked}
    sources = [picture["src"] for picture in page.all("img")]
    assert sources.count(DOT + "#moved") == sources.count(DOT + "#difference") == len(laid)
    nothing = Page(report_html(found, lambda image: DOT, overlay=lambda first, pair: None))
    assert not [tag for tag in nothing.all("details") if tag.get("class") == "laid"]
