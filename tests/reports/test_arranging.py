from dataclasses import replace
from pathlib import Path

import pytest

from dedupindex.cli import report as verb
from dedupindex.records import LocationRecord, Relation
from dedupindex.records.reports import Change
from dedupindex.reports.arranging import Order, arranged
from tests.reports.samples import image, pair, report


def sized(number, size, date, *paths):
    places = tuple(LocationRecord(Path(path), size=size, mtime_ns=date) for path in paths)
    return image(number, locations=places)


@pytest.fixture(scope="module")
def found():
    """Three groups by their first paths: a has most files, b most bytes, c the best score and the latest file."""
    a = [sized(1, 10, 5, "/a1", "/a2", "/a3"), sized(2, 10, 5, "/a4")]
    b = [sized(3, 900, 1, "/b1"), sized(4, 800, 1, "/b2")]
    c = [sized(5, 20, 9, "/c1"), sized(6, 20, 3, "/c2")]
    return report([pair(*two, Relation.TONE, score=score) for two, score in ((a, 0.8), (b, 0.7), (c, 0.9))])


def names(made):
    return "".join(str(group.members[0].image.locations[0].path)[1] for group in made.groups)


@pytest.mark.parametrize(
    ("order", "expected"), [(None, "abc"), ("size", "abc"), ("bytes", "bac"), ("score", "cab"), ("date", "cab")]
)
def test_orders(found, order, expected):
    made = arranged(found, None if order is None else Order(order))
    assert names(made) == expected
    assert made.pairs == found.pairs


def test_the_first_groups_with_their_pairs_only(found):
    made = arranged(found, Order.BYTES, 2)
    assert names(made) == "ba"
    assert {pair.a.id for pair in made.pairs} | {pair.b.id for pair in made.pairs} == {1, 2, 3, 4}
    assert names(arranged(found, None, 99)) == "abc"


def test_changes_are_sorted_and_what_is_resolved_comes_last(found):
    changes = (Change("resolved", "x", None), *(Change("new", group.id, group) for group in found.groups))
    made = arranged(replace(found, changes=changes), Order.SCORE)
    assert [change.group and names(replace(found, groups=(change.group,))) for change in made.changes] == [
        "c",
        "a",
        "b",
        None,
    ]
    cut = arranged(replace(found, changes=changes), Order.SCORE, 2)
    assert [change.id for change in cut.changes] == [group.id for group in cut.groups]
    assert names(cut) == "ca"


def test_the_option_names_the_same_orders():
    assert {order.value for order in verb.Order} == {order.value for order in Order}
