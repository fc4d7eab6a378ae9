"""Plans are followed and taken back through `Index`: journal, refusal, and what the index notes of it."""

import pytest

from dedupindex import Action, Index, PlanChangedError, PlanOptions, SettingsError, apply_plan, read_plan, undo_journal
from dedupindex.records import Relation
from tests.pictures import picture, save


@pytest.fixture
def folder(tmp_path):
    for number in range(2):
        first = save(tmp_path / "in" / f"{number}.png", picture(number))
        (tmp_path / "in" / f"copy of {number}.png").write_bytes(first.read_bytes())
    return tmp_path


@pytest.fixture
def index(folder):
    with Index.open(folder / "t.db", create=True, workers=1) as made:
        made.ingest([folder / "in"])
        made.find_duplicates()
        yield made


def move_to(folder):
    return PlanOptions.named("move", ["same_bytes"], to=folder / "out")


def test_a_plan_is_followed_noted_and_taken_back(index, folder):
    plan = index.plan(move_to(folder))
    files = {item.file.path for item in plan.items}
    assert len(files) == 2
    done = index.apply(plan, agreed=plan.operations_digest())
    assert done.well
    assert not any(path.exists() for path in files)
    assert done.journal.parent == folder
    assert read_plan(done.journal.with_suffix(".json")).items == plan.items  # what the journal belongs to
    assert index.info()["missing"] == 2  # the index knows it at once
    assert index.report(find=False).groups == ()
    assert index.undo(done.journal).well
    assert all(path.exists() for path in files)
    assert index.info()["missing"] == 0
    assert len(index.report(find=False).groups) == 2


def test_what_was_not_agreed_to_is_refused(index, folder):
    plan = index.plan(move_to(folder))
    (folder / "in" / "copy of 1.png").unlink()
    now = index.plan(move_to(folder))
    with pytest.raises(PlanChangedError):
        index.apply(now, agreed=plan.operations_digest())
    assert not list(folder.glob("*.journal"))
    assert not list(folder.glob("*plan*"))


def test_a_rehearsal_touches_and_writes_nothing(index, folder):
    before = sorted(folder.rglob("*"))
    generation = index.generation
    done = index.apply(index.plan(move_to(folder)), rehearse=True)
    assert (done.well, done.journal, index.generation) == (True, None, generation)
    assert sorted(folder.rglob("*")) == before


def test_without_an_open_index_it_is_noted_where_it_can_be(index, folder):
    plan = index.plan(move_to(folder))
    done = apply_plan(plan, folder / "j", database=str(folder / "t.db"))
    assert (done.well, done.unnoted, index.info()["missing"]) == (True, "", 2)
    back = undo_journal(folder / "j", database=str(folder / "no such.db"))
    assert back.well
    assert "no such.db" in back.unnoted
    assert all(item.file.path.exists() for item in plan.items)
    assert index.info()["missing"] == 2  # the next ingest notices


def test_options_by_names():
    options = PlanOptions.named("trash", ["tone", "resized", "tone"])
    assert (options.action, options.relations) == (Action.TRASH, (Relation.SAME_BYTES, Relation.TONE, Relation.RESIZED))
    assert PlanOptions.named("trash", ["tone"], same_bytes=False).relations == (Relation.TONE,)
    with pytest.raises(SettingsError, match="no action shred"):
        PlanOptions.named("shred", ["same_bytes"])
    with pytest.raises(SettingsError, match="no relation twin"):
        PlanOptions.named("trash", ["twin"])


def test_decisions_say_their_generation_and_change_in_one_transaction(index, folder):
    one, other = folder / "in" / "0.png", folder / "in" / "1.png"
    before = index.generation
    made = index.decide("keeper", [one, other])
    assert (made.generation, len(made.decisions)) == (before + 1, 2)
    assert index.generation == made.generation
    changed = index.redecide(make=[("not-duplicate", [one, other])], forget=made.decisions[:1])
    assert (changed.generation, index.generation) == (before + 2, before + 2)
    assert sorted(some.kind for some in index.decisions()) == ["keeper", "not-duplicate"]
    index.redecide(forget=changed.decisions, restore=made.decisions)
    assert {(some.kind, some.a) for some in index.decisions()} == {(some.kind, some.a) for some in made.decisions}
    with pytest.raises(SettingsError):
        index.redecide(make=[("keeper", [folder / "none.png"])], forget=made.decisions)
    assert len(index.decisions()) == 2
