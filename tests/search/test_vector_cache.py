import dataclasses

import numpy as np
import pytest

from dedupindex.errors import SettingsMismatchError
from dedupindex.features import DESCRIPTOR_DIMENSIONS, unit
from dedupindex.search import vector_cache
from dedupindex.search.vector_cache import VectorCache
from dedupindex.store import catalog, catalog_images
from dedupindex.store.database import Database
from dedupindex.store.migrate import prepare_schema
from dedupindex.store.sqlite import vector_directory
from dedupindex.vectors import VectorIndex
from tests.store.samples import new_image

FINGERPRINT = "f"


@pytest.fixture
def database(catalogue, tmp_path):
    made = Database(catalogue(tmp_path / "v.db"), create=True)
    prepare_schema(made, create=True)
    yield made
    made.close()


@pytest.fixture
def file_database(tmp_path):
    """Where nobody waits for another one to seal."""
    made = Database(tmp_path / "v.db", create=True)
    prepare_schema(made, create=True)
    yield made
    made.close()


def descriptor(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(-127, 128, DESCRIPTOR_DIMENSIONS, dtype=np.int8)


def put(database: Database, numbers) -> dict[int, int]:
    """Store made-up images; number -> image id."""
    images = {
        n: dataclasses.replace(new_image(f"image {n}"), features={"descriptor": descriptor(n).tobytes()})
        for n in numbers
    }
    with database.write() as connection:
        run = catalog.start_run(connection, "ingest")
        ids, _ = catalog_images.put_images(connection, images.values(), {}, run)
    return {n: ids[image.key] for n, image in images.items()}


def nearest(cache: VectorCache, number: int) -> int:
    return int(cache.current().search(unit(descriptor(number)[None]), 2.0, 1)[0].ids[0])


def files(cache: VectorCache) -> set[str]:
    return {path.name for path in cache.directory.glob("*")} if cache.directory.is_dir() else set()


def rows(database: Database) -> list:
    with database.read() as connection:
        return catalog.segments(connection)


def test_small_collections_need_no_files(database):
    cache = VectorCache(database, FINGERPRINT)
    ids = put(database, range(20))
    assert all(nearest(cache, n) == image for n, image in ids.items())
    cache.save()
    assert not cache.directory.exists()
    assert cache.directory == database.vectors


def test_vector_files_lie_beside_a_file(tmp_path):
    made = Database(tmp_path / "v.db", create=True)
    assert made.vectors == vector_directory(tmp_path / "v.db") == tmp_path / "v.db.vectors"
    made.close()


def test_segments_grow_and_are_merged(database, monkeypatch):
    monkeypatch.setattr(vector_cache, "MOST_BLOCKS", 3)
    cache = VectorCache(database, FINGERPRINT, flat_limit=30)
    ids: dict[int, int] = {}
    seen = []
    for start in range(0, 400, 40):
        ids |= put(database, range(start, start + 40))
        cache.current()
        cache.save()
        seen.append(len(rows(database)))
        assert files(cache) == {row.file for row in rows(database)}
    assert max(seen) <= 3
    assert seen.count(1) > 1, "they were merged now and then"
    again = VectorCache(database, FINGERPRINT, flat_limit=30)
    found = [nearest(again, n) == image for n, image in ids.items()]
    assert np.mean(found) > 0.99
    assert again.current().unsaved() == []


def test_files_of_other_settings_are_not_used(database):
    cache = VectorCache(database, FINGERPRINT, flat_limit=10)
    put(database, range(30))
    cache.current()
    cache.save()
    before = files(cache)
    other = VectorCache(database, "g", flat_limit=10)
    assert len(other.current()) == 30
    other.save()
    assert [row.fingerprint for row in rows(database)] == ["g"]
    assert len(files(other)) == 1
    assert before


def test_a_folder_that_cannot_be_written_costs_only_time(database, caplog):
    cache = VectorCache(database, FINGERPRINT, flat_limit=10)
    ids = put(database, range(30))
    cache.directory.parent.mkdir(exist_ok=True)
    cache.directory.write_text("in the way")
    cache.current()
    cache.save()
    assert "not saved" in caplog.text
    assert nearest(cache, 7) == ids[7]
    assert rows(database) == []


def test_removed_images_leave_the_index(database):
    from sqlalchemy import delete

    from dedupindex.store.schema import Image

    cache = VectorCache(database, FINGERPRINT, flat_limit=10)
    ids = put(database, range(30))
    cache.current()
    cache.save()
    with database.write() as connection:
        connection.execute(delete(Image).where(Image.id.in_([ids[n] for n in range(10)])))
    for each in (cache, VectorCache(database, FINGERPRINT, flat_limit=10)):
        assert len(each.current()) == 20
        assert nearest(each, 3) != ids[3]
        assert nearest(each, 13) == ids[13]
    cache.save()  # a third is dead: everything is made anew
    assert sum(row.rows for row in rows(database)) == 20


def test_a_cache_drops_what_it_sealed_when_another_was_quicker(database):
    ids = put(database, range(30))
    caches = [VectorCache(database, FINGERPRINT, flat_limit=10) for _ in range(2)]
    caches[0].current()
    ids |= put(database, range(30, 60))
    caches[1].current()
    caches[0]._write_unsaved(caches[0]._index)  # 30 images; the other's block holds 60
    [row] = rows(database)
    caches[1]._write_unsaved(caches[1]._index)
    assert rows(database) == [row]
    assert files(caches[1]) == {row.file}
    assert len(caches[1].current()) == 60
    assert all(nearest(caches[1], n) == image for n, image in ids.items())
    caches[1].save()
    assert sum(row.rows for row in rows(database)) == 60


def test_rebuilding_at_the_same_time_leaves_the_files_of_one(file_database, monkeypatch):
    ids = put(file_database, range(30))
    one, other = (VectorCache(file_database, FINGERPRINT, flat_limit=10) for _ in range(2))
    real, begun = VectorIndex.save, []

    def meanwhile(self, *arguments, **options):
        if not begun:
            begun.append(True)
            other.rebuild()
        return real(self, *arguments, **options)

    monkeypatch.setattr(VectorIndex, "save", meanwhile)
    assert len(one.rebuild()) == 30
    assert files(one) == {row.file for row in rows(file_database)}
    assert len(rows(file_database)) == 1
    assert all(nearest(one, n) == image for n, image in ids.items())


def test_pictures_that_another_process_describes_anew_are_not_mixed_with_the_old(database):
    cache = VectorCache(database, FINGERPRINT)
    put(database, range(5))
    assert len(cache.current()) == 5
    with database.write() as connection:
        catalog.remember_settings(connection, {}, "g")
    with pytest.raises(SettingsMismatchError, match="open it again"):
        cache.current()
    assert len(VectorCache(database, "g").current()) == 5


def test_two_caches_that_seal_the_same_do_not_clash(database):
    put(database, range(30))
    caches = [VectorCache(database, FINGERPRINT, flat_limit=10) for _ in range(2)]
    for cache in caches:
        cache.current()
    for cache in caches:
        cache.save()
    last = VectorCache(database, FINGERPRINT, flat_limit=10)
    assert len(last.current()) == 30
    assert len(rows(database)) == 1
