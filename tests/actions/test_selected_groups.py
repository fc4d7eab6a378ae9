"""Plans of a selection, against the sentence that they keep: what it does not cover stays."""

import itertools
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dedupindex.actions.plan_options import PlanOptions
from dedupindex.actions.planning import make_plan
from dedupindex.groups.grouping import build_groups
from dedupindex.groups.selection import select, settled
from dedupindex.records import Relation
from dedupindex.records.reports import FolderChoice, Selection
from tests.actions.heaps import image, pair, write

FOLDERS = ("a", "a/in", "b", "b/in", "c")
RELATIONS = (Relation.SAME_BYTES, Relation.REENCODED)


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Three pictures that are copies of each other, each twice in every folder."""
    root = tmp_path_factory.mktemp("tree")
    for folder, number, twice in itertools.product(FOLDERS, (1, 2, 3), "xy"):
        write(root / folder / f"{number}{twice}.jpg", b"picture %d" % number, 1_600_000_000 + 7 * number)
    return root


def under(path, root):
    return path == root or root in path.parents


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_what_a_selection_does_not_cover_stays(tree, data):
    names = st.sets(st.sampled_from([(f, t) for f in FOLDERS for t in "xy"]), min_size=1)
    images = [
        image(n, b"picture %d" % n, *(tree / folder / f"{n}{t}.jpg" for folder, t in data.draw(names)))
        for n in (1, 2, 3)
    ]
    pairs = [pair(a, b, Relation.REENCODED) for a, b in itertools.combinations(images, 2) if data.draw(st.booleans())]
    place = st.sampled_from([tree / folder for folder in FOLDERS])
    across = data.draw(st.none() | st.tuples(place, place).filter(lambda two: two[0] != two[1]))
    paths = tuple(data.draw(st.lists(place, max_size=2)))
    folder = data.draw(st.sampled_from(FolderChoice))
    selection = settled(Selection(paths=paths, across=across, folder=folder))
    keep = data.draw(st.permutations(["path-order", "oldest", "shortest-path", "first-path"]))
    prefer = tuple(data.draw(st.lists(place, max_size=2)))
    several = [one for one in images if len(one.locations) > 1]
    groups = [
        group
        for number, part in enumerate(select(selection, pairs, several))
        for group in build_groups(part.pairs, part.alone, salt=bytes([number]))
    ]
    plan = make_plan(
        groups,
        [],
        PlanOptions(relations=RELATIONS, keep=(*keep,), prefer=prefer),
        database="made-up.db",
        version="0",
        made=datetime(2026, 1, 1, tzinfo=UTC),
        selection=selection,
    )
    gone = [item.file.path for item in plan.items]
    assert len(gone) == len(set(gone))
    for item in plan.items:
        one, other = item.file.path, item.keeper.path
        assert other not in gone
        assert not paths or any(under(one, root) for root in paths)
        if across is not None:
            inner = sorted(across, key=lambda root: -len(root.parts))
            sides = [next((root for root in inner if under(path, root)), None) for path in (one, other)]
            assert set(sides) == set(across)
        assert folder != FolderChoice.SAME or one.parent == other.parent
        assert folder != FolderChoice.OTHER or one.parent != other.parent
