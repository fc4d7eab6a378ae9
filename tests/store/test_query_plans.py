"""What is asked about some images reads the rows of these, however many others there are."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, create_engine, event, select

from dedupindex.records import Outcome, Proof
from dedupindex.search.candidates import SAME_PIXELS
from dedupindex.store import (
    catalog,
    catalog_images,
    catalog_locations,
    catalog_merge,
    catalog_pairs,
    catalog_proofs,
)
from dedupindex.store.schema import Location
from tests.store.samples import digest, new_image
from tests.store.test_catalog import VERSIONS, put, state

LARGE = "image|location|feature|pair|proof"
SOME = [digest("a"), digest("b")]
STEPS: dict[str, Callable[[Connection, int], object]] = {
    "put_images": lambda c, run: catalog_images.put_images(c, [new_image("a"), new_image("new")], VERSIONS, run),
    "ids_of_content": lambda c, run: catalog_images.ids_of_content(c, [(sha, 0) for sha in SOME]),
    "ids_of_content, frames": lambda c, run: catalog_images.ids_of_content(c, [(SOME[0], n) for n in range(9)]),
    "without_features": lambda c, run: catalog_images.without_features(c, [1, 2]),
    "described": lambda c, run: catalog_images.described(c, [1, 2]),
    "by_id": lambda c, run: catalog_images.by_id(c, [1, 2]),
    "at_location": lambda c, run: catalog_images.at_location(c, Path("/a")),
    "features": lambda c, run: catalog_images.features(c, [1, 2]),
    "sketches": lambda c, run: catalog_images.sketches(c, [1, 2], "frame"),
    "descriptors": lambda c, run: catalog_images.descriptors(c, np.array([1, 2]), 8),
    "mark_searched": lambda c, run: catalog_images.mark_searched(c, [1, 2], run),
    "unsearched": lambda c, run: catalog_images.unsearched(c, 5),
    "pixel_twins": lambda c, run: catalog_images.pixel_twins(c, [1, 2], 5),
    "contents": lambda c, run: catalog_images.contents(c, [1, 2]),
    "ids_of_pixels": lambda c, run: catalog_images.ids_of_pixels(c, b"p", 40, 30, 5),
    "known_files": lambda c, run: catalog_locations.known_files(c, [Path("/a"), Path("/b")]),
    "put_locations": lambda c, run: catalog_locations.put_locations(c, [(state("/a"), 0, 1), (state("/c"), 0, 2)], run),
    "drop_other_frames": lambda c, run: catalog_locations.drop_other_frames(c, [Path("/a")], run),
    "mark": lambda c, run: catalog_locations.mark(c, [Path("/a")], run, missing=True),
    "last_id": lambda c, run: catalog_locations.last_id(c),
    "images_found_again": lambda c, run: catalog_locations.images_found_again(c, 1),
    "places_of": lambda c, run: catalog_locations.places_of(c, [1, 2]),
    "places_at": lambda c, run: catalog_locations.places_at(c, [Path("/a")]),
    "places_under": lambda c, run: catalog_locations.places_under(c, Path("/a")),
    "images_under": lambda c, run: list(catalog_locations.images_under(c, Path("/a"))),
    "place_counts": lambda c, run: catalog_locations.place_counts(c, [1, 2]),
    "count_files_under": lambda c, run: catalog_locations.count_files_under(c, Path("/a")),
    "rewrite": lambda c, run: catalog_locations.rewrite(c, [(1, state("/e"), False)], run),
    "drop_places": lambda c, run: catalog_locations.drop_places(c, [1]),
    "mark_under": lambda c, run: catalog_locations.mark_under(c, Path("/a"), run),
    "mark_unsearched_of": lambda c, run: catalog_images.mark_unsearched_of(c, [1, 2]),
    "put_pairs": lambda c, run: catalog_pairs.put_pairs(c, [(1, 2, SAME_PIXELS)], run),
    "known_pairs": lambda c, run: catalog_pairs.known_pairs(c, [1, 2]),
    "animations": lambda c, run: catalog_images.animations(c, [1, 2]),
    "with_registrations": lambda c, run: catalog_proofs.with_registrations(c, [(1, 2), (1, 3), (2, 3)]),
    "direct_proofs": lambda c, run: catalog_proofs.direct_proofs(c, [1, 2], "1"),
    "rows_among": lambda c, run: catalog_proofs.rows_among(c, [(1, 2), (1, 3), (2, 3)]),
    "same_pixel_pairs": lambda c, run: catalog_proofs.same_pixel_pairs(c, [1, 2]),
    "put_proofs": lambda c, run: catalog_proofs.put_proofs(
        c, [catalog_proofs.StoredProof(1, 2, Proof(Outcome.SAME, version="1"), derived=False)], run
    ),
    "changed labels": lambda c, run: catalog_locations.changed_labels(c, {Path("/a"): "one"}),
    "put_labels": lambda c, run: catalog_locations.put_labels(c, {Path("/a"): "one"}),
    "images_after": lambda c, run: catalog_merge.images_after(c, 1, 5),
    "pairs_after": lambda c, run: catalog_merge.pairs_after(c, (1, 1), 5),
    "locations_after": lambda c, run: catalog_merge.locations_after(c, 1, 5),
    "frames_at": lambda c, run: catalog_merge.frames_at(c, [Path("/a")]),
    "present_places": lambda c, run: catalog_merge.present_places(c, [(Path("/a"), 0), (Path("/b"), 0)]),
    "drop_frames": lambda c, run: catalog_merge.drop_frames(c, [(Path("/a"), 0)]),
}


@contextmanager
def watched(connection: Connection) -> Iterator[list[str]]:
    """SQLite's plans of all that is executed meanwhile."""
    executed = []

    def note(_connection, _cursor, statement, parameters, _context, many):
        if re.match(r"\s*(select|insert|update|delete)", statement, re.IGNORECASE):
            executed.append((statement, parameters[0] if many else parameters))

    plans: list[str] = []
    event.listen(connection, "before_cursor_execute", note)
    try:
        yield plans
    finally:
        event.remove(connection, "before_cursor_execute", note)
    for statement, parameters in executed:
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        plans.append(" / ".join(row[-1] for row in rows) + f" in {statement[:200]}")


