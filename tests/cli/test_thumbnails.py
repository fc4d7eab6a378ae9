"""Where the pictures of a page come from. What they look like is tested with the thumbnails."""

import numpy as np
import pytest

from dedupindex import Index
from dedupindex.cli import thumbnails
from dedupindex.cli.console import progress
from dedupindex.cli.thumbnails import Thumbnails
from tests.pictures import picture, save


@pytest.fixture
def index(tmp_path):
    for number in range(7):
        save(tmp_path / f"{number}.png", picture(number))
    with Index.open(tmp_path / "a.db", create=True, workers=1) as index:
        index.ingest([tmp_path])
        yield index


@pytest.fixture
def counted(monkeypatch):
    """How often files and database were asked."""
    counts = {"file": 0, "database": 0}

    def counting(name, work):
        def asked(*arguments, **more):
            counts[name] += 1
            return work(*arguments, **more)

        return asked

    monkeypatch.setattr(Index, "thumbnail", counting("file", Index.thumbnail))
    monkeypatch.setattr(Index, "stored_thumbnails", counting("database", Index.stored_thumbnails))
    return counts


def shown(index):
    images = sorted(index.images(), key=lambda image: image.locations[0].path)
    made = Thumbnails(index, [image.id for image in images], progress(quiet=True, verbose=False))
    return [made(image) for image in images]


def test_few_pictures_come_from_their_files(index, counted, monkeypatch):
    monkeypatch.setattr(thumbnails, "FOR_FILES", 0.0)
    assert all(shown(index))
    assert counted == {"file": 7, "database": 0}


def test_of_many_only_as_many_as_there_is_time_for(index, counted, monkeypatch):
    monkeypatch.setattr(thumbnails, "FROM_FILES", 6)
    monkeypatch.setattr(thumbnails, "FOR_FILES", 1e-9)
    monkeypatch.setattr(thumbnails, "AT_ONCE", 4)
    assert all(shown(index))
    assert counted == {"file": 1, "database": 2}


def test_files_that_are_gone(index, counted, tmp_path):
    for path in tmp_path.glob("*.png"):
        path.unlink()
    uris = shown(index)
    assert len(set(uris)) == 7
    assert counted == {"file": 7, "database": 1}
    assert np.all([uri.startswith("data:image/webp;base64,") for uri in uris])
