"""A server of the page and a browser before it; at its end nothing may have been complained of."""

import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

SCRIPT = Path(sys.executable).parent / "dedupindex"
WINDOWS = {"wide": {"width": 1400, "height": 900}, "phone": {"width": 390, "height": 844}}


@contextmanager
def served(database, *options):
    """The address of a page over a database, or over none yet."""
    command = [SCRIPT, "-q", "-d", database, "serve", "--port", "0", "--allow-apply", "--workers", "1", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


@contextmanager
def looked_at(browser, address, window="wide", scheme="light", language="en-GB"):
    """A page of a browser; at its end nothing may have been complained of, or asked of another host."""
    touch = window == "phone"
    context = browser.new_context(
        viewport=WINDOWS[window], color_scheme=scheme, has_touch=touch, locale=language, timezone_id="UTC"
    )
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


@pytest.fixture
def address(own):
    with served(own) as where:
        yield where


@pytest.fixture
def look():
    return "wide", "dark"


@pytest.fixture
def page(look, browser, address):
    with looked_at(browser, address, *look) as opened:
        yield opened


def fits(page):
    """Whether nothing is wider than the window."""
    return page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def settled(page):
    """Wait until the stage has drawn all that it asked for."""
    page.wait_for_function("() => document.getElementById('stage').dataset.loading === ''")
    page.wait_for_timeout(100)
    page.wait_for_function("() => document.getElementById('stage').dataset.loading === ''")


def colours(page, canvas="canvas-left"):
    """Mean of each channel of a canvas, and how many different values of red it has."""
    return page.evaluate(
        """id => { const c = document.getElementById(id);
        const copy = Object.assign(document.createElement('canvas'), { width: c.width, height: c.height });
        const context = copy.getContext('2d', { willReadFrequently: true });
        context.drawImage(c, 0, 0);
        const d = context.getImageData(0, 0, c.width, c.height).data;
        const sum = [0, 0, 0], seen = new Set();
        for (let i = 0; i < d.length; i += 4) { sum[0] += d[i]; sum[1] += d[i+1]; sum[2] += d[i+2]; seen.add(d[i]); }
        return [...sum.map(s => 4 * s / d.length), seen.size]; }""",
        canvas,
    )