@pytest.mark.parametrize("step", STEPS)
def test_no_step_of_a_batch_goes_through_a_whole_table(file_database, step):
    with file_database.write() as connection:
        ids, run = put(connection, new_image("a"), new_image("b"))
        catalog_locations.put_locations(connection, [(state("/a"), 0, ids[digest("a"), 0])], run)
        with watched(connection) as plans:
            STEPS[step](connection, run)
    assert plans
    assert [plan for plan in plans if re.search(rf"SCAN (TABLE )?({LARGE})\b", plan)] == []


def test_paths_under_a_folder_are_read_once(file_database):
    """Every batch begins where the last one ended, not at the first path again."""
    with file_database.write() as connection:
        ids, run = put(connection, new_image("a"))
        places = [(state(f"/f/{number}"), 0, ids[digest("a"), 0]) for number in range(9)]
        catalog_locations.put_locations(connection, places, run)
        with watched(connection) as plans:
            found = list(catalog_locations.paths_under(connection, Path("/f"), 2))
    assert [len(some) for some in found] == [2, 2, 2, 2, 1]
    located = [plan for plan in plans if "FROM location" in plan]
    assert len(located) == 6
    assert sum("MULTI-INDEX OR" in plan for plan in located) == 1
    assert not any("TEMP B-TREE" in plan or "SCAN location" in plan for plan in located[1:])


@pytest.fixture(scope="module")
def engine_of_memory():
    engine = create_engine("sqlite://")
    Location.__table__.create(engine)
    yield engine
    engine.dispose()


@pytest.mark.parametrize(
    ("keys", "queries"),
    [
        ([(b"%d" % number, 0) for number in range(400)], 1),
        ([(b"stack", number) for number in range(400)], 1),
        ([(b"stack", number) for number in range(400)] + [(b"%d" % number, 0) for number in range(400)], 2),
        ([(b"%d" % stack, number) for stack in range(2) for number in range(400)], 2),
        ([(b"%d" % number, 0) for number in range(1100)], 3),
        ([], 0),
    ],
)
def test_batches_take_few_queries(keys, queries):
    found = list(catalog.under_keys(select(Location.path), Location.path, Location.frame, keys))
    assert len(found) == queries


KEYS = st.tuples(st.sampled_from(["a", "b", "c", "d"]), st.integers(0, 4))


@given(stored=st.sets(KEYS), asked=st.lists(KEYS))
def test_rows_under_keys_are_those_of_a_dictionary(engine_of_memory, stored, asked):
    with engine_of_memory.connect() as connection:
        rows = [
            {"path": name.encode(), "display": name, "frame": frame, "size": 0, "mtime_ns": 0, "inode": 0}
            | {"missing": False, "image_id": 1, "added_run": 1, "changed_run": 1}
            for name, frame in stored
        ]
        if rows:
            connection.execute(Location.__table__.insert(), rows)
        keys = {(os.fsencode(name), frame) for name, frame in asked}
        every = select(Location.path, Location.frame)
        found = [
            (row.path.decode(), row.frame)
            for query in catalog.under_keys(every, Location.path, Location.frame, keys)
            for row in connection.execute(query)
        ]
        connection.rollback()
    assert sorted(found) == sorted(stored & set(asked))
