import dataclasses
import itertools

import pytest

from dedupindex.actions.asked_relations import PROVEN_COPIES, decided_groups, is_asked_for, relations_named
from dedupindex.actions.plan_options import PlanOptions
from dedupindex.errors import SettingsError
from dedupindex.groups.grouping import build_groups
from dedupindex.records import Outcome, Proof, Relation
from dedupindex.records.plans import Action
from tests.actions.heaps import gone, image, pair, plan_of, reasons, write

R = Relation
EDITED = Proof(Outcome.EDITED, compared=1.0)


@dataclasses.dataclass(frozen=True)
class Judged:
    kind: str
    a: str
    b: str = ""


def one(folder, name, number, **known):
    return image(number, name.encode(), write(folder / name, name.encode()), **known)


def test_same_bytes_stays_in_unless_it_is_taken_out():
    assert relations_named([]) == (R.SAME_BYTES,)
    assert relations_named(["reencoded", "tone", "reencoded"]) == (R.SAME_BYTES, R.REENCODED, R.TONE)
    assert relations_named(["tone", "same_bytes"], same_bytes=False) == (R.TONE, R.SAME_BYTES)
    assert relations_named(["tone"], same_bytes=False) == (R.TONE,)


def test_copy_is_every_relation_that_a_proof_may_call_the_same():
    assert relations_named(["copy"]) == (R.SAME_BYTES, *PROVEN_COPIES)
    never = {R.EDITED, R.ALTERNATE, R.UNPROVEN, R.SHIFTED_OVERLAP, R.PIECE_OF}
    assert set(relations_named(["copy"])) == set(Relation) - never
    with pytest.raises(SettingsError, match=r"no relation twin; there are: .*, copy$"):
        relations_named(["copy", "twin"])


@pytest.mark.parametrize("relations", [*itertools.combinations((R.TONE, R.RESIZED, R.EDITED, R.SHIFTED_OVERLAP), 2)])
def test_a_decided_keeper_asks_for_proven_copies_only(tmp_path, relations):
    a, b = one(tmp_path, "a", 1), one(tmp_path, "b", 2)
    proof = EDITED if R.EDITED in relations else Proof(Outcome.SAME, compared=1.0)
    made = pair(a, b, *relations, proof=proof)
    copy = not {R.EDITED, R.SHIFTED_OVERLAP}.intersection(made.relations)
    assert is_asked_for(made, (R.SAME_BYTES,), keeper_decided=True) == copy
    assert not is_asked_for(made, (R.SAME_BYTES,), keeper_decided=False)
    assert is_asked_for(made, relations, keeper_decided=False) == (set(made.relations) <= set(relations))
    unproven = dataclasses.replace(made, proof=None)
    assert not is_asked_for(unproven, (R.SAME_BYTES,), keeper_decided=True)


def test_a_plan_takes_the_proven_copies_of_a_decided_keeper(tmp_path):
    keeper = one(tmp_path, "keeper", 1, width=50)
    large, edited, alternate, unproven = (
        one(tmp_path, name, n, width=200) for n, name in enumerate(("large", "edited", "alternate", "unproven"), 2)
    )
    pairs = [
        pair(keeper, large, R.TONE, R.RESIZED),
        pair(keeper, edited, R.EDITED, proof=EDITED),
        pair(keeper, alternate, R.TONE, proof=Proof(Outcome.ALTERNATE, compared=1.0)),
        pair(keeper, unproven, R.TONE, proof=None),
    ]
    decided = [Judged("keeper", keeper.key)]
    plan = plan_of([], pairs, decided)
    assert gone(plan) == {"large": "keeper"}
    assert plan.items[0].rule == "decided"
    assert reasons(plan) == {"edited": "relation", "unproven": "relation"}
    assert gone(plan_of([], pairs)) == {}
    assert gone(plan_of([], pairs, decided, keeper_copies=False)) == {}
    named = plan_of([], pairs, decided, relations=(R.EDITED,))
    assert gone(named) == {"large": "keeper", "edited": "keeper"}
    assert gone(plan_of([], pairs, decided, action=Action.DELETE)) == {}  # near-duplicates are not deleted


def test_copies_of_copies_of_a_keeper_are_not_asked_for(tmp_path):
    a, b, c = (one(tmp_path, name, n, width=100 - 10 * n) for n, name in enumerate("abc", 1))
    chain = [pair(a, b, R.RESIZED), pair(b, c, R.TONE)]
    assert gone(plan_of([], chain, [Judged("keeper", a.key)])) == {"b": "a"}
    two = plan_of([], [*chain, pair(a, c, R.TONE)], [Judged("keeper", a.key), Judged("keeper", c.key)])
    assert gone(two) == {"b": "a"}


def test_only_groups_with_a_decided_keeper(tmp_path):
    folders = {name: tmp_path / name for name in ("x", "y")}
    images = {
        key: image(n, key.encode(), *(write(folder / f"{key}{t}", key.encode(), n + t) for t in (1, 2)))
        for n, (key, folder) in enumerate(itertools.product("ab", folders.values()), 1)
        for key in [f"{folder.name}{key}"]
    }
    pairs = [pair(images["xa"], images["xb"], R.TONE), pair(images["ya"], images["yb"], R.TONE)]
    decided = [Judged("keeper", images["xb"].key), Judged("keep-both", images["ya"].key, images["yb"].key)]
    groups = build_groups(pairs)
    assert [group.id for group in decided_groups(groups, decided)] == [
        group.id for group in groups if images["xb"].id in {member.image.id for member in group.members}
    ]
    assert decided_groups(groups, decided[1:]) == []
    options = PlanOptions.named("trash", [], decided=True)
    plan = plan_of([], pairs, decided, decided=True, relations=options.relations)
    assert gone(plan) == {"xb2": "xb1", "xa1": "xb1", "xa2": "xb1"}
    assert set(gone(plan_of([], pairs, decided))) == {"xb2", "xa1", "xa2", "ya2", "yb2"}
    assert PlanOptions.named("hardlink", [], decided=True).relations == (R.SAME_BYTES,)
