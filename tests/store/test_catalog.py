import os
from pathlib import Path

import numpy as np

from dedupindex.errors import Reason
from dedupindex.records import Failure, Link, Registration, Relation, Verification, VerificationMeasures
from dedupindex.store import catalog, catalog_images, catalog_locations, catalog_pairs
from dedupindex.store.rows import FileState, SegmentRow
from tests.store.samples import digest, new_image

VERSIONS = {"descriptor": "1", "hashes": "1"}


def state(path: str | bytes, size: int = 10) -> FileState:
    return FileState(Path(os.fsdecode(path)), size, 1_700_000_000_000_000_001, 2**64 - 5)


def put(connection, *images, run=None):
    run = run or catalog.start_run(connection, "ingest")
    return catalog_images.put_images(connection, images, VERSIONS, run)[0], run


def test_images_are_stored_once(database):
    with database.write() as connection:
        ids, run = put(connection, new_image("a"), new_image("b"), new_image("b"))
        again, added = catalog_images.put_images(connection, [new_image("b"), new_image("c")], VERSIONS, run)
    assert added == 1
    assert again[digest("b"), 0] == ids[digest("b"), 0]
    with database.read() as connection:
        found = catalog_images.features(connection, list(again.values()))
        assert found[ids[digest("b"), 0]]["hashes"] == b"b"
        assert catalog.counts(connection)["images"] == 3
        assert catalog.orphans(connection) == {}


def test_names_that_are_no_text_survive(database):
    odd = b"/pictures/\xff\xfe\n<img onerror>\xe4.png"
    with database.write() as connection:
        ids, run = put(connection, new_image("a"))
        catalog_locations.put_locations(connection, [(state(odd), 0, ids[digest("a"), 0])], run)
    with database.read() as connection:
        record = catalog_images.at_location(connection, Path(os.fsdecode(odd)))
        assert os.fsencode(record.locations[0].path) == odd
        known = catalog_locations.known_files(connection, [Path(os.fsdecode(odd))])
        assert catalog_locations.same_state(known[Path(os.fsdecode(odd))], state(odd))
    assert catalog.display(Path(os.fsdecode(odd))).isprintable()


def test_a_location_moves_to_its_new_image(database):
    with database.write() as connection:
        ids, run = put(connection, new_image("a"), new_image("b"))
        a, b = ids[digest("a"), 0], ids[digest("b"), 0]
        assert catalog_locations.put_locations(connection, [(state("/x"), 0, a), (state("/y"), 0, a)], run) == 2
        assert catalog_locations.put_locations(connection, [(state("/x"), 0, b), (state("/y"), 0, a)], run) == 1
    with database.read() as connection:
        found = catalog_images.by_id(connection, [a, b])
        assert [str(place.path) for place in found[b].locations] == ["/x"]
        assert [str(place.path) for place in found[a].locations] == ["/y"]


def test_a_stack_counts_as_read_when_its_first_frame_stands(database):
    path = Path("/stack.tif")
    images = [new_image("stack", frame=n, frames=3) for n in range(3)]
    with database.write() as connection:
        ids, run = put(connection, *images)
        late = [(state("/stack.tif"), n, ids[images[n].key]) for n in (1, 2)]
        catalog_locations.put_locations(connection, late, run)
        assert catalog_locations.known_files(connection, [path]) == {}
        catalog_locations.put_locations(connection, [(state("/stack.tif"), 0, ids[images[0].key])], run)
        known = catalog_locations.known_files(connection, [path])[path]
        assert (known.frames, known.frame_count) == (3, 3)
        later = catalog.start_run(connection, "ingest")
        catalog_locations.put_locations(connection, [(state("/stack.tif", 5), 0, ids[images[1].key])], later)
        catalog_locations.drop_other_frames(connection, [path], later)
        assert catalog_locations.known_files(connection, [path])[path].frames == 1


def test_paths_under_a_folder_only(database):
    names = ["/a/b", "/a/b/c.png", "/a/b-d.png", "/a/bc", "/a/b/d/e.png"]
    with database.write() as connection:
        ids, run = put(connection, new_image("a"))
        catalog_locations.put_locations(connection, [(state(n), 0, ids[digest("a"), 0]) for n in names], run)
        failure = Failure(Path("/a/b/bad.png"), Reason.EMPTY, "0 bytes")
        catalog.put_failures(connection, [(state("/a/b/bad.png"), failure)], run)
    with database.read() as connection:
        found = [str(p) for some in catalog_locations.paths_under(connection, Path("/a/b"), 1) for p in some]
    assert found == ["/a/b", "/a/b/c.png", "/a/b/d/e.png", "/a/b/bad.png"]


def test_missing_and_back(database):
    with database.write() as connection:
        ids, run = put(connection, new_image("a"))
        catalog_locations.put_locations(connection, [(state("/x"), 0, ids[digest("a"), 0])], run)
        assert catalog_locations.mark(connection, [Path("/x")], run, missing=True) == 1
        assert catalog_locations.mark(connection, [Path("/x")], run, missing=True) == 0
        assert catalog.counts(connection)["missing"] == 1
        assert catalog_locations.mark(connection, [Path("/x")], run, missing=False) == 1


