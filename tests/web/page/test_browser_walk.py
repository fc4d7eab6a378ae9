"""One evening in a real browser: from an empty start over scan, filter, bulk, keys and zoom to apply and undo."""

import re
import time

import cv2
import numpy as np
import pytest

from dedupindex import Index
from dedupindex.cli.sample_pictures import landscape
from tests.pictures import picture, save
from tests.web.filling import fill
from tests.web.page.conftest import colours, looked_at, served, settled

LARGE = (4000, 3000)  # width, height: 12 megapixels


def write_large_pair(folder):
    """A photograph of 12 megapixels with fine grain, and a retouched JPEG of it."""
    pixels = cv2.resize(landscape(7), LARGE, interpolation=cv2.INTER_CUBIC).astype(np.int16)
    grain = np.random.default_rng(1).integers(-12, 13, pixels.shape[:2])[..., None]
    pixels = np.clip(pixels + grain, 0, 255).astype(np.uint8)
    save(folder / "large.jpg", pixels, quality=95)
    cv2.circle(pixels, (2600, 1400), 40, (200, 40, 40), -1)
    save(folder / "large retouched.jpg", pixels, quality=90)


def go_to(page, path):
    page.goto("/".join(page.url.split("/")[:3]) + path)


def zoom_to_every_pixel(page):
    """Look at the pair at 100 %: what the canvas shows are the pixels of the file."""
    page.locator("#canvas-left").dblclick(position={"x": 200, "y": 150})
    page.wait_for_function("() => document.getElementById('stage').dataset.scale === '1'")
    settled(page)
    assert page.locator("#scale").inner_text() == "100 %"
    box = page.locator("#canvas-left").bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 60, box["y"] + 80, steps=4)
    page.mouse.up()
    settled(page)
    contrast = page.evaluate(
        """() => { const c = document.getElementById('canvas-left');
        const copy = Object.assign(document.createElement('canvas'), { width: c.width, height: c.height });
        const context = copy.getContext('2d', { willReadFrequently: true });
        context.drawImage(c, 0, 0);
        const d = context.getImageData(0, 0, c.width, c.height).data;
        let sum = 0;
        for (let i = 4; i < d.length; i += 4) sum += Math.abs(d[i + 1] - d[i - 3]);
        return 4 * sum / d.length; }"""
    )
    assert contrast > 5  # the grain from pixel to pixel, which no smaller picture has


def apply_and_take_back(page, folder):
    """Carry out the plan that is shown, look at the result, and take it back."""
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    page.once("dialog", lambda dialog: dialog.accept())
    page.locator("#apply").click()
    page.wait_for_url("**/plan/applied/*")
    assert page.locator("h1").inner_text() == "Done"
    assert len({path for path in folder.rglob("*") if path.is_file()}) < len(before)
    page.get_by_role("button", name="Take it back").first.click()
    page.locator("h1", has_text="Taken back").wait_for()
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_from_an_empty_start_to_an_undone_plan(browser, tmp_path):
    folder = tmp_path / "pictures"
    for number in range(4):
        save(folder / "summer" / f"p{number}.png", picture(number, 300, 400))
        save(folder / "exports" / f"p{number}.jpg", picture(number, 300, 400), quality=92)
    (folder / "exports" / "same.png").write_bytes((folder / "summer" / "p0.png").read_bytes())
    write_large_pair(folder)
    database = tmp_path / "p.db"
    with served(database, "--allow-root", str(folder)) as address, looked_at(browser, address) as page:
        # choose the folder, and scan it
        assert "Welcome" in page.locator("h1").inner_text()
        page.locator(".folders .into").click()
        page.locator("#choose").click()
        page.locator("#begin li", has_text="pictures").wait_for()
        page.locator("#start").click()
        page.locator("#progress[data-running='']").wait_for(timeout=120_000)
        assert page.locator("#phase").inner_text() == "Done"
        assert page.locator("#described").inner_text() == "11"
        page.locator("#to-groups").click()
        assert page.locator(".card").count() == 5

        # filter, and accept all that match
        page.locator("#find").fill("p")
        page.locator("#find").press("Enter")
        page.wait_for_url("**name=p**")
        page.locator("[name=proof]").select_option("proven")
        page.wait_for_url("**proof=proven**")
        found = page.locator(".card").count()
        assert 1 <= found <= 4
        page.locator("#all").check()
        page.get_by_role("button", name="Accept the suggestion").click()
        page.locator("#said h1", has_text=f"{found} group").wait_for()
        with page.expect_navigation():
            page.locator("#said").get_by_role("button", name="Accept").click()

        # the large pair, pixel by pixel
        go_to(page, "/?name=large&state=all")
        page.locator("a.group").click()
        settled(page)
        zoom_to_every_pixel(page)
        assert "1 changed place" in page.locator("#told").inner_text()
        assert colours(page, "canvas-right")[3] > 100

        # into the plan, and carry it out
        page.keyboard.press("p")
        page.locator(".badge.mark").wait_for()
        go_to(page, "/?state=all")
        page.locator("#all").check()
        page.get_by_role("button", name="Put into the plan").click()
        with page.expect_navigation():
            page.locator("#said").get_by_role("button", name="Put into the plan").click()
        page.locator(".top a[href='/plan']").click()
        page.locator("select[name=action]").select_option("move")
        page.locator("input[name=to]").fill(str(tmp_path / "out"))
        page.wait_for_url(re.compile("%2Fout(&|$)"))
        page.locator("#result:not(.stale) #apply").wait_for()
        apply_and_take_back(page, folder)


@pytest.mark.slow
def test_an_evening_with_five_thousand_groups(browser, tmp_path):
    """Bulk accept a thousand, decide twenty by keyboard; every page within the time that it may take."""
    database = tmp_path / "p.db"
    fill(database, 5000, looks=4)
    with served(database) as address, looked_at(browser, address) as page:
        assert "5,000 groups" in page.locator("h1").inner_text()
        page.locator("[name=relation]").select_option("tone")
        page.wait_for_url("**relation=tone**")
        assert "1,000 groups" in page.locator("h1").inner_text()
        page.locator("#all").check()
        page.get_by_role("button", name="Accept the suggestion").click()
        page.locator("#said h1", has_text="Accept the suggestion of 1,000 groups").wait_for()
        with page.expect_navigation():
            page.locator("#said").get_by_role("button", name="Accept").click()
        assert "1,000 of 5,000 done" in page.locator(".progress").inner_text()
        go_to(page, "/")
        page.locator("a.group").first.click()
        began = time.monotonic()
        for number in range(20):
            with page.expect_navigation(wait_until="domcontentloaded"):
                page.keyboard.press(("Enter", "b", "n", "s")[number % 4])
            page.locator("#decide").wait_for()
        a_minute = 20 * 60 / (time.monotonic() - began)
        assert "1,015 of 5,000 done, 5 skipped" in page.locator(".progress").inner_text()
        assert a_minute > 20  # a hundred groups in five minutes
        for path in ("/", "/?order=freed&name=picture", page.url.removeprefix(address.split("/?")[0])):
            go_to(page, path)
            took = page.evaluate(
                "() => { const [t] = performance.getEntriesByType('navigation');"
                " return t.responseEnd - t.requestStart; }"
            )
            assert took < 200, (path, took)
    with Index.open(database, read_only=True) as index:
        kinds = [one.kind for one in index.decisions()]
    assert kinds.count("keeper") == 1005
    assert re.search("keep-both", " ".join(kinds))
