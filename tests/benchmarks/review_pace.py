"""How many decisions a minute the review page itself permits (`python -m tests.benchmarks.review_pace [--groups 300]`).

A script presses a key, waits until the next group is drawn, and presses the next key: a machine's timing, without the
time that a person takes to look. It is the ceiling that the page puts on a reviewer, not how quick one is. Needs
Playwright and a Chromium.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.measuring import middle, show, write
from tests.browsers import chromium
from tests.web.filling import fill

SCRIPT = Path(sys.executable).parent / "dedupindex"
KEYS = ("Enter", "Enter", "Enter", "b", "n", "2", "s")  # mostly the suggestion, now and then something else
DRAWN = """() => {
  const stage = document.getElementById('stage');
  return stage && stage.dataset.loading === '' && document.getElementById('canvas-left').width > 0;
}"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.review_pace", description=__doc__)
    parser.add_argument("--groups", type=int, default=300)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        database = Path(name) / "p.db"
        fill(database, given.groups + 1, looks=8)
        command = [SCRIPT, "-q", "-d", database, "serve", "--port", "0", "--workers", "1"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            try:
                assert server.stdout is not None
                figures = paced(server.stdout.readline().strip(), given.groups)
            finally:
                server.terminate()
    show(f"{given.groups:,} groups by keyboard, a machine's timing", ("", "figure"), list(figures.items()))
    write(given.json, {"groups": given.groups, "figures": figures})
    return 0


def paced(address: str, groups: int) -> dict[str, float]:
    """Decide on so many groups by keys, each as soon as it is drawn."""
    with chromium() as browser:
        page: Any = browser.new_page(viewport={"width": 1440, "height": 900})  # type: ignore[attr-defined]
        page.goto(address)
        page.locator("a.group").first.click()
        page.wait_for_function(DRAWN)
        steps, answers = [], []
        began = time.monotonic()
        for number in range(groups):
            key = time.monotonic()
            with page.expect_navigation(wait_until="commit"):
                page.keyboard.press(KEYS[number % len(KEYS)])
            page.wait_for_function(DRAWN)
            steps.append((time.monotonic() - key) * 1e3)
            answers.append(
                page.evaluate(
                    "() => { const [t] = performance.getEntriesByType('navigation');"
                    " return t.responseEnd - (t.redirectStart || t.startTime); }"
                )
            )
        took = time.monotonic() - began
    return {
        "decisions a minute": 60 * groups / took,
        "key to next group drawn, middle, ms": middle(steps),
        "key to next group drawn, worst of 20, ms": sorted(steps)[int(0.95 * len(steps))],
        "of that, server and redirect, middle, ms": middle(answers),
        "load of the machine a core": os.getloadavg()[0] / (os.cpu_count() or 1),
    }


if __name__ == "__main__":
    sys.exit(main())
