"""Apply and undo whole units: what is compared, in which order, and what happens when one step fails."""

import errno
import json
import os

import pytest

from dedupindex import durable
from dedupindex.actions.applying import apply_plan, undo_journal
from dedupindex.records.companions import CompanionKind
from dedupindex.records.plans import Action, OutcomeKind
from tests.actions.heaps import image, plan_of, snapshot, write

NAMES = ("7.jpg", "7.cr2", "7.xmp", "7.mov")


@pytest.fixture
def heap(tmp_path, monkeypatch):
    """A shot of four files in `a`, which is kept, and again in `b`."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    for folder, mtime in (("a", 1), ("b", 2)):
        for name in NAMES:
            write(tmp_path / "pics" / folder / name, name.encode(), mtime, 0o640)
    return tmp_path


def planned(heap, action=Action.TRASH, **options):
    paths = [heap / "pics" / folder / "7.jpg" for folder in ("a", "b")]
    to = heap / "out" if action is Action.MOVE else None
    plan = plan_of([image(1, b"7.jpg", *paths)], action=action, to=to, keep=("oldest",), **options)
    assert len(plan.items) == 1
    return plan


def outcomes(summary):
    return [some.outcome for some in summary.outcomes]


@pytest.mark.parametrize("action", [Action.TRASH, Action.MOVE, Action.DELETE])
def test_a_unit_goes_and_comes_back_as_a_whole(heap, action):
    before = snapshot(heap / "pics")
    plan, journal = planned(heap, action), heap / "j"
    assert apply_plan(plan, None).well
    assert snapshot(heap / "pics") == before
    summary = apply_plan(plan, journal)
    assert outcomes(summary) == [OutcomeKind.DONE]
    assert {path.name for path in summary.files} == set(NAMES)
    assert os.listdir(heap / "pics" / "b") == []  # noqa: PTH208
    if action is Action.MOVE:
        assert sorted(os.listdir(heap / "out")) == sorted(NAMES)  # noqa: PTH208
    assert outcomes(apply_plan(plan, journal)) == [OutcomeKind.EARLIER]
    undone = undo_journal(journal)
    assert outcomes(undone) == [OutcomeKind.BACK]
    assert {path.name for path in undone.files} == set(NAMES)
    assert snapshot(heap / "pics") == before
    assert undo_journal(journal).outcomes == ()


def test_the_picture_goes_last_and_comes_back_first(heap):
    plan, journal, steps = planned(heap, Action.DELETE), heap / "j", []
    durable.listen(lambda step, name: steps.append((step, name)))
    try:
        apply_plan(plan, journal)
        gone = [name for step, name in steps if step == "unlink"]
        assert gone[-1] == "7.jpg"
        steps.clear()
        undo_journal(journal)
        assert next(name for step, name in steps if step == "link") == "7.jpg"
    finally:
        durable.listen(None)


def changed(path):
    path.write_bytes(b"edited")


def same_size_and_time(path):
    status = path.stat()
    path.write_bytes(path.name[::-1].encode())
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize("folder", ["a", "b"])
@pytest.mark.parametrize("meddle", [changed, same_size_and_time, os.unlink, lambda path: os.utime(path, ns=(0, 0))])
@pytest.mark.parametrize("name", ["7.xmp", "7.cr2"])
def test_companions_are_compared_again(heap, folder, meddle, name):
    plan = planned(heap)
    meddle(heap / "pics" / folder / name)
    before = snapshot(heap / "pics")
    summary = apply_plan(plan, heap / "j")
    assert outcomes(summary) == [OutcomeKind.SURPRISE]
    assert name in summary.outcomes[0].detail
    assert snapshot(heap / "pics") == before


def test_what_came_to_belong_to_it_since_the_plan_stops_it(heap):
    plan = planned(heap)
    write(heap / "pics" / "b" / "7.aae", b"just edited")
    before = snapshot(heap / "pics")
    summary = apply_plan(plan, heap / "j")
    assert "7.aae: belongs to" in summary.outcomes[0].detail
    assert snapshot(heap / "pics") == before


def test_a_companion_does_not_leave_a_picture_that_came_since(heap):
    plan = planned(heap)
    write(heap / "pics" / "b" / "7.png", b"another picture of that name")
    summary = apply_plan(plan, heap / "j")
    assert outcomes(summary) == [OutcomeKind.SURPRISE]
    assert "7.xmp: belongs to" in summary.outcomes[0].detail
    assert len(os.listdir(heap / "pics" / "b")) == 5  # noqa: PTH208


@pytest.mark.parametrize("at", range(40))
def test_where_one_step_fails_those_before_it_are_taken_back(heap, at):
    plan, before, count = planned(heap), snapshot(heap / "pics"), 0

    def fail(step, name):
        nonlocal count
        count += 1
        if count == at + 1:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    durable.listen(fail)
    try:
        summary = apply_plan(plan, heap / "j")
    except OSError:  # before the journal had begun
        summary = None
    finally:
        durable.listen(None)
    there = set(os.listdir(heap / "pics" / "b"))  # noqa: PTH208
    assert there in (set(), set(NAMES))
    if summary is not None and there:
        assert snapshot(heap / "pics") == before
        assert apply_plan(plan, heap / "j").well
    if (heap / "j").exists() and (heap / "j").read_bytes():
        undo_journal(heap / "j")
        assert snapshot(heap / "pics") == before


@pytest.mark.parametrize(("at", "left"), [("7.mov", ["7.jpg", "7.mov", "7.xmp"]), ("7.jpg", ["7.jpg"])])
def test_what_is_half_done_is_taken_back_where_the_rest_is_not_as_planned_any_more(heap, at, left):
    class Killed(BaseException):
        pass

    def kill(step, name):
        if (step, name) == ("link", at):
            raise Killed

    plan = planned(heap)
    before = snapshot(heap / "pics")
    durable.listen(kill)
    try:
        with pytest.raises(Killed):
            apply_plan(plan, heap / "j")
    finally:
        durable.listen(None)
    assert sorted(os.listdir(heap / "pics" / "b")) == left  # noqa: PTH208
    keeper = heap / "pics" / "a" / "7.jpg"
    status = keeper.stat()
    os.utime(keeper, ns=(0, 0))
    assert outcomes(apply_plan(plan, heap / "j")) == [OutcomeKind.SURPRISE]
    os.utime(keeper, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert snapshot(heap / "pics") == before
    assert apply_plan(plan, heap / "j").well
    assert undo_journal(heap / "j").well
    assert snapshot(heap / "pics") == before


def test_undo_leaves_a_unit_whole_where_a_name_is_taken(heap):
    plan = planned(heap)
    apply_plan(plan, heap / "j")
    write(heap / "pics" / "b" / "7.xmp", b"new")
    summary = undo_journal(heap / "j")
    assert outcomes(summary) == [OutcomeKind.SURPRISE]
    assert os.listdir(heap / "pics" / "b") == ["7.xmp"]  # noqa: PTH208
    (heap / "pics" / "b" / "7.xmp").unlink()
    assert undo_journal(heap / "j").well
    assert len(os.listdir(heap / "pics" / "b")) == len(NAMES)  # noqa: PTH208


def test_what_the_keeper_lacks_goes_where_that_is_named(heap):
    (heap / "pics" / "a" / "7.xmp").unlink()
    before = snapshot(heap / "pics")
    plan = planned(heap, may_lack=(CompanionKind.EDITS,))
    assert apply_plan(plan, heap / "j").well
    assert (heap / "data" / "Trash" / "files" / "7.xmp").read_bytes() == b"7.xmp"
    undo_journal(heap / "j")
    assert snapshot(heap / "pics") == before


def test_a_journal_of_before_units_is_read(heap):
    plan, journal, before = planned(heap), heap / "j", snapshot(heap / "pics")
    apply_plan(plan, journal)
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    for line in lines:
        line.get("deed", {}).pop("unit", None)
    journal.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert len(undo_journal(journal).outcomes) == len(NAMES)
    assert snapshot(heap / "pics") == before
