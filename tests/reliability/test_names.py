"""File names with anything in them, through every verb: terminals are not steered, JSON, CSV and HTML stay whole."""

import csv
import io
import json
import os
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.pictures import picture, save

NAMES = (
    b"new\nline.png", b"tab\tand\rreturn.png", b"\x1b[2J\x1b]0;title\x07.png", b"latin1-\xe9.png", b"\xff\xfe.png",
    b"<img src=x onerror=alert(1)>.png", b"\"><script>alert(1).png", b"'onmouseover='x.png", b"&amp;.png",
    b"=1+1.png", b"+cmd.png", b"-rf.png", b"@sum.png", "\u202egnp.exe\u2066.png".encode(), "\u200bzero.png".encode(),
    "e\u0301.png".encode(), "\u00e9.png".encode(), b" space .png", b"a,b;c.png", b"%2e%2e%2f.png", b"#frame=3.png",
    b"x" * 250 + b".png",
)  # fmt: skip
STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")


class Elements(HTMLParser):
    """Counts what a browser would make of a page."""

    def __init__(self):
        super().__init__()
        self.tags, self.handlers = {}, []

    def handle_starttag(self, tag, attributes):
        self.tags[tag] = self.tags.get(tag, 0) + 1
        self.handlers += [name for name, _ in attributes if name.startswith("on")]


def rows_of(path: Path) -> list[list[str]]:
    """A file of pairs: it is for programs, names stand there byte by byte."""
    return list(csv.reader(io.StringIO(os.fsdecode(path.read_bytes()), newline="")))


def elements(page: Path) -> Elements:
    found = Elements()
    found.feed(page.read_text("utf-8"))
    return found


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """The same files twice: in `odd` under these names, in `plain` under plain ones; two of each, and broken ones."""
    folder = tmp_path_factory.mktemp("names")
    for number, name in enumerate(NAMES):
        made = save(folder / "plain" / f"{number:02d}.png", picture(number, 72, 96))
        copy = save(folder / "plain" / "copy" / f"{number:02d}.png", picture(number, 72, 96)[:-1])
        broken = folder / "plain" / "broken" / f"{number:02d}.png"
        broken.parent.mkdir(exist_ok=True)
        broken.write_bytes(b"\x89PNG\r\n\x1a\n, and no more")
        for source in (made, copy, broken):
            target = os.fsencode(folder / "odd" / source.parent.relative_to(folder / "plain"))
            os.makedirs(target, exist_ok=True)  # noqa: PTH103
            with open(os.path.join(target, name), "wb") as file:  # noqa: PTH118, PTH123
                file.write(source.read_bytes())
    return folder


def test_every_verb_with_every_name(run, odd):
    outputs = {}
    for kind in ("plain", "odd"):
        database = f"{kind}.db"
        says = [
            run("-d", database, "scan", kind, "--html", f"{kind}.html", "--pairs", f"{kind}.pairs.csv", cwd=odd, code=1)
        ]
        for verb in (["report"], ["failures"], ["check", "--deep"], ["forget", kind, "--dry-run"]):
            says.append(run("-d", database, *verb, cwd=odd))
        for name in os.listdir(os.fsencode(odd / kind))[: 5 if kind == "odd" else 0]:  # noqa: PTH208
            path = os.fsdecode(os.path.join(os.fsencode(odd / kind), name))  # noqa: PTH118
            if os.path.isfile(path):  # noqa: PTH113
                says.append(run("-d", database, "info", path, cwd=odd))
                says.append(run("-d", database, "query", path, cwd=odd))
                says.append(run("compare", path, path, cwd=odd))
        for done in says:
            assert not STEERING.search(done.stdout), done.args
            assert not STEERING.search(done.stderr), done.args
            done.stdout.encode()
            done.stderr.encode()
        outputs[kind] = {
            "report": json.loads(run("-d", database, "report", "--json", cwd=odd).stdout),
            "failures": json.loads(run("-d", database, "failures", "--json", cwd=odd).stdout),
            "csv": list(csv.reader(io.StringIO(run("-d", database, "report", "--csv", cwd=odd).stdout))),
            "pairs": rows_of(odd / f"{kind}.pairs.csv"),
            "page": elements(odd / f"{kind}.html"),
        }
    plain, strange = outputs["plain"], outputs["odd"]
    assert len(strange["failures"]["failures"]) == len(plain["failures"]["failures"]) == len(NAMES)
    assert len(strange["report"]["groups"]) == len(plain["report"]["groups"]) == len(NAMES)
    for part in ("csv", "pairs"):
        assert [len(row) for row in strange[part]] == [len(row) for row in plain[part]]
        cells = [cell for row in strange[part] for cell in row]
        assert not [cell for cell in cells if cell[:1] in "=+@\t\r" and cell] + [
            c for c in cells if re.match(r"-\D", c)
        ]
    assert strange["page"].tags == plain["page"].tags
    assert strange["page"].handlers == plain["page"].handlers
