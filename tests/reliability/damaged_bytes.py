"""One damaged byte in every 4 kB of every file of an index: ``python -m tests.reliability.damaged_bytes FOLDER``.

After each, the index is opened and asked. It gives the answers of the sound one, or it is refused with words that say
what mends it. What SQLite keeps no checksum of may change unseen: those are counted, and told by their table.

FOLDER is filled first where it is empty: with an index of made-up images, and one of a few photographs with pieces.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import random
import re
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from dedupindex import Index
from dedupindex.errors import DedupIndexError
from dedupindex.execution import contained
from dedupindex.reports.jsonfile import report_json
from dedupindex.store.sqlite import vector_directory
from tests.pictures import half, picture, save
from tests.reliability.machine import seal
from tests.scenes import photograph
from tests.tools.fill_synthetic import fill_database

BLOCK = 4096
MENDS = re.compile(r"restore a backup|`?dedupindex \w+|rebuild|ingest|upgrade|check", re.IGNORECASE)
MADE_UP, PIECES = "made_up.db", "pieces.db"


@dataclass
class Seen:
    """What became of the index, damage by damage."""

    counts: Counter[str] = field(default_factory=Counter)
    unseen: Counter[str] = field(default_factory=Counter)  # by table: other answers, and nobody said a word
    words: Counter[str] = field(default_factory=Counter)
    bad: list[str] = field(default_factory=list)

    def add(self, file: Path, offset: int, table: str, sound: str, found: tuple[str, str]) -> None:
        """Count one."""
        kind, said = found
        where = f"{file.name} at {offset:,} ({table})"
        if kind == "answers":
            kind = "same answers" if said == sound else "other answers"
        if kind == "other answers":
            self.unseen[table] += 1
        if kind == "refused":
            self.words[re.sub(r"\d+|/\S+", "N", said)[:160]] += 1
            if not MENDS.search(said):
                self.bad.append(f"{where}: does not say what mends it: {said}")
        if kind == "traceback":
            self.bad.append(f"{where}: {said}")
        self.counts[kind] += 1


def fill(folder: Path, images: int) -> None:
    """Make both indexes."""
    fill_database(folder / MADE_UP, images, lean=True, show=False)
    with Index.open(folder / MADE_UP, workers=1) as index:
        index.find_duplicates()
        seal(index)
    astronaut, coffee = photograph("astronaut"), photograph("coffee")
    save(folder / "pictures" / "astronaut.png", astronaut)
    save(folder / "pictures" / "coffee.png", coffee)
    save(folder / "pictures" / "crop.png", astronaut[100:300, 200:420])
    save(folder / "pictures" / "half.png", half(coffee))
    with Index.open(folder / PIECES, create=True, workers=1, profile="pieces") as index:
        index.ingest([folder / "pictures"])
        index.find_duplicates()
        seal(index)
        index._pieces.tail_limit = 0
        index._pieces.save()


def look(database: Path, pictures: Path) -> tuple[str, str]:
    """Open an index and ask it: ``answers`` and their digest, ``refused`` and why, or ``traceback`` and what."""
    try:
        with Index.open(database, read_only=True, workers=1) as index:
            answers = [report_json(index.report(find=False)), sorted(index.info().items())]
            if database.name == PIECES:
                found = index.query_pieces(pictures / "crop.png")
                answers.append([(match.image.key, match.stored_contains, match.found.score) for match in found])
                matches = index.query(pictures / "half.png")
            else:
                matches = index.query(picture(1, 72, 96))
                answers += [features_digest(index, image) for image in (1, 60, 120, 180, 240)]
            answers.append([(match.image.key, match.score, match.relation) for match in matches])
    except DedupIndexError as error:
        return "refused", str(error)
    except Exception as error:
        return "traceback", f"{type(error).__name__}: {error}"
    return "answers", hashlib.sha256(repr(answers).encode()).hexdigest()


def features_digest(index: Index, image: int) -> str:
    """A digest of some features of an image."""
    features = index.features_of(image)
    return hashlib.sha256(features.descriptor.tobytes() + features.thumbnail.tobytes()).hexdigest()


def tables(database: Path) -> dict[int, str]:
    """The table or index that each page belongs to, by the number of the page; empty where SQLite does not tell."""
    with closing(sqlite3.connect(database)) as connection:
        try:
            return dict(connection.execute("SELECT pageno, name FROM dbstat").fetchall())
        except sqlite3.Error:
            return {}


def blocks_of(file: Path, most: int, rng: random.Random) -> list[int]:
    """The blocks of a file, or so many of them, drawn from each table alike."""
    blocks = list(range((file.stat().st_size + BLOCK - 1) // BLOCK))
    if len(blocks) <= most:
        return blocks
    if file.suffix != ".db":
        return sorted(rng.sample(blocks, most))
    names = tables(file)
    by_table: dict[str, list[int]] = {}
    for block in blocks:
        by_table.setdefault(names.get(block + 1, "?"), []).append(block)
    chosen: list[int] = []
    waiting = sorted(by_table.values(), key=len)
    for number, members in enumerate(waiting):
        share = (most - len(chosen)) // (len(waiting) - number)
        chosen += rng.sample(members, min(share, len(members)))
    return sorted(chosen)


def damage(database: Path, pictures: Path, seen: Seen, most: int, seed: int, until: float) -> int:
    """Damage the files of an index, one byte at a time; how many blocks they have."""
    rng = random.Random(seed)
    kind, sound = look(database, pictures)
    assert kind == "answers", sound
    assert look(database, pictures) == (kind, sound), "answers differ without any damage"
    files = [database, *sorted(vector_directory(database).glob("*"))]
    names = tables(database)
    for file in files:
        for block in blocks_of(file, most, rng):
            if time.monotonic() > until:
                seen.counts["left out for time"] += 1
                continue
            offset = min(block * BLOCK + rng.randrange(BLOCK), file.stat().st_size - 1)
            with file.open("r+b", buffering=0) as stream:
                stream.seek(offset)
                [old] = stream.read(1)
                stream.seek(offset)
                stream.write(bytes([old ^ 1 << rng.randrange(8)]))
                table = names.get(block + 1, "?") if file == database else file.suffix
                try:
                    seen.add(file, offset, table, sound, look(database, pictures))
                finally:
                    stream.seek(offset)
                    stream.write(bytes([old]))
            for beside in ("-wal", "-shm"):
                database.with_name(database.name + beside).unlink(missing_ok=True)
    assert look(database, pictures) == (kind, sound)
    return sum((file.stat().st_size + BLOCK - 1) // BLOCK for file in files)


def damage_all(folder: Path, images: int, most: int, seed: int, seconds: float = 1e9) -> Seen:
    """Fill a folder where it is empty, and damage both indexes in it."""
    contained.is_worker = lambda: True  # decode here
    logging.disable(logging.WARNING)
    if not (folder / PIECES).exists():
        fill(folder, images)
    seen = Seen()
    for number, name in enumerate((PIECES, MADE_UP)):
        tried = sum(seen.counts.values())
        blocks = damage(
            folder / name, folder / "pictures", seen, most, seed, time.monotonic() + seconds * (0.3, 0.7)[number]
        )
        print(
            f"{name}: {blocks:,} blocks of 4 kB, {sum(seen.counts.values()) - tried:,} damaged one by one", flush=True
        )
    print(f"seed {seed}: {dict(seen.counts)}; unseen, by table: {dict(seen.unseen)}")
    for words, count in seen.words.most_common():
        print(f"  {count:,} x {words}")
    return seen


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--most", type=int, default=100_000, help="blocks of a file")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1e9)
    given = parser.parse_args(arguments)
    given.folder.mkdir(parents=True, exist_ok=True)
    seen = damage_all(given.folder, given.images, given.most, given.seed, given.seconds)
    print("\n".join(seen.bad))
    return int(bool(seen.bad))


if __name__ == "__main__":
    sys.exit(main())
