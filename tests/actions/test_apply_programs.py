"""Random heaps, plans, meddling, kills and failing disks: no content is ever lost, and undo restores the tree exactly.

A hundred programs run by default; `pytest -m slow tests/actions/test_apply_programs.py` runs 2,500, or as many as
``DEDUPINDEX_PROGRAMS`` says. Every step that changes the disk is watched: before it, each content that the heap ever
had is looked for among all files. A kill is an exception that nothing catches; the code cleans up in no `finally`.
"""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedupindex.actions.applying import apply_plan, undo_journal
from dedupindex.actions.plans import NEAR_ACTIONS
from dedupindex.records import Relation
from dedupindex.records.plans import Action, OutcomeKind
from tests.actions.heaps import crop, image, pair, plan_of, proves, snapshot, write
from tests.actions.programs import CALM, QUIET, contents, fault, own_folder, watched

R = Relation
FOLDERS = ("", "a", "b", "b/deep", "safe")
MOST_STEPS = 45  # of the program that is killed at each


file_ = st.fixed_dictionaries({
    "folder": st.sampled_from(FOLDERS),
    "mtime": st.integers(0, 3),
    "mode": st.sampled_from([0o644, 0o600, 0o444]),
    "twin": st.integers(0, 9).map(lambda n: n == 0),  # one more hard link, that the index knows too
})  # fmt: skip
content = st.fixed_dictionaries({
    "files": st.lists(file_, min_size=1, max_size=4),
    "width": st.integers(1, 3),
    "stack": st.integers(0, 9).map(lambda n: n == 0),
})  # fmt: skip
link = st.tuples(
    st.integers(0, 3), st.integers(0, 3), st.sampled_from(["crop", "resized", "tone", "shifted", "smaller"])
)
meddling = st.lists(
    st.tuples(
        st.integers(0, 11),
        st.sampled_from(["touch", "rewrite", "same time", "remove", "symlink", "hard link", "occupy"]),
    ),
    max_size=2,
)
program = st.fixed_dictionaries({
    "contents": st.lists(content, min_size=1, max_size=4),
    "links": st.lists(link, max_size=5),
    "action": st.sampled_from(list(Action)),
    "near": st.booleans(),
    "protect": st.booleans(),
    "meddling": st.one_of(st.just([]), meddling),
    "faults": st.tuples(fault, fault),
    "resume": st.booleans(),
    "tear": st.integers(0, 30),
    "go_on": st.booleans(),
})  # fmt: skip


class World:
    """One program's files and records."""

    def __init__(self, base: Path, recipe) -> None:
        self.base, self.pics, self.journal = base, base / "pics", base / "j.jsonl"
        self.paths, self.images, self.pairs = [], [], []
        for number, some in enumerate(recipe["contents"]):
            data = bytes([65 + number]) * 9
            paths = []
            for n, file in enumerate(some["files"]):
                path = self.pics / file["folder"] / f"{number}{n}.jpg"
                paths.append(write(path, data, 1_600_000_000 + file["mtime"], file["mode"]))
                if file["twin"]:
                    os.link(path, twin := path.with_suffix(".twin"))
                    paths.append(twin)
            self.paths += paths
            frames = 2 if some["stack"] else 1
            known = {"width": 100 * some["width"], "frame_count": frames}
            self.images.append(image(number, data, *paths, **known))
        (self.pics / "a symlink").symlink_to(self.paths[0])
        for a, b, kind in recipe["links"]:
            self._join(a % len(self.images), b % len(self.images), kind)
        near = recipe["near"] and recipe["action"] in NEAR_ACTIONS
        self.plan = plan_of(
            self.images,
            self.pairs,
            action=recipe["action"],
            to=self.pics / "out" / "deep" if recipe["action"] is Action.MOVE else None,
            relations=(R.SAME_BYTES, R.RESIZED, R.CROP_OF) if near else (R.SAME_BYTES,),
            protect=(self.pics / "safe",) if recipe["protect"] else (),
        )

    def _join(self, a: int, b: int, kind: str) -> None:
        one, other = self.images[a], self.images[b]
        if a == b or any({some.a.id, some.b.id} == {a, b} for some in self.pairs):
            return
        made = {
            "crop": lambda: crop(one, other),
            "resized": lambda: pair(one, other, R.RESIZED),
            "tone": lambda: pair(one, other, R.RESIZED, R.TONE),
            "shifted": lambda: pair(one, other, R.SHIFTED_OVERLAP, covers=(0.6, 0.6)),
            "smaller": lambda: pair(one, other, R.RESIZED, covers=(0.96, 1.0)),
        }
        self.pairs.append(made[kind]())

    def check_plan(self) -> None:
        """What the plan must never do, whatever the rules say."""
        going = {item.file.path for item in self.plan.items}
        by_sha = {some.sha256.hex(): some for some in self.images}
        for item in self.plan.items:
            assert item.keeper.path not in going
            assert not item.file.path.is_relative_to(self.pics / "safe") or not self.plan.protect
            assert not item.file.path.is_symlink()
            assert item.file.path.stat().st_nlink == 1
            assert item.file.path.stat().st_ino != item.keeper.path.stat().st_ino
            gone, kept = by_sha[item.file.sha256], by_sha[item.keeper.sha256]
            if gone is not kept:
                assert item.action in NEAR_ACTIONS
                assert gone.frame_count == kept.frame_count == 1
                [found] = [p for p in self.pairs if {p.a.id, p.b.id} == {gone.id, kept.id}]
                side = "a" if found.a.id == gone.id else "b"
                assert getattr(found.verification.measures, f"cover_{side}") == 1.0
                assert found.verification.crop_of != side

    def meddle(self, where: int, how: str) -> None:
        """Somebody else works on the files between plan and apply."""
        path, other = self.paths[where % len(self.paths)], self.paths[0]
        if not path.is_file() or path.is_symlink():
            return
        status = path.stat()
        if how == "touch":
            os.utime(path, ns=(0, 0))
        elif how in ("rewrite", "same time"):
            path.unlink()
            write(path, b"z" * 9)
            if how == "same time":
                os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        elif how == "occupy":
            for item in self.plan.items[:1]:
                if item.target is not None:
                    write(item.target, b"occupied")
        elif path != other or how == "remove":
            path.unlink()
            if how == "symlink":
                path.symlink_to(other)
            elif how == "hard link" and other.is_file():
                os.link(other, path)

    def contents(self) -> set[str]:
        """Digests of all files there are."""
        return contents(self.base, self.journal)


