"""The page of a report in a real browser: what its script does. Skipped where Playwright or a Chromium is missing."""

import base64

import cv2
import numpy as np
import pytest

from dedupindex.records import Outcome, Proof, Region, Registration, Relation
from dedupindex.reports.html import report_html
from tests.reports.samples import hostile_report, image, pair, report

MANY = 120  # groups, of two of the 255 pictures that samples.py can tell apart


def uri(colour, height, width):
    pixels = np.full((height, width, 3), colour, np.uint8)
    return "data:image/png;base64," + base64.b64encode(cv2.imencode(".png", pixels)[1].tobytes()).decode()


@pytest.fixture
def shown(browser, tmp_path):
    """Open the page of a report; what goes wrong in it fails the test."""
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    wrong = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text))

    def show(made, thumbnail=lambda one: uri((40, one.id % 256, 90), 10, 20)):
        (tmp_path / "p.html").write_bytes(report_html(made, thumbnail))
        page.goto((tmp_path / "p.html").as_uri())
        return page

    yield show
    page.close()
    assert wrong == []


@pytest.fixture(scope="module")
def many():
    pairs = []
    for n in range(MANY):
        a = image(2 * n + 1, f"/folder {n % 3}/{n}a.png", width=300)
        b = image(2 * n + 2, f"/other/{n}b.png")
        pairs.append(pair(a, b, Relation.TONE if n % 4 else Relation.RESIZED, score=0.5 + n / 400))
    return report(pairs)


def test_a_page_holds_some_groups_and_their_details_only_when_opened(shown, many):
    page = shown(many)
    groups = page.locator("details.group")
    assert groups.count() == 50
    assert page.locator("nav.pages span").first.inner_text() == "page 1 of 3"
    assert page.locator("ul.members").count() == 0
    assert page.evaluate("document.documentElement.scrollHeight") < 6000
    groups.first.locator("summary").click()
    groups.first.locator("li").first.wait_for(state="attached")  # filled in after the click
    assert groups.first.locator("li").count() == 2
    page.wait_for_function("document.querySelector('.members img').naturalWidth === 20")
    page.locator("nav.pages button[data-turn='1']").first.click()
    page.locator("nav.pages button[data-turn='1']").first.click()
    assert groups.count() == MANY - 100
    assert page.locator("nav.pages button[data-turn='1']").first.is_disabled()
    page.select_option("#page-size", "0")
    assert groups.count() == MANY


def test_filters_and_order(shown, many):
    page = shown(many)
    said = page.locator("#shown")
    page.select_option("#relation", "resized")
    assert said.inner_text() == f"30 of {MANY} groups"
    page.fill("#folder", "DER 1")
    assert said.inner_text() == f"10 of {MANY} groups"
    page.select_option("#relation", "")
    assert said.inner_text() == f"40 of {MANY} groups"
    page.fill("#folder", "nowhere")
    assert said.inner_text() == f"0 of {MANY} groups"
    page.fill("#folder", "")
    page.select_option("#order", "score")
    scores = page.evaluate("[...document.querySelectorAll('details.group')].map((g) => Number(g.dataset.score))")
    assert scores == sorted((round(0.5 + n / 400, 4) for n in range(MANY)), reverse=True)[:50]


def test_an_address_opens_its_group(shown, many, tmp_path):
    page = shown(many)
    last = many.groups[-1].id
    page.fill("#folder", "nowhere")
    page.evaluate(f"location.hash = 'group-{last}'")
    page.wait_for_selector(f"#group-{last}[open] ul.members")


def test_two_pictures_lie_on_one_another_as_the_registration_says(shown):
    """A white picture of which the second, black one shows the lower right quarter, at half the size."""
    a, b = image(1, "/a.png", width=200, height=100), image(2, "/b.png", width=50, height=25)
    matrix = ((2.0, 0.0, 100.5), (0.0, 2.0, 50.5))  # of pixel centres
    region = Region((60, 120, 20, 40), (0, 0, 1, 1), 0.1, 0.2)
    proof = Proof(Outcome.EDITED, compared=1.0, regions=(region,))
    found = pair(a, b, Relation.CROP_OF, Relation.EDITED, proof=proof, registration=Registration((0, 0), matrix=matrix))
    page = shown(report([found]), lambda one: uri((0, 0, 0) if one.id == 2 else (255, 255, 255), 25, 50))
    page.locator("li:nth-child(2) button.picture").click()
    under, over, mark = (page.locator(f"#stage {name}").bounding_box() for name in ("#under", "#over", ".changed"))
    scale = under["width"] / 200
    assert over["x"] - under["x"] == pytest.approx(100 * scale, abs=0.5)
    assert over["y"] - under["y"] == pytest.approx(50 * scale, abs=0.5)
    assert (over["width"], over["height"]) == pytest.approx((100 * scale, 50 * scale), abs=0.5)
    assert (mark["x"] - under["x"], mark["width"]) == pytest.approx((120 * scale, 40 * scale), abs=0.5)
    page.check("#difference")
    page.wait_for_timeout(100)
    seen = cv2.imdecode(np.frombuffer(page.locator("#stage").screenshot(), np.uint8), cv2.IMREAD_COLOR)
    assert seen[20, 20].min() > 250  # white against nothing
    assert seen[-20, -20].min() > 250  # white against black: all the difference there can be
    page.locator("#previous").click()
    assert page.locator("#lightbox-title").inner_text() == "no. 1: /a.png"
    assert not page.locator("#over").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#lightbox").is_visible()


def test_hostile_names_are_shown_and_nothing_of_them_runs(shown):
    page = shown(hostile_report())
    page.locator("button[data-open='1']").click()
    assert "<img src=x onerror=alert(1)>.png" in page.locator("main").inner_text()
    assert page.locator("img[src='x']").count() == 0


@pytest.mark.parametrize("pairs", [[], [Proof(Outcome.ALTERNATE, changed=0.2)]])
def test_without_groups(shown, pairs):
    made = report([pair(image(1, "/a.png"), image(2, "/b.png"), proof=proof) for proof in pairs])
    page = shown(made)
    assert "No duplicates." in page.locator("main").inner_text()
    assert not page.locator("#filters").is_visible()
    for series in page.locator("section details.group").all():
        series.locator("summary").click()
        series.locator("li").first.wait_for(state="attached")
        assert series.locator("li").count() == 2
