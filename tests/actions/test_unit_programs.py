"""Random trees of units, plans, meddling, kills and undo: of everything one whole unit is left, and undo is exact.

Forty programs run by default; `pytest -m slow tests/actions/test_unit_programs.py` runs 2,000, or as many as
``DEDUPINDEX_PROGRAMS`` says. Every content is looked for before each step that changes the disk, as in
`test_apply_programs`.
"""

import hashlib
import os
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedupindex.actions.applying import apply_plan, undo_journal
from dedupindex.groups.companions import is_mate
from dedupindex.groups.unit_files import UnitFinder
from dedupindex.records import Relation
from dedupindex.records.companions import CompanionKind, Units
from dedupindex.records.plans import Action, OutcomeKind
from dedupindex.settings import KEEP_RULES
from tests.actions.heaps import image, pair, plan_of, proves, snapshot, write
from tests.actions.programs import CALM, QUIET, contents, fault, own_folder, watched

R = Relation
FOLDERS = ("a", "b", "c")
STEMS = ("7", "8")
PICTURES = (".jpg", ".heic", ".cr2", ".png")
SIDECARS = (".xmp", ".cr2.xmp", ".jpg.json", ".mov", ".aae", ".mask.png")
MASK = "{stem}.mask.png"
MOST_STEPS = 60  # of the program that is killed at each
FORMATS = {".jpg": "JPEG", ".heic": "HEIF", ".cr2": "RAW", ".png": "PNG"}

variants = st.sampled_from([0, 0, 0, 1])  # contents of one name that differ
place = st.fixed_dictionaries({
    "pictures": st.dictionaries(st.sampled_from(PICTURES[:3] * 2 + PICTURES[3:]), variants, max_size=3),
    "sidecars": st.dictionaries(st.sampled_from(SIDECARS), variants, max_size=3),
    "mtime": st.integers(0, 3),
})  # fmt: skip
meddling = st.one_of(
    st.none(),
    st.tuples(st.sampled_from(["touch", "rewrite", "remove", "new"]), st.integers(0, 40), st.sampled_from(SIDECARS)),
)
program = st.fixed_dictionaries({
    "places": st.lists(place, min_size=2, max_size=len(FOLDERS) * len(STEMS)),
    "action": st.sampled_from([Action.TRASH, Action.MOVE, Action.DELETE, Action.HARDLINK]),
    "units": st.sampled_from([Units.TOGETHER, Units.TOGETHER, Units.APART]),
    "near": st.booleans(),
    "may_lack": st.lists(st.sampled_from(list(CompanionKind)), max_size=2, unique=True),
    "protect": st.one_of(st.none(), st.sampled_from(["a", "b/7.xmp", "b/7.cr2"])),
    "keep": st.permutations(KEEP_RULES).map(lambda rules: rules[:4]),
    "meddling": meddling,
    "faults": st.tuples(fault, fault),
    "resume": st.booleans(),
    "tear": st.integers(0, 30),
    "go_on": st.booleans(),
})  # fmt: skip


