"""Pictures that are handed in: described elsewhere, stored whole or not at all."""

import hashlib
import os
import threading
from pathlib import Path

import pytest

from dedupindex import Index
from dedupindex.errors import DedupIndexError, ReadError, Reason
from dedupindex.execution.pool import Pool, Single
from dedupindex.ingest.describing import FileResult, died
from dedupindex.search import uploads as module
from dedupindex.store import catalog_images, catalog_locations
from tests.pictures import half, picture, save

PLACE = Path("upload:/new.png")


@pytest.fixture
def index(tmp_path):
    with Index.open(tmp_path / "p.db", create=True, workers=1) as opened:
        yield opened


@pytest.fixture
def take(index, tmp_path):
    """take(pixels, place=PLACE, limit=0) -> what became of it; described in one process for the whole test."""
    with index.uploads() as uploads:

        def hand_in(pixels, place=PLACE, limit=0):
            file = save(tmp_path / "handed-in.png", pixels)
            return uploads.take(file, place, hashlib.sha256(file.read_bytes()).digest(), limit=limit)

        hand_in.uploads = uploads
        yield hand_in


def test_it_is_as_if_the_file_had_been_ingested(index, take, tmp_path):
    taken = take(picture(1))
    file = save(tmp_path / "folder" / "same.png", picture(1))
    summary = index.ingest([file])
    assert (summary.added, summary.known) == (0, 1)
    [image] = index.images()
    assert taken.images[0].id == image.id
    assert {place.path for place in image.locations} == {PLACE, file}
    with Index.open(tmp_path / "other.db", create=True, workers=1) as other:
        other.ingest([file])
        [alone] = other.images()
        ours, theirs = index.features_of(image.id), other.features_of(alone.id)
    assert (alone.key, alone.scaling, alone.valid_share) == (image.key, image.scaling, image.valid_share)
    assert (ours.descriptor == theirs.descriptor).all()
    assert (ours.thumbnail == theirs.thumbnail).all()


def test_matches_are_those_of_a_query_but_for_itself(index, take, tmp_path):
    take(picture(1))
    take(picture(2), Path("upload:/two.png"))
    small = take(half(picture(1)), Path("upload:/small.png"), limit=5)
    assert [match.path for match in small.matches] == [PLACE]
    assert small.added == 1
    again = take(half(picture(1)), Path("upload:/small.png"), limit=5)
    assert (again.added, again.matches) == (0, small.matches)
    file = save(tmp_path / "q.png", half(picture(1)))
    assert take.uploads.matches(file, Path("q.png")) == index.query(file)


def test_a_question_decodes_once_elsewhere_and_gives_a_picture(index, take, tmp_path, monkeypatch):
    file = save(tmp_path / "folder" / "large.png", picture(1, 600, 900))
    index.ingest([file])
    taken, described = [], take.uploads._pool.map

    def counting(tasks):
        tasks = [list(some) for some in tasks]
        taken.extend(task for some in tasks for task in some)
        return described(tasks)

    def never(*_, **__):
        raise AssertionError("decoded in this process")

    monkeypatch.setattr(take.uploads._pool, "map", counting)
    monkeypatch.setattr("dedupindex.ingest.describing.decode_file", never)
    monkeypatch.setattr("dedupindex.groups.thumbnails.decode_file", never)
    asked = take.uploads.ask(file, Path("mine.png"), limit=3, side=480)
    assert len(taken) == 1
    [stored] = index.images()
    assert (asked.image.key, asked.image.width, asked.image.height) == (stored.key, 900, 600)
    assert (asked.image.id, asked.image.locations) == (0, ())
    assert asked.thumbnail.pixels.shape == (320, 480, 3)
    assert asked.thumbnail.mask.shape == (320, 480)
    assert [match.image.id for match in asked.matches] == [stored.id]
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    with pytest.raises(ReadError, match="mine"):
        take.uploads.ask(broken, Path("mine.jpg"), limit=3, side=480)


def test_no_picture_changes_nothing(index, take, tmp_path):
    take(picture(1))
    generation = index.generation
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"nothing")
    with pytest.raises(ReadError) as found:
        take.uploads.take(bad, PLACE, hashlib.sha256(b"nothing").digest())
    assert (found.value.reason, found.value.path) == (Reason.NOT_AN_IMAGE, PLACE)
    assert str(tmp_path) not in str(found.value)
    assert index.generation == generation


def test_what_is_known_is_not_described_again(index, take, monkeypatch):
    taken = take(picture(1))
    monkeypatch.setattr(take.uploads, "_describe", None)
    assert take(picture(1)).images == taken.images
    assert take(picture(1), Path("upload:/copy.png")).placed == 1


def test_one_that_was_forgotten_meanwhile_is_described_after_all(index, take, monkeypatch):
    take(picture(1))
    described = catalog_images.described

    def forgotten(connection, ids):
        catalog_locations.forget_under(connection, PLACE)
        catalog_locations.delete_unplaced(connection, ids)
        return described(connection, ids)

    with monkeypatch.context() as patched:
        patched.setattr(catalog_images, "described", forgotten)
        with pytest.raises(KeyError):
            take.uploads._store(PLACE, 1, known=next(index.images()).id)
    taken = take(picture(1), Path("upload:/other.png"))
    assert len(list(index.images())) == 1
    assert PLACE in {place.path for place in taken.images[0].locations}  # a transaction that fails takes nothing back


def test_two_at_once_with_one_picture(index, tmp_path):
    """The later one finds the image of the earlier one, although neither knew of it when they began."""
    file = save(tmp_path / "x.png", picture(3))
    digest = hashlib.sha256(file.read_bytes()).digest()
    with index.uploads() as uploads:
        described = uploads._describe(file, PLACE)
        both = threading.Barrier(2)

        def describe(file, name, frames=0):
            both.wait(20)
            return described

        uploads._describe = describe
        taken = []
        threads = [
            threading.Thread(target=lambda n=n: taken.append(uploads.take(file, Path(f"upload:/{n}.png"), digest)))
            for n in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert sorted(some.added for some in taken) == [0, 1]
    [image] = index.images()
    assert len(image.locations) == 2


def elsewhere(tasks):
    return [FileResult(task, task.state, bytes_read=os.getpid()) for task in tasks]


def test_one_worker_is_another_process_too():
    with Pool(elsewhere, died=died, workers=1, single=Single.OWN) as pool:
        task = module.FileTask(module.FileState(Path("x"), 0, 0, 0), module.Settings())
        [[result]] = pool.map([[task]])
    assert result.bytes_read != os.getpid()


def test_after_the_end(index, tmp_path):
    file = save(tmp_path / "x.png", picture(1))
    uploads = index.uploads()
    uploads.close()
    with pytest.raises(DedupIndexError):
        uploads.take(file, PLACE, b"0" * 32)
