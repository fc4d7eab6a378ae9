import itertools
import os
import shutil
import signal
import subprocess
import sys

import cv2
import numpy as np
import pytest

from dedupindex import Index
from dedupindex.errors import SettingsError
from dedupindex.search import piece_cache
from dedupindex.search.piece_cache import PieceCache
from dedupindex.search.pieces import find_new_pieces
from dedupindex.store import catalog_pieces
from dedupindex.vectors.piece_segments import SUFFIX, lists_digest
from tests.scenes import photograph
from tests.verify.pieces.test_confirmation import near, page, planted, scaled

NAMES = ("astronaut", "coffee", "cat", "rocket", "coins", "camera")


def save(path, picture):
    cv2.imwrite(str(path), np.ascontiguousarray(picture[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, 90])


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Six photographs; a crop, a collage, a page with one of them, and a page without any."""
    folder = tmp_path_factory.mktemp("pictures")
    for name in NAMES:
        save(folder / f"{name}.jpg", photograph(name))
    save(folder / "crop.jpg", photograph("astronaut")[100:240, 240:400])
    sheet, _ = planted(["astronaut", "coffee", "cat"], [(20, 30), (300, 40), (330, 500)])
    save(folder / "collage.jpg", sheet)
    save(folder / "page.jpg", page(1, photograph("cat")))
    save(folder / "text.jpg", page(2))
    return folder


@pytest.fixture(scope="module")
def searched(pictures, tmp_path_factory):
    path = tmp_path_factory.mktemp("index") / "a.db"
    with Index.open(path, create=True, profile="pieces", workers=1) as index:
        index.ingest([pictures])
        index.find_duplicates()
    return path


def names(piece):
    return piece.container.locations[0].path.name, piece.part.locations[0].path.name


def found(index):
    return {names(piece) for piece in index.report(find=False).pieces}


EXPECTED = {
    ("astronaut.jpg", "crop.jpg"),
    ("collage.jpg", "astronaut.jpg"),
    ("collage.jpg", "coffee.jpg"),
    ("collage.jpg", "cat.jpg"),
    ("page.jpg", "cat.jpg"),
}


def whole(index):
    """Pairs that are confirmed as copies: a crop may be one, and is no piece then."""
    return {frozenset((pair.a.locations[0].path.name, pair.b.locations[0].path.name)) for pair in index.report().pairs}


def test_pieces_are_found_and_strangers_are_not(searched):
    with Index.open(searched) as index:
        got, copies = found(index), whole(index)
        for pair in EXPECTED:
            assert pair in got or frozenset(pair) in copies, pair
        assert not {name for pair in got for name in pair} & {"text.jpg", "rocket.jpg", "coins.jpg", "camera.jpg"}
        assert ("collage.jpg", "coffee.jpg") in got  # collages at least are beyond the search for copies


def test_pieces_join_no_group_and_no_plan(searched):
    from dedupindex.actions.plan_options import PlanOptions
    from dedupindex.records import Relation

    with Index.open(searched) as index:
        report = index.report()
        grouped = {frozenset(m.path.name for m in group.members) for group in report.groups}
        copies = whole(index)
        for names_of in grouped:
            assert all(frozenset(pair) in copies or len(names_of) > 2 for pair in itertools.combinations(names_of, 2))
        plan = index.plan(PlanOptions(relations=(Relation.SAME_BYTES, Relation.PIECE_OF)))
        assert not plan.items


def test_where_a_piece_lies(searched):
    with Index.open(searched) as index:
        [piece] = [one for one in index.report().pieces if names(one) == ("collage.jpg", "coffee.jpg")]
        small = scaled(photograph("coffee"), 0.4)
        assert near(piece.found.box, (300, 40, *small.shape[:2]), 15)
        assert piece.found.scale == pytest.approx(0.4, abs=0.02)


def test_incremental_equals_rebuild(searched, pictures, tmp_path):
    with Index.open(tmp_path / "b.db", create=True, profile="pieces", workers=1) as index:
        for file in sorted(pictures.iterdir(), reverse=True):
            index.ingest([file])
            index.find_duplicates()
        with Index.open(searched) as other:
            assert found(index) == found(other)
            one = {names(p): p.found for p in index.report().pieces}
            assert one == {names(p): p.found for p in other.report().pieces}


def test_a_second_search_finds_nothing_to_do(searched):
    with Index.open(searched, workers=1) as index:
        before = [names(piece) for piece in index.report().pieces]
        summary = index.find_duplicates().pieces
        assert summary is not None
        assert (summary.searched, summary.pieces) == (0, 0)
        assert [names(piece) for piece in index.report().pieces] == before


def test_the_local_engine_finds_the_same(searched, pictures, tmp_path):
    with Index.open(tmp_path / "b.db", create=True, profile="pieces", workers=1, engine="local") as index:
        index.ingest([pictures])
        index.find_duplicates()
        with Index.open(searched) as other:
            assert found(index) == found(other)


def test_forgotten_pictures_take_their_pieces_along(searched, pictures, tmp_path):
    shutil.copy(searched, tmp_path / "b.db")
    with Index.open(tmp_path / "b.db", workers=1) as index:
        index.forget([pictures / "collage.jpg"])
        assert not any("collage.jpg" in pair for pair in found(index))
        assert all(match.image.locations for match in index.query_pieces(photograph("coffee")))


def test_a_query_for_a_region_says_where(searched, pictures):
    with Index.open(searched) as index:
        matches = index.query_pieces(pictures / "coffee.jpg", box=(80, 120, 220, 260))
        shown = {match.image.locations[0].path.name: match for match in matches}
        assert "collage.jpg" in shown
        found_at = shown["collage.jpg"].found
        assert shown["collage.jpg"].stored_contains
        assert near(found_at.box, (300 + 0.4 * 80, 40 + 0.4 * 120, 0.4 * 220, 0.4 * 260), 15)
        assert near(found_at.part_box, (80, 120, 220, 260), 25)
        elsewhere = index.query_pieces(pictures / "collage.jpg", box=(0, 500, 200, 300))  # black
        assert elsewhere == []


def test_other_profiles_say_that_they_have_no_pieces(pictures, tmp_path):
    with Index.open(tmp_path / "b.db", create=True, workers=1) as index:
        index.ingest([pictures / "coffee.jpg"])
        assert index.find_duplicates().pieces is None
        assert index.report().pieces == ()
        with pytest.raises(SettingsError, match="profile pieces"):
            index.query_pieces(pictures / "coffee.jpg")


def test_a_box_beside_the_picture_is_refused(searched, pictures):
    with Index.open(searched) as index, pytest.raises(SettingsError, match="shows nothing"):
        index.query_pieces(pictures / "coffee.jpg", box=(9000, 0, 10, 10))


# ------------------------------------------------------------------------------------------------------- cache
def cache_of(index, **options):
    return PieceCache(index._database, index.fingerprint, **options)


def content(lists):
    """Which entries there are, whatever files they lie in."""
    rows = []
    for one in lists:
        seen = ~one.hidden[one.lists.owner]
        ids = one.lists.images[one.lists.owner[seen]]
        rows += zip(ids.tolist(), one.lists.signature[seen].tolist(), one.lists.place[seen, 0].tolist(), strict=True)
    return sorted(rows)


@pytest.fixture
def sealed(searched, tmp_path):
    """An index of which five pictures are sealed in one file."""
    shutil.copy(searched, tmp_path / "b.db")
    with Index.open(tmp_path / "b.db", workers=1) as index:
        cache = cache_of(index, tail_limit=5)
        cache.save()
        assert len(list(index._database.vectors.glob(f"*{SUFFIX}"))) == 1
        yield index


def test_sealed_and_in_memory_hold_the_same(sealed):
    again = cache_of(sealed)
    assert len(again._sealed) == 0
    lists = again.current()
    assert len(again._sealed) == 1
    with sealed._database.read() as connection:
        ids = catalog_pieces.entry_ids(connection)
        fresh = again._made(connection, ids)
    assert lists_digest(lists[0].lists) == lists_digest(fresh)


@pytest.mark.parametrize("damage", ["flip", "cut", "gone", "settings"])
def test_damaged_files_are_made_again(sealed, damage, caplog):
    before = content(cache_of(sealed).current())
    [file] = sealed._database.vectors.glob(f"*{SUFFIX}")
    if damage == "gone":
        file.unlink()
    elif damage == "settings":
        with sealed._database.write() as connection:
            connection.exec_driver_sql("UPDATE piece_segment SET fingerprint = 'other'")
    else:
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 1
        file.write_bytes(bytes(data) if damage == "flip" else bytes(data[:-100]))
    cache = cache_of(sealed, tail_limit=5)
    assert content(cache.current()) == before
    cache.save()
    assert content(cache_of(sealed).current()) == before
    assert cache_of(sealed)._untrusted is False
    last = cache_of(sealed)
    last.current()
    assert last._untrusted is False
    assert len(last._sealed) == 1


def test_check_names_damaged_files(sealed):
    assert [p.code for p in sealed.check()] == []
    [file] = sealed._database.vectors.glob(f"*{SUFFIX}")
    data = file.read_bytes()
    file.write_bytes(data[:-1])
    assert [p.code for p in sealed.check()] == ["vector_file_unusable"]
    file.write_bytes(data)
    with sealed._database.write() as connection:
        connection.exec_driver_sql("UPDATE piece_segment SET row_digest = 'other'")
    assert [p.code for p in sealed.check()] == ["vector_file_unusable"]
    with sealed._database.write() as connection:
        connection.exec_driver_sql("UPDATE piece_segment SET fingerprint = 'other'")
    assert [p.code for p in sealed.check()] == ["vector_file_of_other_settings"]


def test_removed_pictures_are_hidden_and_later_dropped(sealed):
    with sealed._database.read() as connection:
        ids = catalog_pieces.entry_ids(connection)
    cache = cache_of(sealed, tail_limit=5)
    cache.current()
    with sealed._database.write() as connection:
        connection.exec_driver_sql(f"DELETE FROM image WHERE id IN ({ids[0]}, {ids[1]}, {ids[2]})")
    assert {row[0] for row in content(cache.current())}.isdisjoint(ids[:3].tolist())
    assert cache.current()[0].hidden.sum() == 3
    cache.save()  # more than a fifth is gone
    assert cache.current()[0].hidden.sum() == 0
    assert {row[0] for row in content(cache.current())} == set(ids[3:].tolist())


def test_strays_are_swept(sealed):
    stray = sealed._database.vectors / f"segment-0123456789abcdef-00000000{SUFFIX}"
    stray.write_bytes(b"x")
    os.utime(stray, (1, 1))
    cache_of(sealed).save()
    assert not stray.exists()


def test_a_killed_writer_leaves_no_trace(searched, tmp_path, monkeypatch):
    """Killed between the file and its row: the file is a stray, the index is whole."""
    shutil.copy(searched, tmp_path / "b.db")
    script = (
        "import os, signal, sys\n"
        "from dedupindex import Index\n"
        "from dedupindex.search.piece_cache import PieceCache\n"
        "from dedupindex.store import catalog_pieces\n"
        "catalog_pieces.put_piece_segment = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "with Index.open(sys.argv[1], workers=1) as index:\n"
        "    PieceCache(index._database, index.fingerprint, tail_limit=5).save()\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path / "b.db")], check=False)
    assert done.returncode == -signal.SIGKILL
    with Index.open(tmp_path / "b.db", workers=1) as index:
        files = list(index._database.vectors.glob(f"*{SUFFIX}"))
        assert len(files) == 1
        for file in files:
            os.utime(file, (1, 1))
        cache = cache_of(index, tail_limit=5)
        cache.save()
        assert len(cache._sealed) == 1
        assert files[0] not in list(index._database.vectors.glob(f"*{SUFFIX}"))
        with index._database.read() as connection:
            assert lists_digest(cache.current()[0].lists) == lists_digest(
                cache._made(connection, catalog_pieces.entry_ids(connection))
            )


def test_an_interrupted_search_goes_on(searched, pictures, tmp_path, monkeypatch):
    from dedupindex.search import pieces

    monkeypatch.setattr(pieces, "BATCH", 3)
    with Index.open(tmp_path / "b.db", create=True, profile="pieces", workers=1) as index:
        index.ingest([pictures])
        calls = itertools.count()
        kept = pieces._search

        def stop(*arguments):
            if next(calls) == 2:
                raise KeyboardInterrupt
            kept(*arguments)

        monkeypatch.setattr(pieces, "_search", stop)
        with pytest.raises(KeyboardInterrupt):
            find_new_pieces(index._database, index._pieces, index.settings, engine=index._engine)
        monkeypatch.setattr(pieces, "_search", kept)
        summary = find_new_pieces(index._database, index._pieces, index.settings, engine=index._engine)
        assert summary.searched == 4
        index.find_duplicates()
        with Index.open(searched) as other:
            # copies are left out of the search for pieces, and were not known yet here
            assert found(index) >= found(other)


def test_blocks_are_limited(searched, tmp_path, monkeypatch):
    shutil.copy(searched, tmp_path / "b.db")
    monkeypatch.setattr(piece_cache, "BLOCK", 4)
    with Index.open(tmp_path / "b.db", workers=1) as index:
        whole_content = content(cache_of(index).current())
        cache = cache_of(index, tail_limit=5)
        cache.save()
        assert len(cache._sealed) == 3
        assert content(cache.current()) == whole_content


def test_records_come_back_from_the_database(searched):
    with Index.open(searched) as index:
        for piece in index.report().pieces:
            detail = catalog_pieces.detail_of(piece.found)
            assert catalog_pieces.found_of(piece.found.score, detail, piece.found.version) == piece.found
