"""A reviewer at work in a real browser. Skipped where Playwright or a Chromium is missing."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from dedupindex import Index
from tests.pictures import half, picture

SCRIPT = Path(sys.executable).parent / "dedupindex"
WINDOWS = {"wide": {"width": 1400, "height": 900}, "phone": {"width": 390, "height": 844}}


@pytest.fixture
def address(own):
    command = [SCRIPT, "-d", own, "serve", "--port", "0", "--allow-apply", "--workers", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


both = pytest.mark.parametrize("look", [("wide", "light"), ("phone", "dark")], ids="-".join)


@pytest.fixture
def look():
    return "wide", "dark"


@pytest.fixture
def page(look, browser, address):
    """The review page; at its end nothing may have been complained of, or asked of another host."""
    window, scheme = look
    context = browser.new_context(viewport=WINDOWS[window], color_scheme=scheme)
    opened = context.new_page()
    opened.set_default_timeout(20_000)
    troubles, asked = [], set()
    opened.on("console", lambda message: troubles.append(message.text) if message.type != "log" else None)
    opened.on("pageerror", lambda error: troubles.append(str(error)))
    opened.on("requestfailed", lambda one: troubles.append(f"{one.url}: {one.failure}") if lost(one) else None)
    opened.on("request", lambda one: asked.add(one.url.split("/")[2]))
    opened.goto(address)
    yield opened
    context.close()
    assert troubles == []
    assert asked == {address.split("/")[2]}


def lost(request):
    """A request that failed; a picture that was on its way when the page was left is none."""
    return request.failure != "net::ERR_ABORTED"


def pictures_are_there(page, selector):
    page.wait_for_function(
        "s => [...document.querySelectorAll(s)].filter(i => i.checkVisibility() && i.loading !== 'lazy')"
        ".every(i => i.complete && i.naturalWidth > 0)",
        arg=selector,
    )


def fits(page):
    return page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def place(page):
    return re.sub(r"\s", "", page.locator(".steps a[href^='/?'], .steps a[href='/']").inner_text())


def visible_views(page):
    names = ("first", "second", "difference", "outline")
    return [name for name in names if page.locator(f".view.{name}").is_visible()]


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
    pictures_are_there(page, "#stage img")
    first = page.url

    # views: the keys go through them, and blinking changes what is seen
    assert page.locator(".views").get_attribute("data-mode") == "side"
    assert visible_views(page) == ["first", "second"]
    page.keyboard.press("v")
    assert page.locator(".views").get_attribute("data-mode") == "blink"
    assert visible_views(page) == ["first", "second"]
    second = page.locator(".view.second")
    assert second.evaluate("e => getComputedStyle(e).animationName") == "blink"
    opacities = {
        second.evaluate("e => getComputedStyle(e).opacity") for _ in range(25) if page.wait_for_timeout(80) is None
    }
    assert opacities == {"0", "1"}
    page.get_by_text("difference", exact=True).click()
    page.locator(".view.difference img").wait_for(state="visible")
    assert visible_views(page) == ["difference"]
    page.keyboard.press("v")
    page.locator(".view.outline img").wait_for(state="visible")
    assert visible_views(page) == ["outline"]
    stage, view = (page.locator(where).bounding_box()["width"] for where in (".views", ".view.outline"))
    assert view > 0.95 * stage  # one view takes the whole width
    pictures_are_there(page, "#stage img")

    # through the groups and back
    page.keyboard.press("j")
    page.wait_for_url(lambda url: url != first)
    assert place(page) == f"2of{groups}"
    assert page.locator(".views").get_attribute("data-mode") == "outline"  # the view stays
    page.keyboard.press("ArrowLeft")
    page.wait_for_url(first)

    # keep no. 1, and the next group comes; undo brings the first one back
    page.keyboard.press("1")
    page.wait_for_url(lambda url: url != first)
    assert "no. 1 is the one to keep" in page.locator(".undo").inner_text()
    assert place(page) == f"1of{groups - 1}"
    page.keyboard.press("u")
    page.wait_for_url(first)
    assert place(page) == f"1of{groups}"
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
    page.get_by_role("link", name="Decisions").click()
    forget = page.get_by_role("button", name="Forget")
    before = forget.count()
    forget.first.click()
    page.wait_for_function("n => document.querySelectorAll('table form').length === n", arg=before - 1)
    assert fits(page)


@both
def test_a_query_and_a_plan(page, tmp_path):
    page.get_by_role("link", name="Search by picture").click()
    assert fits(page)
    Image.fromarray(half(picture(0))).save(tmp_path / "asked <b>.png")
    page.set_input_files("#picture", tmp_path / "asked <b>.png")
    page.get_by_role("button", name="Search").click()
    page.wait_for_url("**/query/*")
    assert "asked <b>.png" in page.locator("h1").inner_text()
    assert page.locator("li.member").count() >= 3
    page.locator(".laid summary").first.click()
    pictures_are_there(page, ".member img")
    assert fits(page)

    # dropped instead of chosen
    page.get_by_role("link", name="Search for another picture").click()
    page.wait_for_selector("#picture", state="attached")  # else it is dropped on the page before
    page.evaluate(
        """async () => {
            const canvas = new OffscreenCanvas(60, 40);
            const pen = canvas.getContext("2d");
            for (let i = 0; i < 60; i += 1) {
                pen.fillStyle = `rgb(${(i * 37) % 256}, ${(i * 91) % 256}, ${(i * 53) % 256})`;
                pen.fillRect((i * 13) % 60, (i * 7) % 40, 9, 9);
            }
            const files = new DataTransfer();
            files.items.add(new File([await canvas.convertToBlob()], "dropped.png", {type: "image/png"}));
            document.dispatchEvent(new DragEvent("drop", {dataTransfer: files, bubbles: true, cancelable: true}));
        }"""
    )
    page.wait_for_url("**/query/*")
    assert "0 matches for dropped.png" in page.locator("h1").inner_text()

    page.get_by_role("link", name="Plan").click()
    assert "to the trash" in page.locator(".summary").inner_text()
    assert fits(page)
    page.on("dialog", lambda dialog: dialog.dismiss())
    page.get_by_role("button", name="Do it now").click()  # asks; the answer is no
    assert page.url.endswith("/plan")
    for path in ("failures", "api"):
        page.goto(f"{page.url.split('/plan')[0].split('/failures')[0]}/{path}")
        assert fits(page)
    assert "broken.jpg" not in page.content()


def test_names_are_text(page, address):
    page.goto(address.split("?")[0] + "?state=all")
    page.get_by_text("p4.png").first.click()
    assert page.locator("p.path", has_text="<img src=x onerror=alert(1)>").count() == 1
    assert page.locator("img[src='x']").count() == 0


def test_keys_alone_reach_everything(page):
    """Tab goes to visible things that have a name."""
    page.locator("a.group").first.click()
    names = []
    for _ in range(30):
        page.keyboard.press("Tab")
        name = page.evaluate(
            "(() => { const e = document.activeElement; const r = e.getBoundingClientRect();"
            "return [e.tagName, (e.getAttribute('aria-label') || e.innerText || e.labels?.[0]?.innerText"
            " || e.querySelector('img')?.alt || '').trim(), r.width > 0]; })()"
        )
        names.append(name)
    assert all(name for tag, name, _ in names if tag != "BODY"), names
    assert {"BUTTON", "A"} <= {tag for tag, _, _ in names}
