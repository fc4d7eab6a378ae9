"""A reviewer at work in a real browser. Skipped where Playwright or a Chromium is missing."""

import re

import pytest
from PIL import Image

from dedupindex import Index
from tests.pictures import half, picture
from tests.web.page.conftest import colours, fits, looked_at, served, settled

both = pytest.mark.parametrize("look", [("wide", "light"), ("phone", "dark")], ids="-".join)


def pictures_are_there(page, selector):
    page.wait_for_function(
        "s => [...document.querySelectorAll(s)].filter(i => i.checkVisibility() && i.loading !== 'lazy')"
        ".every(i => i.complete && i.naturalWidth > 0)",
        arg=selector,
    )


def place(page):
    return re.sub(r"\s", "", page.locator(".steps .place").inner_text())


def open_group(page, name, address):
    page.goto(f"{address.split('?')[0]}?state=all&name={name}")
    page.locator("a.group").first.click()
    page.wait_for_selector("#decide")


@both
def test_a_review(page, own):
    assert "token" not in page.url
    groups = page.locator("a.group").count()
    assert groups >= 4
    assert fits(page)
    pictures_are_there(page, ".group img")
    page.locator("a.group").first.click()
    assert place(page) == f"1of{groups}"
    assert fits(page)
    first = page.url

    # through the groups and back
    page.keyboard.press("j")
    page.wait_for_url(lambda url: url != first)
    assert place(page) == f"2of{groups}"
    page.keyboard.press("ArrowLeft")
    page.wait_for_url(first)

    # keep no. 1, and the next group comes; undo brings the first one back
    page.keyboard.press("1")
    page.wait_for_url(lambda url: url != first)
    assert "no. 1 is the one to keep" in page.locator(".undo").text_content()
    assert place(page) == f"1of{groups - 1}"
    assert f"1 of {groups} done" in page.locator(".progress").inner_text()
    page.keyboard.press("u")
    page.wait_for_url(first)
    assert place(page) == f"1of{groups}"
    with page.expect_navigation():
        page.keyboard.press("s")  # later
    assert f"0 of {groups} done, 1 skipped" in page.locator(".progress").inner_text()
    for key in "b", "n", "Enter":
        with page.expect_navigation():
            page.keyboard.press(key)
        assert "/groups/" in page.url
        page.wait_for_load_state()
    with Index.open(own, read_only=True) as index:
        assert {some.kind for some in index.decisions()} == {"not-duplicate", "keep-both", "keeper"}

    # help
    page.keyboard.press("?")
    assert page.locator("#help").is_visible()
    page.keyboard.press("b")  # decides nothing while the help is open
    page.keyboard.press("Escape")
    assert not page.locator("#help").is_visible()
    with Index.open(own, read_only=True) as index:
        assert len({some.kind for some in index.decisions()}) == 3

    # decisions
    page.locator(".more summary").click()
    page.get_by_role("link", name="Decisions").click()
    forget = page.get_by_role("button", name="Forget")
    before = forget.count()
    forget.first.click()
    page.wait_for_function("n => document.querySelectorAll('table form').length === n", arg=before - 1)
    assert fits(page)


@both
def test_two_pictures_beside_one_another(page, address):
    open_group(page, "p0", address)
    for shown in ("#canvas-left", "#canvas-right", ".suggested", ".differs tbody tr"):
        box = page.locator(shown).first.bounding_box()
        assert box["y"] + box["height"] <= page.viewport_size["height"], shown  # above the fold
    settled(page)
    one, other = colours(page), colours(page, "canvas-right")
    assert one[3] > 30  # a picture, not one tone
    assert max(abs(a - b) for a, b in zip(one[:3], other[:3], strict=True)) < 12

    # the views
    for mode, shown in (("swipe", 1), ("blink", 1), ("difference", 1), ("outline", 1), ("side", 2)):
        page.keyboard.press("v")
        assert page.locator("#stage").get_attribute("data-mode") == mode
        assert page.locator(".view canvas:visible").count() == shown
        settled(page)
        if mode == "difference":
            page.locator("#gain").fill("1")
            page.wait_for_timeout(100)
            assert max(colours(page)[:3]) < 60  # nearly equal
            words = page.locator("#told").inner_text()
            largest = int(re.search(r"largest difference (\d+) of 255", words)[1])
            assert 0 <= largest < 128
            before = colours(page)[0]
            page.locator("#gain").fill("32")
            page.wait_for_timeout(100)
            assert colours(page)[0] > before
        if mode == "blink":
            page.wait_for_function("() => document.getElementById('stage').dataset.blinked === '1'")
    page.keyboard.press("v")
    page.reload()
    assert page.locator("#stage").get_attribute("data-mode") == "swipe"  # it stays

    # size
    page.keyboard.press("z")
    page.wait_for_function("() => document.getElementById('stage').dataset.scale === '1'")
    assert page.locator("#scale").inner_text() == "100 %"
    page.keyboard.press("+")
    page.wait_for_function("() => document.getElementById('stage').dataset.scale === '1.5'")
    page.locator("[data-zoom=full]").click()
    page.wait_for_function("() => document.getElementById('stage').dataset.scale === '1'")
    page.keyboard.press("z")
    page.wait_for_function("() => document.getElementById('stage').dataset.scale !== '1'")
    assert fits(page)


