"""What the page keeps in memory after decisions is what a report made anew says."""

import dataclasses
import random

import pytest

pytest.importorskip("fastapi", reason="needs the extra web")

from dedupindex import Index
from dedupindex.errors import SettingsError
from dedupindex.records import Relation
from dedupindex.web.page import group_lists
from dedupindex.web.page.group_lists import GroupList, GroupLists, Listing, neighbours
from dedupindex.web.page.listed import Filter, ListOrder, ListState, listed
from dedupindex.web.page.review import Choice, Review
from tests.web.filling import fill

FILTERS = [
    Filter(),
    Filter(order=ListOrder.DOUBTFUL),
    Filter(state=ListState.KEPT, order=ListOrder.NAME),
    Filter(relation="tone", state=ListState.ALL, order=ListOrder.FREED),
    Filter(name="picture 1", order=ListOrder.NEWEST),
]


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    path = tmp_path_factory.mktemp("standing") / "p.db"
    fill(path, 12, members=4, looks=2)
    return path


@pytest.mark.parametrize("seed", range(4))
def test_decisions_are_followed_exactly(filled, tmp_path, monkeypatch, seed):
    monkeypatch.setattr(group_lists, "QUICK", float("inf"))  # on a busy machine too
    copy = tmp_path / "p.db"
    copy.write_bytes(filled.read_bytes())
    rng = random.Random(seed)
    with Index.open(copy, workers=1) as index:
        lists = GroupLists(index)
        review = Review(index, lists)
        first = lists.current()
        made = []
        lists._index = Counting(index, made)
        for _ in range(40):
            entries = lists.current().entries
            if entries and rng.random() < 0.7:
                entry = rng.choice(entries)
                if rng.random() < 0.6:
                    review.act(entry, rng.choice([*Choice]), rng.choice(entry.group.members).image.key)
                else:
                    several = [one for one in rng.sample(entries, min(3, len(entries))) if len(one.group.members) > 1]
                    if several:
                        review.act_on_all(several, rng.choice([Choice.KEEP, Choice.BOTH, Choice.APART]), "many")
            elif rng.random() < 0.8:
                review.undo()
            else:  # somebody else
                image = rng.choice(first.entries).group.members[0].image.key
                index.decide("keeper", [image])
            assert lists.current().generation == index.generation
            now = lists.current()
            assert [e.group for e in now.entries] == list(index.report(find=False).groups)
            assert list(now.entries) == [listed(entry.group) for entry in now.entries]
            for chosen, known in now.lists.items():
                fresh = GroupList(0, now.overview, now.entries, now.by_id, 0).listing(chosen)
                assert known == fresh
            now.listing(rng.choice(FILTERS))
        assert len(made) < 20  # most steps did without a new report
        while review.undo():
            pass
        assert {e.id for e in lists.current().entries} == {e.id for e in first.entries}


class Counting:
    """An index that counts its reports."""

    def __init__(self, index, made):
        self._index, self._made = index, made

    @property
    def generation(self):
        return self._index.generation

    def overview(self, runs):
        self._made.append(1)
        return self._index.overview(runs)


def test_what_others_write_all_the_time_is_looked_at_now_and_then(filled, tmp_path, monkeypatch):
    copy = tmp_path / "p.db"
    copy.write_bytes(filled.read_bytes())
    monkeypatch.setattr(group_lists, "QUICK", -1.0)
    monkeypatch.setattr(group_lists, "RESTS", 1e6)
    with Index.open(copy, workers=1) as index:
        lists = GroupLists(index)
        first = lists.current()
        entry, other = first.entries[:2]
        index.decide("keep-both", [member.image.key for member in entry.group.members])  # somebody else
        assert lists.current() is first
        review = Review(index, lists)
        review.act(other, "both")  # what we write is seen, and what others wrote with it
        assert {e.id for e in first.entries} - {e.id for e in lists.current().entries} == {entry.id, other.id}


def test_too_many_together(filled, tmp_path):
    with Index.open(filled, workers=1) as index:
        lists = GroupLists(index)
        entry = lists.current().entries[0]
        review = Review(index, lists)
        many = type(entry.group)(entry.id, entry.group.members * 20, entry.group.pairs, entry.group.weakest)
        with pytest.raises(SettingsError, match="too many"):
            review.act(dataclasses.replace(entry, group=many), "both")


def test_lists(filled):
    with Index.open(filled, workers=1) as index:
        now = GroupLists(index).current()
    assert now.select(Filter(state=ListState.OPEN)) == now.select(Filter(state=ListState.ALL)) == now.entries
    assert now.select(Filter(state=ListState.KEPT)) == ()
    crops = now.select(Filter(relation=str(Relation.CROP_OF)))
    assert 0 < len(crops) < 12
    doubtful = [entry.weakest for entry in now.select(Filter(order=ListOrder.DOUBTFUL))]
    assert doubtful == sorted(doubtful)
    middle = now.select(Filter(least=0.56, most=0.58))
    assert all(0.56 <= entry.weakest <= 0.58 for entry in middle)
    ids = [entry.id for entry in now.entries]
    everything, entries = now.listing(Filter()), now.entries
    assert neighbours(everything, entries[0]) == (0, "", ids[1])
    assert neighbours(everything, entries[-1]) == (11, ids[-2], "")
    crop = now.listing(Filter(relation=str(Relation.CROP_OF)))
    other = next(entry for entry in entries if entry not in crop.entries)
    assert neighbours(crop, other) == (-1, "", crop.entries[0].id)
    assert neighbours(Listing(Filter(), (), 0), other) == (-1, "", "")
    for order in ListOrder:
        listing = now.listing(Filter(order=order))
        assert [listing.place(entry) for entry in listing.entries] == list(range(12))
    assert Filter().query() == ""
    assert Filter(relation="tone", least=0.5).query(page=2) == "relation=tone&least=0.5&page=2"