class Tree:
    """One program's files, and the records that an index would have of its pictures."""

    def __init__(self, base: Path, recipe) -> None:
        self.base, self.pics, self.journal = base, base / "pics", base / "j.jsonl"
        self.files: list[Path] = []
        self.near: set[frozenset[str]] = set()
        paths: dict[tuple[str, str, int], list[Path]] = {}
        for (folder, stem), some in zip(product(FOLDERS, STEMS), recipe["places"], strict=False):
            for suffix, variant in some["pictures"].items():
                path = self.add(folder, stem, suffix, variant, some["mtime"])
                paths.setdefault((stem, suffix, variant), []).append(path)
            for suffix, variant in some["sidecars"].items():
                self.add(folder, stem, suffix, variant, some["mtime"])
        images = {
            key: image(
                number, data_of(*key), *found, format=FORMATS[key[1]], bits=16 if key[1] == ".cr2" else 8,
                width=100 + 100 * (key[2] == 0), lossless=key[1] == ".png",
            )
            for number, (key, found) in enumerate(sorted(paths.items()), 1)
        }  # fmt: skip
        near = recipe["near"] and recipe["action"] in (Action.TRASH, Action.MOVE)
        pairs = []
        for one, other in product(images, images):
            if one < other and one[0] == other[0]:
                pairs.append(pair(images[one], images[other], R.RESIZED))
                self.near.add(frozenset((digest(data_of(*one)), digest(data_of(*other)))))
        self.plan = plan_of(
            list(images.values()),
            pairs,
            action=recipe["action"],
            to=self.pics / "out" if recipe["action"] is Action.MOVE else None,
            relations=(R.SAME_BYTES, R.RESIZED) if near else (R.SAME_BYTES,),
            protect=(self.pics / recipe["protect"],) if recipe["protect"] else (),
            keep=tuple(recipe["keep"]),
            units=recipe["units"],
            may_lack=tuple(recipe["may_lack"]) if recipe["action"] in (Action.TRASH, Action.MOVE) else (),
            settings={"mask_pattern": MASK},
        )
        self.finder = UnitFinder(MASK, recipe["units"])
        self.first = {path: digest(path.read_bytes()) for path in self.files}
        self.units = {path: self.finder.companions(path) for path in self.files}  # as they are before anything goes
        self.owners = {path: self.finder.owners(path) for path in self.files}

    def add(self, folder: str, stem: str, suffix: str, variant: int, mtime: int) -> Path:
        path = write(self.pics / folder / f"{stem}{suffix}", data_of(stem, suffix, variant), 1_600_000_000 + mtime)
        self.files.append(path)
        return path

    def contents(self) -> set[str]:
        """Digests of all files there are."""
        return contents(self.base, self.journal)

    def meddle(self, how: str, where: int, suffix: str) -> None:
        """Somebody else works on the files between plan and apply."""
        path = self.files[where % len(self.files)]
        if how == "touch":
            os.utime(path, ns=(0, 0))
        elif how == "rewrite":
            path.write_bytes(b"z")
        elif how == "remove":
            path.unlink()
        elif not path.with_name(f"7{suffix}").exists():
            write(path.with_name(f"7{suffix}"), b"new")

    # ------------------------------------------------------------------------------------------ what must hold
    def check_plan(self, protect) -> None:
        going = {item.file.path for item in self.plan.items}
        with_them = {some.path for item in self.plan.items for some in item.going}
        assert not going & with_them
        kept = {item.keeper.path for item in self.plan.items}
        assert not kept & (going | with_them)
        for path in going | with_them:
            assert protect is None or not path.is_relative_to(self.pics / protect)
        if self.plan.action is Action.HARDLINK:
            assert not with_them
            return
        for item in self.plan.items:
            if self.plan.units is Units.TOGETHER:
                assert not is_mate(item.file.path, item.keeper.path)
                assert not self.finder.leads(item.file.path)

    def check_whole(self) -> None:
        """After a run that was neither killed nor meddled with: units went whole, and whole units are left."""
        if self.plan.action is Action.HARDLINK:
            return
        there = {path for path in self.files if path.exists()}
        for picture, companions in self.units.items():
            for companion in companions:
                owners = self.owners[companion.path]
                if not owners or companion.path in going_pictures(self):
                    continue  # a picture that went, or stayed, for itself
                # a companion is gone exactly where all pictures are that it belongs to
                assert (companion.path in there) == any(owner in there for owner in owners), companion
            assert picture in there or self.keeper_of(picture, there), picture

    def keeper_of(self, picture: Path, there: set[Path]) -> Path | None:
        """A picture that is there, shows what *picture* showed, and has all that belonged to it."""
        if any(picture == companion.path for companions in self.units.values() for companion in companions) and not any(
            item.file.path == picture for item in self.plan.items
        ):
            return picture  # a companion of another one, which is looked at in its turn
        for path in there:
            same = self.first[path] == self.first[picture]
            if not same and frozenset((self.first[path], self.first[picture])) not in self.near:
                continue
            beside = {(some.kind, self.first[some.path]) for some in self.units[path]}
            wanted = {
                (some.kind, self.first[some.path])
                for some in self.units[picture]
                if some.path not in there and some.kind not in self.plan.may_lack
                and some.path not in going_pictures(self)
            }  # fmt: skip
            if wanted <= beside:
                return path
        return None

    def check_not_torn(self) -> None:
        """After any run that ended by itself: an item is there with all that goes with it, or none of it is."""
        for item in self.plan.items:
            if item.file.path.exists() and self.plan.action is not Action.HARDLINK:
                assert all(some.path.exists() for some in item.going), item.file.path


