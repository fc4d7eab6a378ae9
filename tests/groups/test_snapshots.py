"""What is different since an earlier run: against a slow oracle that compares two whole reports."""

import shutil
import tempfile
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedupindex import Index, Selection, SettingsError
from dedupindex.evaluation import synthetic
from dedupindex.groups import snapshots
from dedupindex.groups.decisions import decide
from dedupindex.groups.report import report
from dedupindex.groups.snapshots import compare
from dedupindex.records import Outcome, Proof, Registration, Relation, Verification
from dedupindex.store import (
    catalog,
    catalog_decisions,
    catalog_images,
    catalog_locations,
    catalog_pairs,
    catalog_proofs,
)
from dedupindex.store.database import Database
from dedupindex.store.migrate import prepare_schema
from dedupindex.store.rows import FileState
from tests.amounts import examples
from tests.pictures import half, picture, save
from tests.store.samples import new_image
from tests.tools.fill_synthetic import fill_database

IMAGES = [new_image(f"image {number}") for number in range(6)]
PROOF = Verification(True, 0.9, (Relation.TONE,), Registration((0.0, 0.0)), "test")
NUMBER = st.integers(0, 5)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("place"), NUMBER, st.integers(0, 8)),
        st.tuples(st.just("gone"), st.integers(0, 8), st.just(0)),
        st.tuples(st.sampled_from(["pair", *Outcome]), NUMBER, NUMBER).filter(lambda step: step[1] != step[2]),
        st.tuples(st.sampled_from(["not-duplicate", "keep-both"]), NUMBER, NUMBER).filter(lambda s: s[1] != s[2]),
        NUMBER.map(lambda number: ("keep-both", number, number)),
    ),
    max_size=6,
)


def groups_of(database):
    """{group id: {image id: its places}} of a report of everything."""
    with database.read() as connection:
        found = report(connection)
    return {g.id: {m.image.id: {p.address for p in m.image.locations} for m in g.members} for g in found.groups}


