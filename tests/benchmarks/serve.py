"""How quickly the review page answers (`python -m tests.benchmarks.serve [--groups 5000] [--rounds 15]`).

Over real sockets, by the program itself, on made-up groups of two. List and group have to answer within 200 ms with
5,000 groups and within 500 ms with 100,000.
"""

from __future__ import annotations

import argparse
import http.client
import os
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
                figures["start, CPU s"] = cpu_of(server.pid)
                figures |= measure(address, given.rounds, server.pid)
            finally:
                server.terminate()
    show(
        f"{given.groups:,} groups",
        ("", "middle", "worst", "CPU"),
        [(n, *v) if isinstance(v, tuple) else (n, v, "", "") for n, v in figures.items()],
    )
    write(given.json, {"groups": given.groups, "figures": figures})
    return 0


def cpu_of(process: int) -> float:
    """Seconds of the CPU that a process has used; 0 where the system does not say."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(address: str, rounds: int, server: int) -> dict[str, tuple[float, float, float]]:
    """Milliseconds of each page: the middle and the worst by the clock, and the mean of the server's CPU.

    On a machine that does other things too, the CPU is what the page itself costs.
    """
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

    def several(*paths: str) -> tuple[float, float, float]:
        before = cpu_of(server)
        times = [ask("GET", path)[0] for path in paths]
        return middle(times), max(times), (cpu_of(server) - before) * 1e3 / len(times)

    def posted(path: str, form: dict[str, str]) -> tuple[tuple[float, float, float], str]:
        before = cpu_of(server)
        took, text = ask("POST", path, form)
        return (took, took, (cpu_of(server) - before) * 1e3), text

    listed = re.findall(r'href="/groups/(\w+)', ask("GET", "/")[1])
    again = [f"/groups/{listed[3]}"] * rounds
    figures = {
        "group list, ms": several(*["/"] * rounds),
        "its last page, ms": several(*["/?page=9999"] * rounds),
        "filtered, first time, ms": several("/?relation=crop_of&most=0.9&order=doubtful"),
        "by name, first time, ms": several("/?name=picture+17"),
        "by folder and size, first time, ms": several("/?folder=/pictures/1&order=freed"),
        "by two folders, first time, ms": several("/?folder=/pictures&against=/pictures/1"),
        "newest first, first time, ms": several("/?order=newest"),
        "by name, all groups, first time, ms": several("/?order=name"),
        "filtered, ms": several(*["/?relation=crop_of&most=0.9&order=doubtful"] * rounds),
        "a group, ms": several(*again),
        "JSON, 50 groups, ms": several(*["/api/groups"] * rounds),
        "thumbnail, ms": several(*["/thumbnail/7.jpg"] * rounds),
    }
    steps, before = [], cpu_of(server)
    for group in listed[:rounds]:  # as fast as a key repeats: decide, and see the next group
        took, _ = ask("POST", f"/groups/{group}", {"do": "both"})
        after = listed[listed.index(group) + 1]
        steps.append(took + ask("GET", f"/groups/{after}")[0])
    cpu = (cpu_of(server) - before) * 1e3 / len(steps)
    figures["decide, and see the next group, ms"] = middle(steps), max(steps), cpu
    figures["the list right after that, ms"] = several("/")
    everything = {"do": "accept", "all": "1"}
    figures["what a fifth of all groups means, ms"], said = posted("/bulk?relation=tone", everything)
    digest = re.findall(r'name="digest" value="(\w+)"', said)[0]
    figures["accept that fifth, ms"], _ = posted("/bulk/do?relation=tone", everything | {"digest": digest})
    figures["the list right after it, ms"] = several("/")
    figures["undo it, ms"], _ = posted("/undo", {"list": "1"})
    return figures


if __name__ == "__main__":
    sys.exit(main())