def run_program(base: Path, recipe) -> None:
    world = World(base, recipe)
    world.check_plan()
    for where, how in recipe["meddling"]:
        world.meddle(where, how)
    before, wanted = snapshot(world.pics), world.contents()
    first, second = recipe["faults"]

    def follow():
        return apply_plan(world.plan, world.journal, prover=proves(), go_on=recipe["go_on"])

    done = watched(world, wanted, first, follow, recipe["tear"])
    if recipe["resume"]:
        done = watched(world, wanted, CALM, follow)
        assert done is not None
    assert wanted <= world.contents()
    if done is not None and not recipe["meddling"] and (recipe["resume"] or first[0] == "none"):
        assert done.well
        finished(world)
    watched(world, wanted, second, lambda: undo_journal(world.journal))
    back = watched(world, wanted, CALM, lambda: undo_journal(world.journal))
    assert snapshot(world.pics) == before
    if back is not None:
        assert {some.outcome for some in back.outcomes} <= {OutcomeKind.BACK}
    assert wanted == world.contents()


def finished(world: World) -> None:
    for item in world.plan.items:
        path = item.file.path
        if item.action is Action.HARDLINK:
            assert path.stat().st_ino == item.keeper.path.stat().st_ino
        elif item.action is Action.SYMLINK:
            assert path.readlink() == item.keeper.path
        elif item.action is Action.REFLINK:
            assert path.read_bytes() == item.keeper.path.read_bytes()
        else:
            assert not os.path.lexists(path)


def run_somewhere(recipe) -> None:
    with own_folder() as base:
        run_program(base, recipe)


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch):
    """The steps are watched as always; a killed process loses nothing that was written, so nothing need be awaited."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@settings(max_examples=60, deadline=None, suppress_health_check=QUIET)
@given(program)
def test_programs(recipe):
    run_somewhere(recipe)


@pytest.mark.slow
@settings(max_examples=int(os.environ.get("DEDUPINDEX_PROGRAMS", "2500")), deadline=None, suppress_health_check=QUIET)
@given(program)
def test_many_programs(recipe):
    run_somewhere(recipe)


@pytest.mark.parametrize("resumed", ["by turns", pytest.param("both", marks=pytest.mark.slow)])
@pytest.mark.parametrize("action", list(Action))
def test_killed_at_every_step(action, resumed):
    """One small program, killed at each of its steps, and then again in undo.

    After each step it goes on or not: by turns, or once so and once so.
    """
    files = [{"folder": folder, "mtime": n, "mode": 0o644, "twin": False} for n, folder in enumerate(("", "a", "b"))]
    recipe = {
        "contents": [{"files": files, "width": 2, "stack": False}, {"files": files[:1], "width": 1, "stack": False}],
        "links": [(0, 1, "resized")],
        "action": action,
        "near": True,
        "protect": False,
        "meddling": [],
        "go_on": False,
        "tear": 0,
    }
    for step in range(MOST_STEPS):
        for resume in (False, True) if resumed == "both" else (bool(step % 2),):
            again = ("kill", step % 7 * 3, False)
            run_somewhere(recipe | {"faults": (("kill", step, False), again), "resume": resume})