def do(database, run, ids, steps):
    for what, one, other in steps:
        path = Path(f"/p/{one if what == 'gone' else other}.png")
        if what == "place":
            with database.write() as connection:
                catalog_locations.put_locations(connection, [(FileState(path, 1, 1, 1), 0, ids[one])], run)
        elif what == "gone":
            with database.write() as connection:
                catalog_locations.mark(connection, [path], run, missing=True)
        elif what == "pair" or isinstance(what, Outcome):
            a, b = sorted((one, other), key=lambda number: IMAGES[number].key)
            with database.write() as connection:
                catalog_pairs.put_pairs(connection, [(ids[a], ids[b], PROOF)], run)
                if isinstance(what, Outcome):
                    proof = catalog_proofs.StoredProof(ids[a], ids[b], Proof(what, version="test"), derived=False)
                    catalog_proofs.put_proofs(connection, [proof], run)
        else:
            decide(database, what, [IMAGES[one].sha256.hex(), IMAGES[other].sha256.hex()])


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A database of six images that are nowhere yet."""
    path = tmp_path_factory.mktemp("standing") / "t.db"
    made = Database(path, create=True)
    prepare_schema(made, create=True)
    with made.write() as connection:
        run = catalog.start_run(connection, "duplicates")
        stored, _ = catalog_images.put_images(connection, IMAGES, {}, run)
        catalog.finish_run(connection, run, {})
    made.close()
    return path, run, [stored[image.key] for image in IMAGES]


@given(first=STEPS, second=STEPS)
@examples(25)
def test_changes_are_the_difference_of_two_whole_reports(template, first, second):
    path, run, ids = template
    usual = [("place", number, number) for number in range(6)] + [("place", 5, 6), ("place", 0, 7)]
    usual += [("pair", 0, 1), ("pair", 1, 2), ("pair", 3, 4)]
    with tempfile.TemporaryDirectory() as folder:
        database = Database(Path(shutil.copy(path, folder)))
        do(database, run, ids, usual + first)
        snapshots.remember(database, run)
        then = groups_of(database)
        do(database, run, ids, second)
        now = groups_of(database)
        with database.read() as connection:
            current = snapshots.current(connection)
            changes = report(connection, since=run).changes
        database.close()
    # the quick way to the groups gives those of the report
    assert {group: {image for image, _ in places} for group, places in current.items()} == {
        group: set(images) for group, images in now.items()
    }
    assert {g: Counter(i for i, _ in places) for g, places in current.items()} == {
        g: Counter({i: len(places) for i, places in images.items()}) for g, images in now.items()
    }
    sizes_then = [{i: len(places) for i, places in images.items()} for images in then.values()]
    expected = {}
    for group, images in now.items():
        sizes = {i: len(places) for i, places in images.items()}
        if sizes in sizes_then:
            continue
        old = [some for some in then.values() if set(some) & set(images)]
        more = any(len(images[i]) > len(set().union(*(some.get(i, set()) for some in old))) for i in images)
        expected[group] = "new" if not old else "grown" if more or len(old) > 1 else "shrunk"
    still = {image for images in now.values() for image in images}
    expected_resolved = {group for group, images in then.items() if not set(images) & still}
    assert {change.id: change.kind for change in changes if change.kind != "resolved"} == expected
    assert {change.id for change in changes if change.kind == "resolved"} == expected_resolved
    for change in changes:
        if change.group is not None:
            here = {p.address for m in change.group.members for p in m.image.locations}
            assert {p.address for p in change.added} <= here
            assert not {p.address for p in change.removed if not p.missing} & here
        if change.kind == "new":
            assert {p.address for p in change.added} == here


A, B, C, D = (1, 10), (2, 20), (3, 30), (4, 40)


@pytest.mark.parametrize(
    ("then", "now", "expected"),
    [
        ({}, {"g": (A, B)}, [("new", "g", (), (A, B), ())]),
        ({"g": (A, B)}, {"g": (A, B)}, []),
        ({"g": (A, B)}, {"g": (A, (2, 21))}, []),  # a file was moved
        ({"g": (A, B)}, {"g": (A, B, C)}, [("grown", "g", ("g",), (C,), ())]),
        ({"g": (A, B)}, {"h": (A, B, C)}, [("grown", "h", ("g",), (C,), ())]),
        ({"g": (A, B)}, {"g": (A, B, (2, 21))}, [("grown", "g", ("g",), ((2, 21),), ())]),
        ({"g": (A, B, C)}, {"g": (A, B)}, [("shrunk", "g", ("g",), (), (C,))]),
        ({"g": (A, B), "h": (C, D)}, {"g": (A, B, C, D)}, [("grown", "g", ("g", "h"), (), ())]),
        ({"g": (A, B, C)}, {"g": (A, B, D)}, [("grown", "g", ("g",), (D,), (C,))]),
        (
            {"g": (A, B, C, D)},
            {"g": (A, B), "h": (C, D)},
            [("shrunk", "g", ("g",), (), (C, D)), ("shrunk", "h", ("g",), (), (A, B))],
        ),
        ({"g": (A, B)}, {}, [("resolved", "g", ("g",), (), (A, B))]),
    ],
)
def test_known_differences(then, now, expected):
    assert [(d.kind, d.id, d.before, d.added, d.removed) for d in compare(then, now)] == expected


def test_a_standing_like_the_one_before_takes_no_room(catalogue, tmp_path):
    save(tmp_path / "in" / "a.png", picture(1))
    save(tmp_path / "in" / "b.png", half(picture(1)))
    with Index.open(catalogue(tmp_path / "a.db"), create=True, workers=1) as index:
        for _ in range(4):
            index.ingest([tmp_path / "in"])
            index.find_duplicates()
        runs = [run.id for run in index.runs()]
        assert len(index.report(since=1).changes) == 1
        assert all(index.report(since=run).changes == () for run in runs[:-1])
    database = Database(catalogue(tmp_path / "a.db"), read_only=True)
    with database.read() as connection:
        assert catalog_decisions.snapshot(connection, runs[0])[0] == 2
    database.close()


def test_last_is_the_search_before_even_when_nothing_was_to_be_searched(catalogue, tmp_path):
    save(tmp_path / "in" / "a.png", picture(1))
    save(tmp_path / "in" / "b.png", half(picture(1)))
    with Index.open(catalogue(tmp_path / "a.db"), create=True, workers=1) as index:
        index.ingest([tmp_path / "in"])
        [change] = index.report(since="last").changes
        assert (change.kind, [p.path.name for p in change.added]) == ("new", ["a.png", "b.png"])
        assert index.report(since="last").changes == (change,)  # asking changes nothing
        (tmp_path / "in" / "b.png").unlink()
        index.ingest([tmp_path / "in"])
        [change] = index.report(since="last").changes
        assert (change.kind, change.group, [p.missing for p in change.removed]) == ("resolved", None, [False, True])
        index.ingest([tmp_path / "in"])
        assert index.report(since="last").changes == ()


def test_decisions_resolve(catalogue, tmp_path):
    save(tmp_path / "in" / "a.png", picture(1))
    save(tmp_path / "in" / "b.png", half(picture(1)))
    with Index.open(catalogue(tmp_path / "a.db"), create=True, workers=1) as index:
        index.ingest([tmp_path / "in"])
        index.find_duplicates()
        index.decide("keep-both", [tmp_path / "in" / "a.png", tmp_path / "in" / "b.png"])
        [change] = index.report(since=index.runs()[0].id).changes
        assert (change.kind, [p.missing for p in change.removed]) == ("resolved", [False, False])


def test_times(catalogue, tmp_path):
    save(tmp_path / "in" / "a.png", picture(1))
    save(tmp_path / "in" / "b.png", half(picture(1)))
    with Index.open(catalogue(tmp_path / "a.db"), create=True, workers=1) as index:
        before = datetime.now(UTC)
        index.ingest([tmp_path / "in"])
        index.find_duplicates()
        after = datetime.now(UTC)
        for since in (before, before.isoformat(), "2001-01-01", "7d", 0):
            found = index.report(since=since)
            assert (found.since, len(found.changes)) == (None, 1)
        for since in (after, (after + timedelta(days=1)).isoformat()):
            assert index.report(since=since).since.id == 2
            assert index.report(since=since).changes == ()
        for wrong in ("yesterday", "", "-3", "99999999999999999999", "1 week"):
            with pytest.raises(SettingsError, match=r"since is|no run"):
                index.report(since=wrong)


def test_a_selection_narrows_what_is_different(catalogue, tmp_path):
    save(tmp_path / "in" / "a.png", picture(1))
    save(tmp_path / "in" / "b.png", half(picture(1)))
    save(tmp_path / "in" / "x.png", picture(2))
    with Index.open(catalogue(tmp_path / "a.db"), create=True, workers=1) as index:
        index.ingest([tmp_path / "in"])
        index.find_duplicates()
        save(tmp_path / "more" / "c.png", picture(1)[20:, 30:])
        save(tmp_path / "more" / "y.png", half(picture(2)))
        index.ingest([tmp_path / "more"])
        everything = index.report(since="last")
        assert [(c.kind, [p.path.name for p in c.added]) for c in everything.changes] == [
            ("new", ["x.png", "y.png"]),
            ("grown", ["c.png"]),
        ]
        cropped = index.report(since="last", selection=Selection(relations=(Relation.CROP_OF,)))
        assert [[p.path.name for p in change.added] for change in cropped.changes] == [["c.png"]]
        there = index.report(since="last", selection=Selection(paths=(tmp_path / "in" / "x.png",)))
        assert [change.kind for change in there.changes] == ["new"]
        assert index.report(since="last", selection=Selection(paths=(tmp_path / "no",))).changes == ()


def test_exactly_the_changed_groups_of_a_larger_collection(tmp_path, monkeypatch):
    monkeypatch.setattr(synthetic, "BLOCK", 50)
    monkeypatch.setattr("tests.tools.fill_synthetic.LANDSCAPES", 20)
    path = tmp_path / "a.db"
    fill_database(path, 240, copies=0.2, show=False)
    with Index.open(path, workers=1, candidates=4) as index:
        index.find_duplicates()
        then = {frozenset(m.image.key for m in group.members) for group in index.report().groups}
    fill_database(path, 40, copies=0.4, show=False)
    with Index.open(path, workers=1, candidates=4) as index:
        found = index.report(since="last")
        now = {frozenset(m.image.key for m in group.members): group for group in index.report().groups}
    changed = {keys for keys in now if keys not in then}
    assert len(then) > 20
    assert 3 < len(changed) < 40
    assert {frozenset(m.image.key for m in group.members) for group in found.groups} == changed
    assert all(now[frozenset(m.image.key for m in g.members)] == g for g in found.groups)
    assert {c.kind for c in found.changes} >= {"new", "grown"}
