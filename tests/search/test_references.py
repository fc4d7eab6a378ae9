"""A reference is compared with what is searched, and not with itself: in the search, when groups are closed, later."""

import os

import pytest

from dedupindex import Index
from dedupindex.store import catalog_pairs
from tests.pictures import half, picture, save


@pytest.fixture
def places(tmp_path):
    """Two pictures, each with two smaller copies in the archive; of the first, a copy on the card."""
    for number in (1, 2):
        pixels = picture(number, 240, 320)
        save(tmp_path / "archive" / f"{number}.png", pixels)
        save(tmp_path / "archive" / f"small{number}.png", half(pixels))
        save(tmp_path / "archive" / f"tiny{number}.png", half(half(pixels)))
    save(tmp_path / "card" / "1.jpg", picture(1, 240, 320), quality=90)
    return tmp_path


def stored_pairs(index):
    """Every stored pair, by names."""
    with index._database.read() as connection:
        pairs = catalog_pairs.pairs(connection)
    return {frozenset(image.locations[0].path.name for image in (pair.a, pair.b)) for pair in pairs}


def test_pairs_of_a_reference_are_neither_compared_nor_closed(places):
    with Index.open(places / "p.db", create=True, workers=1) as index:
        index.ingest([places / "card"], against=[places / "archive"])
        summary = index.find_duplicates()
        crossing = {frozenset(("1.jpg", name)) for name in ("1.png", "small1.png", "tiny1.png")}
        assert stored_pairs(index) == crossing
        assert summary.accepted == 3
        [group] = index.report(find=False).groups
        assert len(group.members) == 4
        index.ingest([places / "archive"])
        index.find_duplicates()
        every = stored_pairs(index)
        assert crossing < every
        for number in (1, 2):
            names = (f"{number}.png", f"small{number}.png", f"tiny{number}.png")
            assert {frozenset((names[0], names[1])), frozenset((names[0], names[2]))} <= every


def test_pairs_that_were_found_before_are_not_shown(places):
    with Index.open(places / "p.db", create=True, workers=1) as index:
        index.ingest([places / "archive"])
        index.find_duplicates()
        assert len(index.report(find=False).groups) == 2
        index.ingest([], against=[places / "archive"])
        assert index.report(find=False).groups == ()
        assert index.pairs() == []
        assert index.plan().items == ()


def test_what_is_inside_a_reference_may_be_searched_and_the_rest_is_still_kept_first(tmp_path):
    save(tmp_path / "archive" / "a.png", picture(1, 60, 80))
    save(tmp_path / "archive" / "new" / "other.png", picture(2, 60, 80))
    old = save(tmp_path / "card" / "a.png", picture(1, 60, 80))
    os.utime(old, (1_000_000_000, 1_000_000_000))  # older: the rules alone would keep this one
    with Index.open(tmp_path / "p.db", create=True, workers=1) as index:
        index.ingest([tmp_path / "card"], against=[tmp_path / "archive"])
        index.ingest([tmp_path / "archive" / "new"])
        [item] = index.plan().items
    assert (item.file.path, item.keeper.path) == (old, tmp_path / "archive" / "a.png")
