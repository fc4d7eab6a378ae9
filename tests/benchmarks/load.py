"""How many queries by upload the service answers (`python -m tests.benchmarks.load [--seconds 8] [--clients 4]`).

Over real sockets on this machine, by the program itself, against one replica and against two on the same catalogue: as
long as said, and not more requests than said. The clients run on the same cores as what they measure. With
``--database URL`` the catalogue lies there; it is filled with made pictures first, so give one that is for this alone.
"""

from __future__ import annotations

import argparse
import http.client
import io
import itertools
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from dedupindex import Index
from tests.benchmarks.measuring import show, write
from tests.pictures import half, picture, save

SCRIPT = Path(sys.executable).parent / "dedupindex"
HEIGHT, WIDTH = 360, 480
ASKED = 48  # different queries; every fourth shows what is not stored
BOUNDARY = "b" * 24


@dataclass(frozen=True, slots=True)
class Question:
    """A request body, and whether there is an answer to it."""

    body: bytes
    known: bool


@dataclass(slots=True)
class Tally:
    """What clients met."""

    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    wrong: int = 0  # answered, but not with what is stored


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.load", description=__doc__)
    parser.add_argument("--pictures", type=int, default=200, help="stored")
    parser.add_argument("--seconds", type=float, default=8.0, help="for each number of replicas")
    parser.add_argument("--most", type=int, default=5_000, help="requests for each number of replicas")
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--replicas", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--workers", type=int, default=1, help="processes that decode, of each replica")
    parser.add_argument("--database", help="instead of a new SQLite file")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args(arguments)
    figures = []
    with tempfile.TemporaryDirectory() as name:
        database = given.database or str(Path(name) / "p.db")
        fill(database, Path(name) / "pictures", given.pictures)
        questions = make_questions(given.pictures)
        token = make_token(Path(name))
        for replicas in given.replicas:
            with ExitStack() as stack:
                hosts = [
                    stack.enter_context(Replica(database, Path(name), given.workers)).host for _ in range(replicas)
                ]
                for host in hosts:
                    wait_until_ready(host)
                measure(hosts, token, questions, given.clients, 1.0, given.most)  # warm up
                began = time.monotonic()
                tally = measure(hosts, token, questions, given.clients, given.seconds, given.most)
                figures.append(summary(replicas, tally, time.monotonic() - began))
    columns = list(figures[0])
    kind = "SQLite" if given.database is None else given.database.partition(":")[0]
    title = f"{given.pictures} pictures, {kind}, {given.clients} clients, queries of {WIDTH * 2 // 3}x{HEIGHT * 2 // 3}"
    show(title, columns, [[row[column] for column in columns] for row in figures])
    write(given.json, {"pictures": given.pictures, "clients": given.clients, "catalogue": kind, "figures": figures})
    return 1 if any(row["errors"] or row["wrong"] for row in figures) else 0


def fill(database: str, folder: Path, pictures: int) -> None:
    """Store made pictures."""
    for number in range(pictures):
        save(folder / f"{number}.jpg", picture(number, HEIGHT, WIDTH), quality=90)
    with Index.open(database, create=True) as index:
        index.ingest([folder])
        index.find_duplicates()


def make_questions(pictures: int) -> list[Question]:
    """Reduced copies of what is stored, and of what is not."""
    made = []
    for number in range(ASKED):
        known = number % 4 != 3
        seed = number % pictures if known else 1_000_000 + number
        data = io.BytesIO()
        Image.fromarray(half(picture(seed, HEIGHT, WIDTH))).save(data, "JPEG", quality=85)
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="{number}.jpg"\r\n\r\n'
        made.append(Question(head.encode() + data.getvalue() + f"\r\n--{BOUNDARY}--\r\n".encode(), known))
    return made


def make_token(folder: Path) -> str:
    """Write a token file; the token."""
    done = subprocess.run([SCRIPT, "serve", "--make-token", "load"], capture_output=True, text=True, check=True)
    (folder / "tokens").write_text(done.stdout)
    return done.stderr.rpartition(" ")[2].strip()


class Replica:
    """A process that serves."""

    def __init__(self, database: str, folder: Path, workers: int) -> None:
        command = [SCRIPT, "-d", database, "serve", "--api-only", "--port", "0", "--tokens", folder / "tokens"]
        command += ["--rate", "1000000/s", "--concurrent", "64", "--search-after", "0", "--workers", str(workers)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.host = self._process.stdout.readline().strip().removeprefix("http://")

    def __enter__(self) -> Replica:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(60)
        assert self._process.stdout is not None
        self._process.stdout.close()


def wait_until_ready(host: str) -> None:
    """Return when a replica says that it is ready."""
    for _ in range(600):
        connection = http.client.HTTPConnection(host, timeout=30)
        connection.request("GET", "/readyz")
        if connection.getresponse().status == 200:
            return
        connection.close()
        time.sleep(0.1)
    raise RuntimeError(f"{host} does not get ready")


def measure(
    hosts: Sequence[str], token: str, questions: Sequence[Question], clients: int, seconds: float, most: int
) -> Tally:
    """Ask with several clients at once, each on a connection of its own, the replicas in turn."""
    tally, turn = Tally(), itertools.count()
    until = time.monotonic() + seconds

    def ask(host: str) -> None:
        connection = http.client.HTTPConnection(host, timeout=60)
        kind = f"multipart/form-data; boundary={BOUNDARY}"
        headers = {"Authorization": f"Bearer {token}", "Content-Type": kind}
        while time.monotonic() < until and (number := next(turn)) < most:
            question = questions[number % len(questions)]
            began = time.monotonic()
            try:
                connection.request("POST", "/api/query?limit=3", question.body, headers)
                answer = connection.getresponse()
                told = json.loads(answer.read())
            except (OSError, http.client.HTTPException, ValueError) as error:
                tally.errors.append(repr(error))
                connection.close()
                continue
            tally.seconds.append(time.monotonic() - began)
            if answer.status != 200:
                tally.errors.append(f"{answer.status} {told}")
            elif bool(told["matches"]) != question.known:
                tally.wrong += 1
        connection.close()

    threads = [threading.Thread(target=ask, args=(hosts[n % len(hosts)],)) for n in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for words in sorted(set(tally.errors))[:5]:
        print(words, file=sys.stderr)
    return tally


def summary(replicas: int, tally: Tally, seconds: float) -> dict[str, float | int]:
    """Figures of one run."""
    times = np.array(tally.seconds or [0.0]) * 1e3
    return {
        "replicas": replicas,
        "requests": len(tally.seconds),
        "a second": len(tally.seconds) / seconds,
        "p50, ms": float(np.percentile(times, 50)),
        "p99, ms": float(np.percentile(times, 99)),
        "worst, ms": float(times.max()),
        "errors": len(tally.errors),
        "wrong": tally.wrong,
    }


if __name__ == "__main__":
    sys.exit(main())
