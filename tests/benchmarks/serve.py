"""How quickly the review page answers (`python -m tests.benchmarks.serve [--groups 5000] [--rounds 15]`).

Over real sockets, by the program itself, on made-up groups of two. List and group have to answer within 200 ms with
5,000 groups and within 500 ms with 100,000.
"""

from __future__ import annotations

import argparse
import http.client
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlencode

from tests.benchmarks.measuring import middle, show, write
from tests.web.filling import fill

SCRIPT = Path(sys.executable).parent / "dedupindex"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.serve", description=__doc__)
    parser.add_argument("--groups", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--filled", type=Path, help="a database that `fill` made; a copy of it is used")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        database = Path(name) / "p.db"
        if given.filled is None:
            fill(database, given.groups)
        else:
            shutil.copyfile(given.filled, database)
        began = time.monotonic()
        command = [SCRIPT, "-d", database, "serve", "--port", "0", "--workers", "1"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            try:
                assert server.stdout is not None
                address = server.stdout.readline().strip()
                figures = {"start, s": time.monotonic() - began}
                figures |= measure(address, given.rounds)
            finally:
                server.terminate()
    show(
        f"{given.groups:,} groups",
        ("", "middle", "worst"),
        [(n, *v) if isinstance(v, tuple) else (n, v, "") for n, v in figures.items()],
    )
    write(given.json, {"groups": given.groups, "figures": figures})
    return 0


def measure(address: str, rounds: int) -> dict[str, tuple[float, float]]:
    """Milliseconds of each page: the middle, and the worst."""
    host, _, token = address.removeprefix("http://").partition("/?token=")
    connection = http.client.HTTPConnection(host)
    headers = {"Authorization": f"Bearer {token}"}

    def ask(method: str, path: str, form: dict[str, str] | None = None) -> tuple[float, str]:
        body = urlencode(form) if form is not None else None
        more = {"Content-Type": "application/x-www-form-urlencoded"} if body is not None else {}
        began = time.monotonic()
        connection.request(method, path, body, headers | more)
        answer = connection.getresponse()
        text = answer.read().decode("utf-8", "replace")
        assert answer.status in (200, 303), (path, answer.status, text)
        return (time.monotonic() - began) * 1e3, text

    def several(path: str) -> tuple[float, float]:
        times = [ask("GET", path)[0] for _ in range(rounds)]
        return middle(times), max(times)

    listed = re.findall(r'href="/groups/(\w+)', ask("GET", "/")[1])
    figures = {
        "group list, ms": several("/"),
        "its last page, ms": several("/?page=9999"),
        "filtered, first time, ms": (ask("GET", "/?relation=crop_of&most=0.9&order=doubtful")[0],) * 2,
        "by name, first time, ms": (ask("GET", "/?name=picture+17")[0],) * 2,
        "by folder and size, first time, ms": (ask("GET", "/?folder=/pictures/1&order=freed")[0],) * 2,
        "by two folders, first time, ms": (ask("GET", "/?folder=/pictures&against=/pictures/1")[0],) * 2,
        "newest first, first time, ms": (ask("GET", "/?order=newest")[0],) * 2,
        "by name, all groups, first time, ms": (ask("GET", "/?order=name")[0],) * 2,
        "filtered, ms": several("/?relation=crop_of&most=0.9&order=doubtful"),
        "a group, ms": several(f"/groups/{listed[3]}"),
        "JSON, 50 groups, ms": several("/api/groups"),
        "thumbnail, ms": several("/thumbnail/7.jpg"),
    }
    steps = []
    for group in listed[:rounds]:  # as fast as a key repeats: decide, and see the next group
        took, _ = ask("POST", f"/groups/{group}", {"do": "both"})
        after = listed[listed.index(group) + 1]
        steps.append(took + ask("GET", f"/groups/{after}")[0])
    figures["decide, and see the next group, ms"] = middle(steps), max(steps)
    figures["the list right after that, ms"] = (ask("GET", "/")[0],) * 2
    everything = {"do": "accept", "all": "1"}
    took, said = ask("POST", "/bulk?relation=tone", everything)
    figures["what a fifth of all groups means, ms"] = (took, took)
    digest = re.findall(r'name="digest" value="(\w+)"', said)[0]
    took, _ = ask("POST", "/bulk/do?relation=tone", everything | {"digest": digest})
    figures["accept that fifth, ms"] = (took, took)
    figures["the list right after it, ms"] = (ask("GET", "/")[0],) * 2
    took, _ = ask("POST", "/undo", {"list": "1"})
    figures["undo it, ms"] = (took, took)
    return figures


if __name__ == "__main__":
    sys.exit(main())