def test_descriptors_keep_the_order_asked_for(database):
    images = [new_image(name) for name in "abc"] + [new_image("blank", low=True)]
    with database.write() as connection:
        ids, _ = put(connection, *images)
    with database.read() as connection:
        assert list(catalog_images.indexable_ids(connection)) == [ids[i.key] for i in images[:3]]
        wanted = np.array([ids[images[2].key], ids[images[0].key], 99])
        kept, data = catalog_images.descriptors(connection, wanted, 8)
        assert list(kept) == list(wanted[:2])
        assert data[0].tobytes() == images[2].features["descriptor"]
        assert catalog_images.descriptors(connection, wanted, 9)[1].shape == (0, 9)


def test_indexable_ids_are_listed_part_by_part(database, monkeypatch):
    monkeypatch.setattr(catalog_images, "IDS_AT_ONCE", 3)
    with database.read() as connection:
        assert catalog_images.indexable_ids(connection).tolist() == []
    with database.write() as connection:
        ids, _ = put(connection, *(new_image(f"{n}", low=n % 5 == 0) for n in range(20)))
        gone = [ids[digest(f"{n}"), 0] for n in range(6, 13)]
        assert catalog_locations.delete_unplaced(connection, gone) == 7
        kept = [ids[digest(f"{n}"), 0] for n in range(20) if n % 5 and not 6 <= n < 13]
        assert catalog_images.indexable_ids(connection).tolist() == sorted(kept)


def test_pixel_twins(database):
    images = [new_image(name, pixels="same") for name in "abc"] + [new_image("blank", pixels="same", low=True)]
    with database.write() as connection:
        ids, _ = put(connection, *images)
        a = ids[images[0].key]
        others = sorted(images[1:3], key=lambda i: i.key)
        assert catalog_images.pixel_twins(connection, [a], 9) == {a: [ids[i.key] for i in others]}
        assert len(catalog_images.pixel_twins(connection, [a], 1)[a]) == 1


def test_pairs_come_back_as_they_went_in(database):
    verification = Verification(
        accepted=True,
        score=0.91,
        relations=(Relation.CROP_OF, Relation.TONE),
        registration=Registration((3.5, -2.0), 1.5, 10.0, True, 0.7, ((1, 2, 3), (4, 5, 6)), "keypoints", 0.8),
        reason="keypoints agree",
        measures=VerificationMeasures(ncc=0.97),
        crop_box=(1, 2, 3, 4),
        crop_of="a",
        version="1",
    )
    with database.write() as connection:
        ids, run = put(connection, new_image("a"), new_image("b"))
        a, b = (ids[i.key] for i in sorted([new_image("a"), new_image("b")], key=lambda i: i.key))
        assert catalog_pairs.put_pairs(connection, [(a, b, verification)], run) == 1
        catalog_pairs.put_pairs(connection, [(a, b, verification)], run)
    with database.read() as connection:
        [pair] = catalog_pairs.pairs(connection)
        assert pair.verification == verification
        assert (pair.a.id, pair.b.id) == (a, b)
        assert catalog_pairs.known_pairs(connection, [b]) == {(a, b)}
        assert catalog_pairs.pairs(connection, among={a}) == []
        assert catalog_pairs.pairs(connection, among={a, b, 99}) == [pair]
        assert catalog_pairs.edges(connection, min_score=0.5) == [(a, b, Link.UNPROVEN)]
        assert catalog_pairs.edges(connection, min_score=0.95) == []


def test_runs_failures_and_segments(database):
    with database.write() as connection:
        run = catalog.start_run(connection, "ingest")
        assert catalog.runs(connection, "ingest") == []
        catalog.finish_run(connection, run, {"added": 3})
        failure = Failure(Path("/x"), Reason.EMPTY, "0 bytes")
        catalog.put_failures(connection, [(state("/x"), failure)], run)
        catalog.put_failures(connection, [(state("/x"), failure)], run)
        segment = SegmentRow("s.faiss", 3, 1, "f", "d", "s", "IVF", b"")
        number = catalog.put_segment(connection, segment)
    with database.write() as connection:
        assert catalog.runs(connection)[0].summary == {"added": 3}
        assert catalog.run_record(connection, run).finished is not None
        assert catalog.failures(connection) == [failure]
        assert catalog_locations.known_files(connection, [Path("/x")])[Path("/x")].failure == failure
        catalog.clear_failures(connection, [Path("/x")])
        assert catalog.failures(connection) == []
        assert catalog.segments(connection)[0].file == "s.faiss"
        catalog.delete_segments(connection, [number])
        assert catalog.segments(connection) == []


def test_searching_is_remembered(database):
    with database.write() as connection:
        ids, run = put(connection, *(new_image(name) for name in "abc"))
        catalog_images.mark_searched(connection, [min(ids.values())], run)
        assert catalog_images.unsearched(connection) == sorted(ids.values())[1:]
        assert len(catalog_images.unsearched(connection, 1)) == 1
        catalog_images.mark_unsearched(connection)
        assert len(catalog_images.unsearched(connection)) == 3
