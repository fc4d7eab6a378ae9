"""Plans of random rules over one tree, against what every such plan keeps to."""

import itertools
import os
import shutil
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedupindex import Action, Index, PlanRule, PlanRules, Relation
from dedupindex.records.plans import OutcomeKind
from tests.amounts import examples
from tests.pictures import picture, save

FOLDERS = ("a", "a/in", "b", "b/in", "c", "gone")


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Three pictures, each twice in every folder but the last, which the index does not know."""
    root = tmp_path_factory.mktemp("rules")
    for number in (1, 2, 3):
        first = save(root / "first" / f"{number}.png", picture(number, 60, 80))
        for when, (folder, twice) in enumerate(itertools.product(FOLDERS[:-1], "xy")):
            copy = root / folder / f"{number}{twice}.png"
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(first, copy)
            os.utime(copy, ns=(0, 1_600_000_000_000_000_000 + (when * 7 + number) % 5 * 10**9))
        first.unlink()
    with Index.open(root / "r.db", create=True, workers=1, keep_rules=("oldest", "first-path")) as index:
        index.ingest([root])
        yield root, index


def under(path, folder):
    return folder in path.parents


@examples(50)
@given(data=st.data())
def test_what_rules_keep_to(tree, data):
    root, index = tree
    place = st.sampled_from([root / folder for folder in FOLDERS])
    rules = []
    for number in range(data.draw(st.integers(1, 3))):
        folders = data.draw(st.lists(place, min_size=1, max_size=2, unique=True))
        kept_in = data.draw(st.lists(place.filter(lambda one: one not in folders), min_size=1, max_size=2, unique=True))  # noqa: B023
        rules.append(PlanRule(str(number), tuple(folders), tuple(kept_in), (Relation.SAME_BYTES,)))
    moves = data.draw(st.booleans())
    protect = tuple(data.draw(st.lists(place, max_size=1)))
    asked = PlanRules(tuple(rules), Action.MOVE if moves else Action.TRASH, root / "out" if moves else None, protect)
    made = index.plan_by_rules(asked)
    plan = made.plan
    gone = {item.file.path for item in plan.items}
    assert len(gone) == len(plan.items)
    for item in plan.items:
        one, other = item.file.path, item.keeper.path
        assert other not in gone
        assert not any(under(one, folder) for folder in protect)
        [rule] = [rule for rule in rules if item.because.endswith(f"(rule {rule.name})")]
        fits = [
            (folder, kept)
            for folder in rule.folders
            for kept in rule.kept_in
            if under(one, folder) and under(other, kept)
        ]
        # of two folders that lie in one another a file belongs to the inner one
        assert any(
            not (under(kept, folder) and under(one, kept)) and not (under(folder, kept) and under(other, folder))
            for folder, kept in fits
        )
    left = defaultdict(int)
    for image in index.images():
        left[image.key] += sum(place.path not in gone for place in image.locations)
    assert len(left) == 3
    assert min(left.values()) > 0
    targets = [item.target for item in plan.items]
    assert len(set(targets)) == len(targets) if moves else set(targets) <= {None}
    named = {folder for rule in rules for folder in (*rule.folders, *rule.kept_in)}
    assert bool(made.idle) == (root / "gone" in named)
    again = index.plan_by_rules(asked).plan
    assert again.operations_digest() == plan.operations_digest()


def test_a_rule_takes_all_that_is_also_where_it_is_kept(tree):
    root, index = tree
    rule = PlanRule("1", (root / "a",), (root / "b",), (Relation.SAME_BYTES,))
    plan = index.plan_by_rules(PlanRules((rule,))).plan
    assert {item.file.path for item in plan.items} == set((root / "a").rglob("*.png"))
    inner = PlanRule("1", (root / "a" / "in",), (root / "a",), (Relation.SAME_BYTES,))
    plan = index.plan_by_rules(PlanRules((inner,))).plan
    assert {item.file.path for item in plan.items} == set((root / "a" / "in").iterdir())
    outer = PlanRule("1", (root / "a",), (root / "a" / "in",), (Relation.SAME_BYTES,))
    plan = index.plan_by_rules(PlanRules((outer,))).plan
    assert {item.file.path for item in plan.items} == set((root / "a").glob("*.png"))


def test_companions_go_with_their_picture(tmp_path):
    for folder in ("phone", "archive"):
        save(tmp_path / folder / "1.png", picture(4, 60, 80))
        (tmp_path / folder / "1.xmp").write_text("<x/>")
    with Index.open(tmp_path / "r.db", create=True, workers=1) as index:
        index.ingest([tmp_path / "phone", tmp_path / "archive"])
        rule = PlanRule("card", (tmp_path / "phone",), (tmp_path / "archive",), (Relation.SAME_BYTES,))
        rules = PlanRules((rule,), Action.MOVE, tmp_path / "out")
        plan = index.plan_by_rules(rules).plan
        [item] = plan.items
        assert [companion.path for companion in item.going] == [tmp_path / "phone" / "1.xmp"]
        done = index.apply(plan, tmp_path / "journal")
        assert sorted(path.name for path in (tmp_path / "out").rglob("*") if path.is_file()) == ["1.png", "1.xmp"]
        assert {one.outcome for one in done.outcomes} == {OutcomeKind.DONE}
        index.undo(tmp_path / "journal")
    assert sorted(path.name for path in (tmp_path / "phone").iterdir()) == ["1.png", "1.xmp"]
