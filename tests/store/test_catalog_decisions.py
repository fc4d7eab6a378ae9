from datetime import UTC, datetime
from pathlib import Path

from dedupindex.records import Decision
from dedupindex.store import catalog, catalog_decisions, catalog_images, catalog_locations
from dedupindex.store.rows import FileState
from tests.store.samples import new_image

NOW = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)


def test_decisions_come_back_oldest_first_and_are_replaced(database):
    later = NOW.replace(year=2027)
    first, second = Decision("keeper", "b", "", "note", later), Decision("keep-both", "a", "b", "", NOW)
    with database.write() as connection:
        catalog_decisions.put_decisions(connection, [first, second])
        catalog_decisions.put_decisions(connection, [])
    with database.read() as connection:
        assert catalog_decisions.decisions(connection) == [second, first]
    changed = Decision("not-duplicate", "a", "b", "no", later)
    with database.write() as connection:
        catalog_decisions.put_decisions(connection, [changed])
        assert catalog_decisions.delete_decisions(connection, [("b", ""), ("x", "y")]) == 1
        assert catalog_decisions.decisions(connection) == [changed]


def test_keys_between(database):
    images = [new_image(name, frame=frame) for name in "abc" for frame in (0, 2)]
    with database.write() as connection:
        catalog_images.put_images(connection, images, {}, catalog.start_run(connection, "ingest"))
    keys = sorted(image.sha256.hex() for image in images if image.frame == 0)
    first, last = bytes(32), b"\xff" * 32
    with database.read() as connection:
        assert catalog_decisions.keys_between(connection, first, last, 0, limit=9) == keys
        assert catalog_decisions.keys_between(connection, first, last, 2, limit=2) == [f"{key}#2" for key in keys[:2]]
        assert catalog_decisions.keys_between(connection, first, last, 1, limit=2) == []
        exact = bytes.fromhex(keys[1])
        assert catalog_decisions.keys_between(connection, exact, exact, 0, limit=9) == [keys[1]]


def test_standings_of_long_ago_are_forgotten(database, monkeypatch):
    monkeypatch.setattr(catalog_decisions, "KEPT_SNAPSHOTS", 3)
    with database.write() as connection:
        runs = [catalog.start_run(connection, "duplicates") for _ in range(6)]
        assert catalog_decisions.snapshot(connection, runs[-1]) is None
        for run in runs[:5]:
            catalog_decisions.put_snapshot(connection, run, {f"g{run}": ((1, 2), (3, 4))})
            catalog_decisions.put_snapshot(connection, run, {f"g{run}": ((1, run),)})
        assert catalog_decisions.snapshot(connection, runs[5]) == (runs[4], {f"g{runs[4]}": ((1, runs[4]),)})
        assert catalog_decisions.snapshot(connection, runs[2])[0] == runs[2]
        assert catalog_decisions.snapshot(connection, runs[1]) is None


def test_places_by_id(database):
    image = new_image("a")
    places = [FileState(Path(f"/{name}.png"), 1, 2, 3) for name in "xy"]
    with database.write() as connection:
        run = catalog.start_run(connection, "ingest")
        ids, _ = catalog_images.put_images(connection, [image], {}, run)
        catalog_locations.put_locations(connection, [(place, 0, ids[image.key]) for place in places], run)
        one, other = catalog_decisions.location_ids(connection, [ids[image.key], 99])[ids[image.key]]
        catalog_locations.mark(connection, [places[0].path], run, missing=True)
        assert catalog_decisions.location_ids(connection, [ids[image.key]]) == {ids[image.key]: [other]}
        found = catalog_decisions.locations_by_id(connection, [one, other, 99])
        present = catalog_locations.present_under(connection, Path("/"))
    assert [(number, some[1].path.name, some[1].missing) for number, some in found.items()] == [
        (one, "x.png", True),
        (other, "y.png", False),
    ]
    assert [place.address for place in present] == ["/y.png"]