def going_pictures(tree: Tree) -> set[Path]:
    return {item.file.path for item in tree.plan.items}


def data_of(stem: str, suffix: str, variant: int) -> bytes:
    return f"{stem}{suffix}{variant}".encode()


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def run_program(base: Path, recipe) -> Tree:
    tree = Tree(base, recipe)
    tree.check_plan(recipe["protect"])
    if recipe["meddling"] is not None and tree.files:
        tree.meddle(*recipe["meddling"])
    before, wanted = snapshot(tree.pics), tree.contents()
    first, second = recipe["faults"]

    def follow():
        return apply_plan(tree.plan, tree.journal, prover=proves(), go_on=recipe["go_on"])

    done = watched(tree, wanted, first, follow, recipe["tear"])
    if recipe["resume"]:
        done = watched(tree, wanted, CALM, follow)
        assert done is not None
    undisturbed = recipe["resume"] or first[0] == "none"
    if done is not None and undisturbed:
        if recipe["meddling"] is None:
            assert done.well
            tree.check_whole()
        elif recipe["meddling"][0] in ("touch", "new"):
            tree.check_not_torn()
    watched(tree, wanted, second, lambda: undo_journal(tree.journal))
    back = watched(tree, wanted, CALM, lambda: undo_journal(tree.journal))
    assert snapshot(tree.pics) == before
    if back is not None:
        assert {some.outcome for some in back.outcomes} <= {OutcomeKind.BACK}
    assert wanted == tree.contents()
    return tree


def run_somewhere(recipe) -> Tree:
    with own_folder() as base:
        (base / "pics").mkdir()
        return run_program(base, recipe)


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@settings(max_examples=40, deadline=None, suppress_health_check=QUIET)
@given(program)
def test_programs(recipe):
    run_somewhere(recipe)


@pytest.mark.slow
@settings(max_examples=int(os.environ.get("DEDUPINDEX_PROGRAMS", "2000")), deadline=None, suppress_health_check=QUIET)
@given(program)
def test_many_programs(recipe):
    run_somewhere(recipe)


SHOT = {"pictures": {".jpg": 0, ".cr2": 0}, "sidecars": {".xmp": 0, ".mov": 0}, "mtime": 0}
BARE = {"pictures": {}, "sidecars": {}, "mtime": 0}
ONE_SHOT_TWICE = {
    "places": [SHOT, BARE, SHOT | {"mtime": 1}],
    "action": Action.TRASH,
    "units": Units.TOGETHER,
    "near": False,
    "may_lack": [],
    "protect": None,
    "keep": ("oldest",),
    "meddling": None,
    "tear": 0,
    "go_on": False,
    "faults": (CALM, CALM),
    "resume": False,
}


def test_the_programs_do_take_units():
    tree = run_somewhere(ONE_SHOT_TWICE)
    assert [len(item.going) for item in tree.plan.items] == [3]


def kill_at(step, action, resume):
    faults = (("kill", step, False), ("kill", step % 7 * 3, False))
    run_somewhere(ONE_SHOT_TWICE | {"action": action, "resume": resume, "faults": faults})


@pytest.mark.parametrize("action", [Action.TRASH, Action.MOVE, Action.DELETE])
@pytest.mark.parametrize("resume", [False, True])
def test_killed_at_some_steps_of_a_unit(action, resume):
    for step in range(3 * resume, MOST_STEPS, 6):
        kill_at(step, action, resume)


@pytest.mark.slow
@pytest.mark.parametrize("action", [Action.TRASH, Action.MOVE, Action.DELETE])
@pytest.mark.parametrize("resume", [False, True])
def test_killed_at_every_step_of_a_unit(action, resume):
    for step in range(MOST_STEPS):
        kill_at(step, action, resume)
