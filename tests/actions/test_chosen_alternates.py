"""Alternates go only by a decision about their very content, only where they were asked for, and come back."""

import dataclasses
import itertools
import os
from datetime import UTC, datetime

import pytest

from dedupindex.actions.applying import apply_plan, undo_journal
from dedupindex.actions.plan_options import PlanOptions
from dedupindex.actions.planning import make_plan
from dedupindex.actions.plans import check_plan, read_plan
from dedupindex.errors import PlanError, SettingsError
from dedupindex.groups.decisions import surplus
from dedupindex.groups.grouping import build_groups
from dedupindex.records import Decision, DecisionKind, Outcome, Proof, Relation
from dedupindex.records.plans import Action, OutcomeKind
from dedupindex.reports.jsonfile import to_json
from dedupindex.reports.plans import plan_json, plan_summary, plan_text
from tests.actions.heaps import gone, image, pair, reasons, snapshot, write

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def keeper(one):
    return Decision(DecisionKind.KEEPER, one.key, "", "", NOW)


def both(kind, one, other):
    return Decision(kind, min(one.key, other.key), max(one.key, other.key), "", NOW)


def keep_one(stays, *others):
    return [keeper(stays), *(both(DecisionKind.KEEP_ONE, stays, other) for other in others)]


@pytest.fixture
def burst(tmp_path, monkeypatch):
    """Three shots of one scene, the first with a smaller copy of itself."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    data = {name: name.encode() * 9 for name in ("one", "two", "three", "small")}
    images = {
        name: image(number, data[name], write(tmp_path / "pics" / f"{name}.jpg", data[name]))
        for number, name in enumerate(data, 1)
    }
    other = Proof(Outcome.ALTERNATE, changed=0.2)
    pairs = [dataclasses.replace(pair(images["one"], images[name]), proof=other) for name in ("two", "three")]
    return images, [pair(images["one"], images["small"], Relation.RESIZED), *pairs]


def planned(burst, decisions, **options):
    images, pairs = burst
    options = {"relations": (Relation.RESIZED,), "keep": ("oldest", "first-path"), "alternates": True} | options
    return make_plan(
        build_groups(pairs),
        decisions,
        PlanOptions(**options),
        database="made-up.db",
        version="0",
        made=NOW,
        alternates={one.key: one for one in images.values()},
    )


def test_who_goes_for_whom():
    a, b, c = "a", "b", "c"
    kinds = DecisionKind
    one = Decision(kinds.KEEP_ONE, a, b, "", NOW)
    keepers = [Decision(kinds.KEEPER, key, "", "", NOW) for key in (a, b, c)]
    assert surplus([one]) == {}  # nobody said which one
    assert surplus([one, keepers[0]]) == {b: a}
    assert surplus([one, keepers[1]]) == {a: b}
    assert surplus([one, *keepers]) == {}  # both are to stay
    more = [Decision(kinds.KEEP_ONE, b, c, "", NOW), one, keepers[0], keepers[2]]
    for order in itertools.permutations(more):
        assert surplus(order) == {b: a}


def test_only_what_was_decided_and_asked_for_goes(burst):
    images, _ = burst
    decisions = keep_one(images["one"], images["two"])
    assert gone(planned(burst, [])) == {"small.jpg": "one.jpg"}
    assert gone(planned(burst, decisions, alternates=False)) == {"small.jpg": "one.jpg"}
    assert gone(planned(burst, decisions)) == {"small.jpg": "one.jpg", "two.jpg": "one.jpg"}
    everything = planned(burst, keep_one(images["two"], images["one"], images["three"]))
    # the first one goes itself, so it is no keeper of its smaller copy
    assert gone(everything) == {"one.jpg": "two.jpg", "three.jpg": "two.jpg"}
    assert [(item.chosen, item.evidence, item.covered) for item in everything.items] == [(True, None, 0.0)] * 2
    assert "of 2 of them no copy stays, as was decided" in plan_summary(everything)
    assert "alternate; kept by chosen" in plan_text(everything)


def test_what_stays_all_the_same(burst, tmp_path):
    images, _ = burst
    decisions = keep_one(images["two"], images["one"], images["three"])
    protected = planned(burst, decisions, protect=(tmp_path / "pics" / "one.jpg",))
    assert gone(protected) == {"three.jpg": "two.jpg"}
    assert reasons(protected)["one.jpg"] == "protected"
    kept = planned(burst, [*decisions, both(DecisionKind.KEEP_BOTH, images["one"], images["three"])])
    assert gone(kept) == {}
    assert set(reasons(kept).values()) >= {"keep_both"}
    (tmp_path / "pics" / "three.jpg").write_bytes(b"another content")
    assert gone(planned(burst, decisions)) == {"one.jpg": "two.jpg"}
    (tmp_path / "pics" / "two.jpg").unlink()
    left = planned(burst, decisions)
    assert "one.jpg" not in gone(left)
    assert reasons(left)["one.jpg"] == "gone"


def test_a_sidecar_without_an_equal_keeps_its_picture(burst, tmp_path):
    images, _ = burst
    write(tmp_path / "pics" / "two.jpg.xmp", b"<x/>")
    decisions = keep_one(images["one"], images["two"], images["three"])
    plan = planned(burst, decisions)
    assert set(gone(plan)) == {"small.jpg", "three.jpg"}
    assert reasons(plan)["two.jpg"] == "companions"


def test_apply_compares_the_content_that_was_decided_on_and_undo_brings_it_back(burst, tmp_path):
    images, _ = burst
    before = snapshot(tmp_path / "pics")
    plan = planned(
        burst,
        keep_one(images["one"], images["two"], images["three"]),
        keeper_copies=False,
        relations=(Relation.SAME_BYTES,),
    )
    assert set(gone(plan)) == {"two.jpg", "three.jpg"}
    file = tmp_path / "plan.json"
    file.write_bytes(to_json(plan_json(plan)))
    assert read_plan(file).items == plan.items
    done = apply_plan(read_plan(file), tmp_path / "j")  # without a prover: there is nothing to prove
    assert [one.outcome for one in done.outcomes] == [OutcomeKind.DONE] * 2
    assert not (tmp_path / "pics" / "two.jpg").exists()
    assert undo_journal(tmp_path / "j").well
    assert snapshot(tmp_path / "pics") == before


@pytest.mark.parametrize("name", ["two", "one"])  # the file that goes, and the one that stays
def test_other_content_of_the_same_size_and_time_stays(burst, tmp_path, name):
    images, _ = burst
    plan = planned(burst, keep_one(images["one"], images["two"]), keeper_copies=False, relations=(Relation.SAME_BYTES,))
    path = tmp_path / "pics" / f"{name}.jpg"
    status = path.stat()
    path.write_bytes(b"x" * status.st_size)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    [outcome] = apply_plan(plan, tmp_path / "j").outcomes
    assert outcome.outcome is OutcomeKind.SURPRISE
    assert "not the planned one" in outcome.detail
    assert (tmp_path / "pics" / "two.jpg").exists()


def test_a_plan_that_was_not_asked_for_alternates_is_refused(burst):
    images, _ = burst
    plan = planned(burst, keep_one(images["one"], images["two"]))
    for wrong in (
        dataclasses.replace(plan, alternates=False),
        dataclasses.replace(plan, items=tuple(dataclasses.replace(item, rule="oldest") for item in plan.items)),
        dataclasses.replace(
            plan, items=tuple(dataclasses.replace(item, file=item.keeper) for item in plan.items if item.chosen)
        ),
    ):
        with pytest.raises(PlanError):
            check_plan(wrong)
    with pytest.raises(SettingsError, match="alternates may only be moved"):
        PlanOptions(action=Action.HARDLINK, alternates=True)
