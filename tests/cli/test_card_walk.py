"""A photographer's card against an archive that has half of it: raw and JPEG pairs, sidecars, folders of thumbnails."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dedupindex.records.metadata import PictureMetadata
from dedupindex.sources.metadata.xmp import add_to_xmp, read_xmp
from tests.actions.heaps import snapshot
from tests.pictures import picture
from tests.sources.readers import making

SHOTS, KNOWN = 6, 3  # on the card; of these in the archive
RATED = PictureMetadata(rating=4, keywords=("Rome",))


@pytest.fixture
def home(tmp_path):
    return {"XDG_DATA_HOME": str(tmp_path / "data")}


def shot(folder: Path, number: int) -> None:
    """A raw file with its JPEG."""
    pixels = picture(number, 192, 256)
    pixels = pixels if pixels.ndim == 3 else np.dstack([pixels] * 3)
    Image.fromarray(pixels).save(folder / f"IMG_{number}.JPG", quality=92)
    (folder / f"IMG_{number}.DNG").write_bytes(making.dng(pixels, making.encoded(pixels, quality=95)))


@pytest.fixture
def card(tmp_path):
    pytest.importorskip("rawpy")
    card, archive = tmp_path / "card" / "DCIM", tmp_path / "archive"
    card.mkdir(parents=True)
    archive.mkdir()
    for number in range(SHOTS):
        shot(card, number)
        thumbnail = card / "@eaDir" / f"IMG_{number}.JPG" / "THUMB.jpg"
        thumbnail.parent.mkdir(parents=True)
        Image.open(card / f"IMG_{number}.JPG").resize((80, 60)).save(thumbnail)
        if number < KNOWN:
            for suffix in ("JPG", "DNG"):
                shutil.copy2(card / f"IMG_{number}.{suffix}", archive)
    (archive / "IMG_2.DNG").unlink()  # the archive has only the JPEG of this one
    (card / "IMG_1.xmp").write_bytes(add_to_xmp(None, RATED))  # rated on the way home, after it was copied
    for path in archive.iterdir():
        os.utime(path, (1_600_000_000, 1_600_000_000))
    return tmp_path


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file() and "@eaDir" not in path.parts}


def left(folder: Path) -> dict[str, str]:
    found = json.loads((folder / "p.json").read_text())["left_out"]
    return {Path(one["path"]).relative_to(folder).as_posix(): one["why"] for one in found}


def test_the_card_is_emptied_of_what_the_archive_has(run, card, home):
    before = snapshot(card / "card"), snapshot(card / "archive")
    done = run("scan", "archive", "card", cwd=card, env=home, code=0)
    assert "left out: 1 system folder" in done.stdout

    done = run("plan", "--path", "card", "-o", "p.json", cwd=card, env=home, code=0)
    assert "1 file with 1 companion to the trash" in done.stdout  # of the two whole shots one has a sidecar of its own
    assert left(card)["card/DCIM/IMG_1.JPG"] == "companions"
    assert left(card)["card/DCIM/IMG_2.JPG"] == "companions"  # its raw file is nowhere else

    wanted = ("plan", "--path", "card", "--may-lack", "edits", "--merge-metadata", "-o", "p.json")
    done = run(*wanted, cwd=card, env=home, code=0)
    assert "2 files with 3 companions to the trash" in done.stdout
    assert "carried over into IMG_1.JPG.xmp, which is new: rating 4; keywords Rome" in done.stdout
    assert "what only they say of the pictures goes into 1 sidecar" in done.stdout

    run("apply", "p.json", "--dry-run", cwd=card, env=home, code=0)
    assert (snapshot(card / "card"), snapshot(card / "archive")) == before
    done = run("apply", "p.json", "--yes", "--journal", "j", cwd=card, env=home, code=0)
    assert "what only they said of the pictures is in 1 sidecar now" in done.stdout
    new = {f"IMG_{number}.{suffix}" for number in range(KNOWN, SHOTS) for suffix in ("JPG", "DNG")}
    assert files(card / "card") == new | {"IMG_2.JPG", "IMG_2.DNG"}
    assert read_xmp((card / "archive" / "IMG_1.JPG.xmp").read_bytes()) == RATED

    run("undo", "j", cwd=card, env=home, code=0)
    assert (snapshot(card / "card"), snapshot(card / "archive")) == before


def test_metadata_is_carried_over_only_from_what_is_moved_or_trashed(run, card, home):
    run("ingest", "archive", "card", cwd=card, env=home, code=0)
    done = run("plan", "--action", "hardlink", "--merge-metadata", "-o", "p.json", cwd=card, env=home, code=2)
    assert "metadata is carried over only from files that are moved or trashed" in done.stderr
