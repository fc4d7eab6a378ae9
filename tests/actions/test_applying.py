import errno
import json
import os
import stat
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from dedupindex import durable, system
from dedupindex.actions import file_access, file_copies, trash
from dedupindex.actions.applying import apply_plan, undo_journal
from dedupindex.actions.journal import open_journal
from dedupindex.errors import PlanError
from dedupindex.records import Relation
from dedupindex.records.plans import Action, OutcomeKind
from tests.actions.heaps import crop, image, plan_of, proves, snapshot, write


@pytest.fixture
def heap(tmp_path, monkeypatch):
    """A folder `pics` with three copies, two of them with odd modes and times, and a trash beside it."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    pics = tmp_path / "pics"
    write(pics / "keep.jpg", b"content", 1_000_000_000)
    write(pics / "a" / "one.jpg", b"content", 1_100_000_000, 0o600)
    write(pics / "b" / "odd \udcff\n.jpg", b"content", 1_200_000_000, 0o444)
    write(pics / "b" / "other.jpg", b"no copy", 1_200_000_000)
    return tmp_path


def exact(heap: Path, action: Action, **options):
    paths = [path for path in (heap / "pics").rglob("*.jpg") if path.read_bytes() == b"content"]
    to = heap / "out" / "deep" if action is Action.MOVE else None
    return plan_of([image(1, b"content", *paths)], action=action, to=to, **options)


def outcomes(summary):
    return [some.outcome for some in summary.outcomes]


@pytest.mark.parametrize("action", list(Action))
def test_apply_and_undo(heap, action):
    before = snapshot(heap / "pics")
    plan = exact(heap, action)
    assert len(plan.items) == 2
    inodes = {item.file.path: item.file.path.stat().st_ino for item in plan.items}
    journal = heap / "j.jsonl"
    rehearsal = apply_plan(plan, None)
    assert rehearsal.well
    assert snapshot(heap / "pics") == before
    assert not journal.exists()
    summary = apply_plan(plan, journal)
    assert outcomes(summary) == [OutcomeKind.DONE] * 2
    keeper = heap / "pics" / "keep.jpg"
    for item in plan.items:
        path = item.file.path
        if action is Action.HARDLINK:
            assert path.stat().st_ino == keeper.stat().st_ino
        elif action is Action.SYMLINK:
            assert path.readlink() == keeper
        elif action is Action.REFLINK:
            assert path.stat().st_ino not in (keeper.stat().st_ino, inodes[path])
            assert snapshot(heap / "pics") == before  # content, times and rights are the same
        else:
            assert not os.path.lexists(path)
        if action is Action.MOVE:
            assert item.target.read_bytes() == b"content"
            assert item.target.is_relative_to(heap / "out" / "deep")
    again = apply_plan(plan, journal)
    assert outcomes(again) == [OutcomeKind.EARLIER] * 2
    undone = undo_journal(journal)
    assert outcomes(undone) == [OutcomeKind.BACK] * 2
    assert snapshot(heap / "pics") == before
    assert not (heap / "out").exists()
    assert not [*(heap / "data").rglob("*.jpg*")]
    assert undo_journal(journal).outcomes == ()
    with pytest.raises(PlanError, match="was undone"):
        apply_plan(plan, journal)


def test_the_trash_follows_the_specification(heap):
    plan = exact(heap, Action.TRASH)
    can = heap / "data" / "Trash"
    write(can / "files" / "one.jpg", b"older")
    apply_plan(plan, heap / "j.jsonl")
    assert (can / "files" / "one.jpg").read_bytes() == b"older"
    assert (can / "files" / "one 2.jpg").read_bytes() == b"content"
    lines = (can / "info" / "one 2.jpg.trashinfo").read_text().splitlines()
    assert lines[:2] == ["[Trash Info]", f"Path={heap / 'pics' / 'a' / 'one.jpg'}"]
    assert datetime.fromisoformat(lines[2].removeprefix("DeletionDate=")).year > 2000
    odd = next((can / "info").glob("odd*"))
    assert "Path=" + str(heap / "pics" / "b") + "/odd%20%FF%0A.jpg" in odd.read_text()
    assert stat.S_IMODE((can / "info").stat().st_mode) == 0o700


def test_a_trash_on_another_file_system(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", "/proc/none")  # another device than tmp_path's
    can, top = trash.trash_of(write(tmp_path / "x.jpg", b"x"))
    assert can == top / f".Trash-{os.getuid()}"
    assert tmp_path.is_relative_to(top)
    assert trash.info_text(tmp_path / "x.jpg", top, datetime(2026, 1, 2)).startswith(
        b"[Trash Info]\nPath=" + os.fsencode((tmp_path / "x.jpg").relative_to(top))
    )
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(NotADirectoryError):
        trash.make_trash(tmp_path / "link")
    long = "x" * 251 + ".jpg"
    assert len(trash.free_name(tmp_path, long) + " 2.trashinfo") <= 255


def swap_for_link(path: Path, keeper: Path) -> None:
    path.unlink()
    path.symlink_to(keeper)


def swap_for_twin(path: Path, keeper: Path) -> None:
    path.unlink()
    os.link(keeper, path)


def same_size_same_time(path: Path, keeper: Path) -> None:
    status = path.stat()
    path.write_bytes(b"CONTENT")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def swap_for_pipe(path: Path, keeper: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def swap_for_folder(path: Path, keeper: Path) -> None:
    path.unlink()
    path.mkdir()


SWAPS = [
    lambda path, keeper: path.unlink(),
    lambda path, keeper: path.write_bytes(b"else"),
    lambda path, keeper: os.utime(path, ns=(0, 0)),
    same_size_same_time,
    swap_for_link,
    swap_for_twin,
    swap_for_pipe,
    swap_for_folder,
]


@pytest.mark.parametrize("victim", ["file", "keeper"])
@pytest.mark.parametrize("swap", SWAPS)
def test_surprises_stop_the_run(heap, swap, victim):
    plan = exact(heap, Action.DELETE)
    path, keeper = plan.items[0].file.path, plan.items[0].keeper.path
    swap(path if victim == "file" else keeper, keeper if victim == "file" else path)
    before = snapshot(heap / "pics")
    summary = apply_plan(plan, heap / "j.jsonl")
    assert outcomes(summary) == [OutcomeKind.SURPRISE, OutcomeKind.LEFT]
    assert snapshot(heap / "pics") == before
    assert str(path) in summary.outcomes[0].detail or str(keeper) in summary.outcomes[0].detail
    on = apply_plan(plan, heap / "j.jsonl", go_on=True)
    assert outcomes(on) == [OutcomeKind.SURPRISE, OutcomeKind.DONE if victim == "file" else OutcomeKind.SURPRISE]


@pytest.mark.parametrize("action", [Action.MOVE, Action.TRASH])
def test_other_file_systems_and_those_without_hard_links(heap, monkeypatch, action):
    """Copied, compared and only then removed; or renamed where a name can be taken no other way."""
    before = snapshot(heap / "pics", links=False)
    true_link = os.link

    def no_link(source, target, **options):
        across = (heap / "pics") in Path(source).parents or (heap / "pics") in Path(target).parents
        if code == errno.EXDEV and Path(source).name.startswith(".dedupindex-"):
            return true_link(source, target, **options)
        if across:
            raise OSError(code, os.strerror(code))
        return true_link(source, target, **options)

    monkeypatch.setattr(os, "link", no_link)
    for code in (errno.EXDEV, errno.EPERM):
        plan = exact(heap, action)
        journal = heap / f"{code}.jsonl"
        assert apply_plan(plan, journal).well
        assert not any(os.path.lexists(item.file.path) for item in plan.items)
        assert undo_journal(journal).well
        assert snapshot(heap / "pics", links=False) == before


def test_nothing_is_overwritten(heap):
    plan = exact(heap, Action.MOVE)
    write(plan.items[0].target, b"came meanwhile")
    summary = apply_plan(plan, heap / "j.jsonl", go_on=True)
    assert outcomes(summary) == [OutcomeKind.SURPRISE, OutcomeKind.DONE]
    assert plan.items[0].target.read_bytes() == b"came meanwhile"
    write(plan.items[1].file.path, b"a new picture of that name")
    undone = undo_journal(heap / "j.jsonl")
    assert outcomes(undone) == [OutcomeKind.SURPRISE]
    assert "something else is there now" in undone.outcomes[0].detail
    assert plan.items[1].file.path.read_bytes() == b"a new picture of that name"
    plan.items[1].file.path.unlink()
    assert outcomes(undo_journal(heap / "j.jsonl")) == [OutcomeKind.BACK]


def test_undo_refuses_what_cannot_be_exact(heap):
    plan = exact(heap, Action.DELETE)
    apply_plan(plan, heap / "j.jsonl")
    keeper = heap / "pics" / "keep.jpg"
    keeper.write_bytes(b"edited since")
    left = snapshot(heap / "pics")
    assert outcomes(undo_journal(heap / "j.jsonl")) == [OutcomeKind.SURPRISE] * 2
    assert snapshot(heap / "pics") == left
    keeper.write_bytes(b"content")
    assert undo_journal(heap / "j.jsonl").well


def test_reflink_where_the_file_system_has_none(heap, monkeypatch):
    before = snapshot(heap / "pics")
    plan = exact(heap, Action.REFLINK)
    monkeypatch.setattr(file_copies, "clone_content", system.clone_content)

    def refused(*_):
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(system, "fcntl", SimpleNamespace(ioctl=refused, flock=system.fcntl.flock, LOCK_EX=2, LOCK_NB=4))
    summary = apply_plan(plan, heap / "j.jsonl")
    assert outcomes(summary) == [OutcomeKind.FAILED, OutcomeKind.LEFT]
    assert "this file system cannot let files share their blocks (reflink)" in summary.outcomes[0].detail
    assert snapshot(heap / "pics") == before
    assert undo_journal(heap / "j.jsonl").outcomes == ()


def test_undo_of_shared_blocks_after_one_of_them_was_edited(heap):
    plan = exact(heap, Action.REFLINK)
    before = snapshot(heap / "pics")
    assert apply_plan(plan, heap / "j.jsonl").well
    (heap / "pics" / "keep.jpg").write_bytes(b"edited, which does not touch the others")
    assert undo_journal(heap / "j.jsonl").well
    now = snapshot(heap / "pics")
    assert {name for name in now if now[name] != before[name]} == {"keep.jpg"}


def test_undo_of_links_that_were_edited(heap):
    plan = exact(heap, Action.HARDLINK)
    apply_plan(plan, heap / "j.jsonl")
    (heap / "pics" / "keep.jpg").write_bytes(b"edited through one of its names")
    left = snapshot(heap / "pics")
    assert outcomes(undo_journal(heap / "j.jsonl")) == [OutcomeKind.SURPRISE] * 2
    assert snapshot(heap / "pics") == left


def test_near_duplicates_go_for_a_keeper_that_is_still_the_same(heap):
    pics = heap / "pics"
    large = image(1, b"large", write(pics / "large.png", b"large"), width=900)
    small = image(2, b"small", write(pics / "small.png", b"small"), width=90)
    plan = plan_of([], [crop(large, small)], relations=(Relation.CROP_OF,))
    write(pics / "large.png", b"LARGE")
    assert outcomes(apply_plan(plan, heap / "j.jsonl", prover=proves())) == [OutcomeKind.SURPRISE]
    write(pics / "large.png", b"large")
    assert apply_plan(plan, heap / "j.jsonl", prover=proves()).well
    assert not (pics / "small.png").exists()


def test_journals_are_told_apart(heap):
    plan = exact(heap, Action.DELETE)
    journal = heap / "j.jsonl"
    with open_journal(journal, plan=plan.digest()), pytest.raises(PlanError, match="using it"):
        apply_plan(plan, journal)
    apply_plan(plan, journal)
    with pytest.raises(PlanError, match="another plan"):
        open_journal(journal, plan="0" * 64)
    for number, text in enumerate(("", "{}\n", "hello", '{"kind": "journal", "schema": 9}\n')):
        other = heap / f"o{number}"
        other.write_text(text)
        with pytest.raises(PlanError):
            undo_journal(other)
        assert other.read_text() == text
    with pytest.raises(OSError, match="No such file"):
        undo_journal(heap / "nowhere")
    with journal.open("a") as file:
        file.write('{"n": 0, "sta')
    assert undo_journal(journal).well


def test_the_journal_is_synced_before_each_deed(heap):
    plan = exact(heap, Action.DELETE)
    steps = []
    durable.listen(lambda step, name: steps.append((step, name)))
    try:
        apply_plan(plan, heap / "j.jsonl")
    finally:
        durable.listen(None)
    unlinks = [n for n, (step, _) in enumerate(steps) if step == "unlink"]
    assert len(unlinks) == 2
    for n in unlinks:
        assert steps[n - 2 : n] == [("write", "j.jsonl"), ("fsync", "j.jsonl")]
        assert steps[n + 1][0] == "fsync"  # the folder
    states = [json.loads(line).get("state") for line in (heap / "j.jsonl").read_text().splitlines()]
    assert states == [None, "begun", "done", "begun", "done"]


def test_attributes_come_back(heap):
    path = heap / "pics" / "a" / "one.jpg"
    try:
        os.setxattr(path, "user.note", b"mine")
    except OSError:
        pytest.skip("a file system without attributes")
    plan = exact(heap, Action.DELETE)
    apply_plan(plan, heap / "j.jsonl")
    undo_journal(heap / "j.jsonl")
    assert os.getxattr(path, "user.note") == b"mine"


def test_files_with_several_names_are_not_linked_or_deleted(heap):
    plan = exact(heap, Action.DELETE)
    os.link(plan.items[0].file.path, heap / "twin")
    assert outcomes(apply_plan(plan, heap / "j.jsonl"))[0] is OutcomeKind.SURPRISE
    assert file_access.look(plan.items[0].file.path) is not None


def test_a_name_that_is_taken_at_the_last_moment_is_not_overwritten(heap):
    plan = exact(heap, Action.MOVE)
    target = plan.items[0].target

    def somebody(step: str, name: str) -> None:
        if (step, name) == ("link", target.name) and not target.exists():
            target.write_bytes(b"just now")

    durable.listen(somebody)
    try:
        summary = apply_plan(plan, heap / "j.jsonl", go_on=True)
    finally:
        durable.listen(None)
    assert outcomes(summary) == [OutcomeKind.FAILED, OutcomeKind.DONE]
    assert target.read_bytes() == b"just now"
    assert plan.items[0].file.path.read_bytes() == b"content"
    undo_journal(heap / "j.jsonl")
    assert target.read_bytes() == b"just now"


def test_a_keeper_swapped_at_the_last_moment_saves_the_file(heap):
    for action in (Action.DELETE, Action.HARDLINK, Action.TRASH):
        plan = exact(heap, action)
        keeper = plan.items[0].keeper.path
        before = snapshot(heap / "pics")

        def somebody(step: str, name: str, action=action, keeper=keeper) -> None:
            if (step, name) == ("fsync", f"{action}.jsonl") and keeper.exists():
                keeper.rename(heap / "taken away")

        durable.listen(somebody)
        try:
            summary = apply_plan(plan, heap / f"{action}.jsonl")
        finally:
            durable.listen(None)
        assert summary.outcomes[0].outcome in (OutcomeKind.SURPRISE, OutcomeKind.FAILED)
        (heap / "taken away").rename(keeper)
        assert snapshot(heap / "pics") == before


def test_a_twin_of_the_keeper_is_the_keeper(heap):
    """With the same time and size, only the inode tells that it is one file by two names."""
    pics = heap / "pics"
    paths = [write(pics / name, b"twins", 1_000_000_000) for name in ("t", "tt")]
    plan = plan_of([image(1, b"twins", *paths)], action=Action.MOVE, to=heap / "out")
    assert [item.file.path for item in plan.items] == [pics / "tt"]
    swap_for_twin(pics / "tt", pics / "t")
    assert outcomes(apply_plan(plan, heap / "j.jsonl")) == [OutcomeKind.SURPRISE]
    assert (pics / "tt").exists()


def test_what_is_announced_is_really_synced(heap, monkeypatch):
    journal, synced, true_fsync = heap / "j.jsonl", [], os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(os.fstat(descriptor).st_ino)
        true_fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    apply_plan(exact(heap, Action.DELETE), journal)
    assert synced.count(journal.stat().st_ino) == 5  # its head; two file_operations, before and after