def test_any_two_of_three(browser, tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.fromarray(picture(1)).save(folder / "a.png")
    Image.fromarray(picture(1)).save(folder / "b.bmp")
    Image.fromarray(half(picture(1))).save(folder / "c.png")
    with Index.open(tmp_path / "p.db", create=True, workers=1) as index:
        index.ingest([folder])
        index.find_duplicates()
    with served(tmp_path / "p.db") as address, looked_at(browser, address) as page:
        page.locator("a.group").click()
        assert page.locator(".member").count() == 3
        page.keyboard.press("l")
        page.wait_for_url("**with=3**")
        settled(page)
        page.get_by_role("link", name="Show no. 2 on the left").click()
        page.wait_for_url("**left=2**")
        settled(page)
        assert page.locator(".differs thead th").nth(1).inner_text() == "No. 2"
        assert page.locator(".differs thead th").nth(2).inner_text() == "No. 3"


def test_a_query(page, tmp_path, address, scanned):
    page.get_by_role("link", name="Search").click()
    assert fits(page)
    Image.fromarray(half(picture(0))).save(tmp_path / "asked <b>.png")
    page.set_input_files("#picture", tmp_path / "asked <b>.png")  # searches at once
    page.wait_for_url("**/query/*")
    assert "asked <b>.png" in page.locator("h1").inner_text()
    assert page.locator("li.member").count() >= 3
    page.locator(".laid summary").first.click()
    pictures_are_there(page, ".member img")
    assert fits(page)

    # dropped, and pasted
    for way, kind, data in (("drop", "DragEvent", "dataTransfer"), ("paste", "ClipboardEvent", "clipboardData")):
        page.get_by_role("link", name="Search for another picture").click()
        page.wait_for_selector("#picture", state="attached")  # else it is given to the page before
        page.evaluate(
            """async ([way, kind, data]) => {
              const picture = await (await fetch(document.querySelector('link[rel=icon]').href)).blob();
              const canvas = Object.assign(document.createElement('canvas'), { width: 160, height: 120 });
              const context = canvas.getContext('2d');
              for (let x = 0; x < 160; x += 8) {
                context.fillStyle = `hsl(${x * 3} 80% 50%)`;
                context.fillRect(x, x / 2, 30, 50);
              }
              const blob = await new Promise(done => canvas.toBlob(done));
              const held = new DataTransfer();
              held.items.add(new File([blob], `${way}.png`, { type: 'image/png' }));
              document.dispatchEvent(new globalThis[kind](way, { [data]: held, bubbles: true, cancelable: true }));
            }""",
            [way, kind, data],
        )
        page.wait_for_url("**/query/*")
        assert f"{way}.png" in page.locator("h1").inner_text()

    # by its place in the index
    page.goto(address.split("?")[0] + "query")
    page.locator("[name=place]").fill(str(scanned / "pictures" / "p0.png"))
    page.get_by_role("button", name="Search").last.click()
    page.wait_for_url("**/query/*")
    assert page.locator("li.member .path", has_text="small0.jpg").count() == 1
    assert page.locator("li.member").count() == 2  # the picture itself is no answer


@both
def test_many_groups_at_once(page, own):
    groups = page.locator(".card").count()
    boxes = page.locator(".card input")
    boxes.nth(0).click()
    boxes.nth(2).click(modifiers=["Shift"])
    assert page.locator("#selected").inner_text() == "3 selected"
    assert page.locator(".card.selected").count() == 3
    page.get_by_role("button", name="Accept the suggestion").click()
    said = page.locator("#said")
    said.wait_for(state="visible")
    assert "Accept the suggestion of 3 groups" in said.inner_text()
    assert re.search(r"\d+ further files? \(.*B\) could then go", said.inner_text())
    said.get_by_role("link", name="Cancel").click()
    with Index.open(own, read_only=True) as index:
        assert index.decisions() == []
    page.get_by_role("button", name="Accept the suggestion").click()
    with page.expect_navigation():
        said.get_by_role("button", name="Accept").click()
    assert page.locator(".card").count() == groups - 3
    with Index.open(own, read_only=True) as index:
        assert [some.kind for some in index.decisions()] == ["keeper"] * 3
    with page.expect_navigation():
        page.keyboard.press("u")
    assert page.locator(".card").count() == groups
    assert fits(page)

    # by keys: the first one, then all that match, into the plan
    page.keyboard.press("j")
    page.keyboard.press("x")
    assert page.locator("#selected").inner_text() == "1 selected"
    page.keyboard.press("a")
    page.keyboard.press("a")
    assert page.locator("#all").is_checked()
    assert page.locator("#selected").inner_text() == f"{groups} selected"
    page.get_by_role("button", name="Put into the plan").click()
    with page.expect_navigation():
        said.get_by_role("button", name="Put into the plan").click()
    assert page.locator(".top .count").inner_text() == str(groups)
    assert page.locator(".badge.mark").count() == groups


@both
def test_a_plan_is_never_stale(page, address):
    page.locator(".top a[href='/plan']").click()
    assert fits(page)
    asked = []
    page.on("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
    page.get_by_role("button", name="Do it now").click()  # asks; the answer is no
    assert len(asked) == 1
    before = page.locator("#totals").inner_text()
    going = page.locator(".going li").count()
    assert re.match(r"\d files? to the trash", before)
    assert before[0] == str(going)
    page.locator(".going [name=goes]").first.uncheck()
    page.wait_for_function("n => document.querySelectorAll('.going li.off').length === n", arg=1)
    assert page.locator("#totals").inner_text() != before
    assert "1 file stays because its tick was taken away" in page.locator("#totals").inner_text()

    # another wish: the old list cannot be acted on, and the new one comes by itself
    page.evaluate("window.held = document.getElementById('result')")
    page.locator("#wish .further summary").click()
    page.locator("input[value=copy]").check()
    assert page.evaluate("() => window.held.inert && window.held.classList.contains('stale')")
    page.wait_for_function("() => document.getElementById('result') !== window.held")
    assert "relation=copy" in page.url
    page.locator("input[value=same_bytes]").uncheck()
    page.get_by_text("Nothing to do").wait_for()
    assert page.get_by_role("button", name="Do it now").count() == 0
    page.locator("select[name=action]").select_option("move")
    page.locator("#wrong").wait_for()
    assert page.get_by_role("button", name="Do it now").count() == 0
    assert fits(page)


def test_names_are_text(page, address):
    page.goto(address.split("?")[0] + "?state=all&name=p4")
    page.locator("a.group").first.click()
    assert page.locator(".member p.path", has_text="<img src=x onerror=alert(1)>").count() == 1
    assert page.locator("img[src='x']").count() == 0


def test_keys_alone_reach_everything(page):
    """Tab goes to visible things that have a name."""
    page.locator("a.group").first.click()
    names = []
    for _ in range(40):
        page.keyboard.press("Tab")
        name = page.evaluate(
            "(() => { const e = document.activeElement; const r = e.getBoundingClientRect();"
            "return [e.tagName, (e.getAttribute('aria-label') || e.innerText || e.labels?.[0]?.innerText"
            " || e.querySelector('img')?.alt || '').trim(), r.width > 0]; })()"
        )
        names.append(name)
    assert all(name for tag, name, _ in names if tag != "BODY"), names
    assert {"BUTTON", "A", "CANVAS"} <= {tag for tag, _, _ in names}


@pytest.mark.parametrize("look", [("wide", "light"), ("wide", "dark"), ("phone", "light")], ids="-".join)
def test_it_is_accessible(page, address):
    """No violation that axe-core calls serious or critical, on any page."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python").Axe()
    base = address.split("/?")[0]
    group = page.locator("a.group").first.get_attribute("href")
    for path in ("/", group, "/plan", "/query", "/part?image=1", "/scan", "/decisions", "/failures", "/api"):
        page.goto(base + path)
        page.wait_for_load_state("networkidle")
        for details in page.locator("details:not(.more)").all():
            details.evaluate("e => { e.open = true; }")
        found = axe.run(page).response["violations"]
        serious = [
            (one["id"], [node["html"][:120] for node in one["nodes"]])
            for one in found
            if one["impact"] in ("serious", "critical")
        ]
        assert serious == [], path


def test_dates_are_written_as_the_reader_does(browser, address):
    with looked_at(browser, address, language="de-DE") as page:
        page.locator("a.group").first.click()
        assert page.locator("html").get_attribute("lang") == "de"
        assert page.get_by_role("button", name="Nr. 1 behalten").first.is_visible()
        row = page.locator(".differs tr", has_text="Geändert")
        assert re.search(r"\d{2}\.\d{2}\.\d{4}", row.inner_text())
        page.locator(".more summary").click()
        with page.expect_navigation():
            page.get_by_role("button", name="English").click()
        assert page.locator("html").get_attribute("lang") == "en"
