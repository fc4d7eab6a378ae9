"""One evening in a real browser: from an empty start over scan, filter, bulk, keys and zoom to apply and undo."""

import os
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

BUSY = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))  # a machine that has more to do answers later
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


def write_library(folder):
    """Eleven files in five groups."""
    for number in range(4):
        save(folder / "summer" / f"p{number}.png", picture(number, 300, 400))
        save(folder / "exports" / f"p{number}.jpg", picture(number, 300, 400), quality=92)
    (folder / "exports" / "same.png").write_bytes((folder / "summer" / "p0.png").read_bytes())
    write_large_pair(folder)
    return folder


def scan_from_the_start(page):
    """Choose the folder, and scan it."""
    assert "Welcome" in page.locator("h1").inner_text()
    page.locator(".folders .into").click()
    page.locator("#choose").click()
    page.locator("#begin li", has_text="pictures").wait_for()
    page.locator("#start").click()
    page.locator("#progress[data-running='']").wait_for(timeout=300_000)
    assert page.locator("#phase").inner_text() == "Done"
    assert page.locator("#described").inner_text() == "11"
    page.locator("#to-groups").click()
    assert page.locator(".card").count() == 5


def look_at_the_large_pair(page):
    """Pixel by pixel."""
    go_to(page, "/?name=large&state=all")
    page.locator("a.group").click()
    settled(page)
    zoom_to_every_pixel(page)
    assert "1 changed place" in page.locator("#told").inner_text()
    assert colours(page, "canvas-right")[3] > 100


def collect_and_apply(page, folder, out):
    """Put the pair that is shown and all the others into the plan, carry it out, and take it back."""
    page.keyboard.press("p")
    page.locator(".badge.mark").wait_for()
    go_to(page, f"/?state=all&folder={folder}")
    assert page.locator(".card").count() == 5
    page.locator("#all").check()
    page.get_by_role("button", name="Put into the plan").click()
    with page.expect_navigation():
        page.locator("#said").get_by_role("button", name="Put into the plan").click()
    page.locator(".top a[href='/plan']").click()
    page.locator("select[name=action]").select_option("move")
    page.locator("input[name=to]").fill(str(out))
    page.wait_for_url(re.compile("%2Fout(&|$)"))
    page.locator("#result:not(.stale) #apply").wait_for()
    apply_and_take_back(page, folder)


def answer_times(page, address, paths):
    """Milliseconds from the request to the end of the answer of some pages."""
    for path in paths:
        go_to(page, path)
        took = page.evaluate(
            "() => { const [t] = performance.getEntriesByType('navigation'); return t.responseEnd - t.requestStart; }"
        )
        yield path, took


def accept_all(page, number):
    """Accept the suggestion of all groups that match, after it was said what that means."""
    page.locator("#all").check()
    page.get_by_role("button", name="Accept the suggestion").click()
    page.locator("#said h1", has_text=f"Accept the suggestion of {number} group").wait_for()
    with page.expect_navigation():
        page.locator("#said").get_by_role("button", name="Accept").click()


def decide_by_keys(page, times):
    """Press keys as fast as the next group comes; return how many decisions that were a minute."""
    began = time.monotonic()
    for number in range(times):
        with page.expect_navigation(wait_until="domcontentloaded"):
            page.keyboard.press(("Enter", "b", "n", "s")[number % 4])
        page.locator("#decide").wait_for()
    return times * 60 / (time.monotonic() - began)


def test_from_an_empty_start_to_an_undone_plan(browser, tmp_path):
    folder = write_library(tmp_path / "pictures")
    with served(tmp_path / "p.db", "--allow-root", str(folder)) as address, looked_at(browser, address) as page:
        scan_from_the_start(page)

        # filter, and accept all that match
        page.locator("#find").fill("p")
        page.locator("#find").press("Enter")
        page.wait_for_url("**name=p**")
        page.locator("[name=proof]").select_option("proven")
        page.wait_for_url("**proof=proven**")
        found = page.locator(".card").count()
        assert 1 <= found <= 4
        accept_all(page, found)

        look_at_the_large_pair(page)
        collect_and_apply(page, folder, tmp_path / "out")


@pytest.mark.slow
def test_a_whole_evening(browser, tmp_path):
    """From an empty start over a scan, 5,000 groups, filters, bulk, keys and zoom to a plan that is taken back.

    The scan is of a few files. The 5,000 groups are written into the database behind the page, which has to see them.
    """
    folder = write_library(tmp_path / "pictures")
    database = tmp_path / "p.db"
    with served(database, "--allow-root", str(folder)) as address, looked_at(browser, address) as page:
        scan_from_the_start(page)

        # many more come
        fill(database, 5000, looks=4)
        page.wait_for_timeout(500)
        page.reload()
        page.locator("h1", has_text="5,005 groups").wait_for()

        # filter, and accept a thousand
        page.locator("[name=relation]").select_option("tone")
        page.wait_for_url("**relation=tone**")
        assert "1,000 groups" in page.locator("h1").inner_text()
        accept_all(page, "1,000")
        assert "1,000 of 5,005 done" in page.locator(".progress").inner_text()

        # decide twenty by keys
        go_to(page, "/?name=picture")
        page.locator("a.group").first.click()
        a_minute = decide_by_keys(page, 20)
        assert a_minute > 20  # a hundred groups in five minutes
        assert "1,015 of 5,005 done, 5 skipped" in page.locator(".progress").inner_text()
        last = page.url.removeprefix(address.split("/?")[0])
        for path, took in answer_times(page, address, ("/", "/?order=freed&name=picture", last)):
            assert took < 200 * BUSY, path

        look_at_the_large_pair(page)
        collect_and_apply(page, folder, tmp_path / "out")

        # and the decisions too
        go_to(page, "/")
        for _ in range(15):
            with page.expect_navigation():
                page.keyboard.press("u")
        assert "1,000 of 5,005 done" in page.locator(".progress").inner_text()
    with Index.open(database, read_only=True) as index:
        assert [one.kind for one in index.decisions()] == ["keeper"] * 1000
