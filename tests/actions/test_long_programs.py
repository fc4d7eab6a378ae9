"""Random programs of several plans over one tree: decisions, rules, merged metadata, moved folders, kills, undo.

Each round looks at the tree as the round before left it, plans by options or by standing rules, and applies; then all
rounds are undone, the last one first. After every round one whole unit of everything is left, what was decided is kept
to, and undo is exact. Twenty-five programs run by default; `pytest -m slow tests/actions/test_long_programs.py` runs
2,000, or as many as ``DEDUPINDEX_PROGRAMS`` says.
"""

import contextlib
import hashlib
import os
from datetime import UTC, datetime
from itertools import combinations, product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedupindex.actions import merging
from dedupindex.actions.applying import apply_plan, undo_journal
from dedupindex.actions.plan_options import PlanOptions
from dedupindex.actions.plan_rules import PlanRule, PlanRules, joined_plan
from dedupindex.actions.planning import make_plan
from dedupindex.actions.units import LINKS
from dedupindex.groups.companions import is_mate
from dedupindex.groups.grouping import build_groups
from dedupindex.groups.unit_files import UnitFinder
from dedupindex.records import Decision, DecisionKind, Relation
from dedupindex.records.companions import CompanionKind, Units
from dedupindex.records.metadata import PictureMetadata, lacking
from dedupindex.records.plans import Action, OutcomeKind
from dedupindex.settings import KEEP_RULES
from dedupindex.sources.metadata.xmp import add_to_xmp, read_xmp
from tests.actions.heaps import image, pair, proves, snapshot, write
from tests.actions.programs import CALM, QUIET, contents, fault, own_folder, watched

R = Relation
FOLDERS = ("a", "a/in", "b")
STEMS = ("7", "8")
PICTURES = (".jpg", ".heic", ".cr2", ".png")
SIDECARS = (".xmp", ".cr2.xmp", ".jpg.xmp", ".jpg.json", ".mov", ".mask.png")
MASK = "{stem}.mask.png"
FORMATS = {".jpg": "JPEG", ".heic": "HEIF", ".cr2": "RAW", ".png": "PNG"}
OUT = "out"  # where `move` moves to; such a folder is left out of later scans
DATABASE = {"database": "made-up.db", "version": "0"}

variants = st.sampled_from([0, 0, 0, 1])  # contents of one name that differ
place = st.fixed_dictionaries({
    "pictures": st.dictionaries(st.sampled_from(PICTURES[:3] * 2 + PICTURES[3:]), variants, max_size=3),
    "sidecars": st.dictionaries(st.sampled_from(SIDECARS), variants, max_size=2),
    "mtime": st.integers(0, 3),
})  # fmt: skip
decision = st.tuples(st.sampled_from(list(DecisionKind)), st.integers(0, 9), st.integers(0, 9))
near_actions = st.sampled_from([Action.TRASH, Action.MOVE])
by_options = st.fixed_dictionaries({
    "by": st.just("options"),
    "action": st.sampled_from([*Action, Action.TRASH, Action.MOVE]),
    "near": st.booleans(),
    "decided": st.booleans(),
    "units": st.sampled_from([Units.TOGETHER, Units.TOGETHER, Units.APART]),
    "may_lack": st.lists(st.sampled_from(list(CompanionKind)), max_size=2, unique=True),
    "merge": st.booleans(),
    "protect": st.sampled_from([None, None, "a", "b/7.xmp", "b/7.cr2"]),
    "keep": st.permutations(KEEP_RULES).map(lambda rules: rules[:4]),
})  # fmt: skip
folders = st.lists(st.sampled_from([*FOLDERS, ""]), min_size=1, max_size=2, unique=True)
by_rules = st.fixed_dictionaries({
    "by": st.just("rules"),
    "action": st.sampled_from([Action.TRASH, Action.MOVE, Action.HARDLINK, Action.REFLINK]),
    "near": st.booleans(),
    "rules": st.lists(st.tuples(folders, folders), min_size=1, max_size=3),
    "protect": st.sampled_from([None, "b"]),
})  # fmt: skip
round_ = st.fixed_dictionaries({
    "plan": st.one_of(by_options, by_rules),
    "away": st.sampled_from([None, None, None, "a", "b"]),  # a folder that is renamed, and back, before apply
    "fault": fault,
})  # fmt: skip
program = st.fixed_dictionaries({
    "places": st.lists(place, min_size=2, max_size=len(FOLDERS) * len(STEMS)),
    "decisions": st.lists(decision, max_size=3),
    "rounds": st.lists(round_, min_size=1, max_size=3),
    "resume": st.booleans(),  # the last round, where it was killed
    "tear": st.integers(0, 30),
    "away": st.sampled_from([None, None, "a", "b"]),  # a folder that is renamed, and back, before the first undo
    "undo": fault,
})  # fmt: skip


def data_of(stem: str, suffix: str, variant: int) -> bytes:
    """Content of a file: of a picture and most others its name, of an XMP sidecar two keywords."""
    if suffix.endswith(".xmp"):
        return add_to_xmp(None, PictureMetadata(keywords=(f"{stem}{suffix}", f"variant {variant}")))
    return f"{stem}{suffix}{variant}".encode()


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def grow(pics: Path, places) -> None:
    for (folder, stem), some in zip(product(FOLDERS, STEMS), places, strict=False):
        for suffix, variant in (*some["pictures"].items(), *some["sidecars"].items()):
            write(pics / folder / f"{stem}{suffix}", data_of(stem, suffix, variant), 1_600_000_000 + some["mtime"])


class Round:
    """One plan over the tree as it is now, with the records that an index would have of it."""

    def __init__(self, base: Path, number: int, recipe, decided) -> None:
        self.base, self.pics, self.journal = base, base / "pics", base / f"j{number}"
        self.to = self.pics / OUT / str(number)
        everything = (path for path in sorted(self.pics.rglob("*")) if path.is_file() and not path.is_symlink())
        self.files = [path for path in everything if not path.is_relative_to(self.pics / OUT)]
        self.first = {path: digest(path.read_bytes()) for path in self.files}
        made = recipe["plan"]
        units = made.get("units", Units.TOGETHER)
        self.finder = UnitFinder(MASK, units)
        self.units = {path: self.finder.companions(path) for path in self.files}
        self.owners = {path: self.finder.owners(path) for path in self.files}
        self.images = self._images()
        names = sorted(self.images)
        pairs = [
            pair(self.images[one], self.images[other], R.RESIZED)
            for one, other in combinations(names, 2)
            if one[0] == other[0]
        ]
        self.decisions = self._decisions(decided, [self.images[name] for name in names])
        self.groups = build_groups(pairs, list(self.images.values()))
        self.near = {frozenset((one.a.sha256.hex(), one.b.sha256.hex())) for one in pairs}
        self.plan = self._by_rules(made) if made["by"] == "rules" else self._by_options(made)

    def _images(self):
        paths: dict[tuple[str, str, int], list[Path]] = {}
        for path in self.files:
            for stem, suffix, variant in product(STEMS, PICTURES, (0, 1)):
                if path.suffix == suffix and path.read_bytes() == data_of(stem, suffix, variant):
                    paths.setdefault((stem, suffix, variant), []).append(path)
        return {
            key: image(
                number, data_of(*key), *found, format=FORMATS[key[1]], bits=16 if key[1] == ".cr2" else 8,
                width=100 + 100 * (key[2] == 0), lossless=key[1] == ".png",
            )
            for number, (key, found) in enumerate(sorted(paths.items()), 1)
        }  # fmt: skip

    def _decisions(self, decided, images):
        made = []
        for kind, one, other in decided:
            if not images:
                break
            keys = sorted((images[one % len(images)].key, images[other % len(images)].key))
            if kind is DecisionKind.KEEPER:
                keys[1] = ""
            elif keys[0] == keys[1] and kind is DecisionKind.NOT_DUPLICATE:
                continue
            made.append(Decision(kind, *keys, "", datetime(2026, 1, 1, tzinfo=UTC)))
        return made

    def _planned(self, options, selection=None):
        made = datetime(2026, 1, 1, tzinfo=UTC)
        wishes = {"selection": selection, "made": made, "settings": {"mask_pattern": MASK}}
        return make_plan(self.groups, self.decisions, options, **wishes, **DATABASE)

    def _by_options(self, made):
        near = made["action"] in (Action.TRASH, Action.MOVE)
        return self._planned(
            PlanOptions(
                made["action"],
                self.to if made["action"] is Action.MOVE else None,
                (R.SAME_BYTES, R.RESIZED) if made["near"] and near else (R.SAME_BYTES,),
                (self.pics / made["protect"],) if made["protect"] else (),
                tuple(made["keep"]),
                decided=made["decided"],
                units=made["units"],
                may_lack=tuple(made["may_lack"]) if near else (),
                merge_metadata=made["merge"] and near,
            )
        )

    def _by_rules(self, made):
        relations = (R.SAME_BYTES, R.RESIZED) if made["near"] and made["action"] not in LINKS else (R.SAME_BYTES,)
        rules = []
        for number, (taken, kept) in enumerate(made["rules"]):
            paths = [tuple(self.pics / name for name in names) for names in (taken, kept)]
            if not set(paths[0]) & set(paths[1]):
                rules.append(PlanRule(str(number), *paths, relations))
        protect = (self.pics / made["protect"],) if made["protect"] else ()
        asked = PlanRules(tuple(rules), made["action"], self.to if made["action"] is Action.MOVE else None, protect)
        return joined_plan(asked, self._planned, (), {"mask_pattern": MASK}, **DATABASE).plan

    def contents(self) -> set[str]:
        """Digests of all files there are."""
        return contents(self.base, self.journal)

    def stays(self) -> set[str]:
        """Contents that have to be there at every moment: all but old ones of sidecars, which the journal has."""
        rewritten = {i.metadata.existing.sha256 for i in self.plan.items if i.metadata and i.metadata.existing}
        return self.contents() - rewritten

    # ------------------------------------------------------------------------------------------ what must hold
    def check_plan(self, made) -> None:
        items = self.plan.items
        going = {item.file.path for item in items}
        with_them = {some.path for item in items for some in item.going}
        assert not going & with_them
        assert not {item.keeper.path for item in items} & (going | with_them)
        for path in going | with_them:
            assert not made["protect"] or not path.is_relative_to(self.pics / made["protect"])
        decided = {kind: {(d.a, d.b) for d in self.decisions if d.kind is kind} for kind in DecisionKind}
        keys = {one.sha256.hex(): one.key for one in self.images.values()}
        for item in items:
            both = tuple(sorted((keys[item.file.sha256], keys[item.keeper.sha256])))
            assert both not in decided[DecisionKind.KEEP_BOTH]
            assert both not in decided[DecisionKind.NOT_DUPLICATE]
            if not item.exact:
                assert (keys[item.file.sha256], "") not in decided[DecisionKind.KEEPER]
            if self.plan.units is Units.TOGETHER and self.plan.action not in LINKS:
                assert not is_mate(item.file.path, item.keeper.path)
                assert not self.finder.leads(item.file.path)
            if made["by"] == "rules":
                assert any(
                    item.file.path.is_relative_to(self.pics / one) and item.keeper.path.is_relative_to(self.pics / two)
                    for taken, kept in made["rules"]
                    for one, two in product(taken, kept)
                )

    def check_whole(self) -> None:
        """After a run that ended: what went, went whole, and of everything one whole unit is left."""
        if self.plan.action in LINKS:
            assert all(path.exists() for path in self.files)
            return
        there = {path for path in self.files if path.exists()}
        going = {item.file.path for item in self.plan.items}
        for picture, companions in self.units.items():
            for companion in companions:
                owners = self.owners[companion.path]
                if owners and companion.path not in going:
                    # a companion is gone exactly where all pictures are that it belongs to
                    assert (companion.path in there) == any(owner in there for owner in owners), companion
            if picture in going:
                assert any(self.stands_for(path, picture, there, going) for path in there), picture
        for item in self.plan.items:
            if item.metadata is not None and item.metadata.carried:
                assert not lacking(read_xmp(item.metadata.sidecar.read_bytes()), item.metadata.carried)

    def stands_for(self, path: Path, picture: Path, there: set[Path], going: set[Path]) -> bool:
        """Whether a file shows what a picture showed, and has all that belonged to it and is gone."""
        same = self.first[path] == self.first[picture]
        if not same and frozenset((self.first[path], self.first[picture])) not in self.near:
            return False
        beside = {(some.kind, self.first[some.path]) for some in self.units[path]}
        gone = (some for some in self.units[picture] if some.path not in there and some.path not in going)
        needed = {(some.kind, self.first[some.path]) for some in gone if some.kind not in self.plan.may_lack}
        return needed <= beside


@contextlib.contextmanager
def renamed(pics: Path, folder: str | None):
    """A folder has another name for a while; what came to its old one meanwhile stays there."""
    if folder is None or not (pics / folder).is_dir():
        yield False
        return
    away = pics / f"{folder} renamed"
    (pics / folder).rename(away)
    yield True
    (pics / folder).mkdir(exist_ok=True)
    for path in sorted(away.rglob("*")):
        back = pics / folder / path.relative_to(away)
        if path.is_dir():
            back.mkdir(parents=True, exist_ok=True)
    for path in sorted(away.rglob("*"), reverse=True):
        if path.is_dir():
            path.rmdir()
        else:
            back = pics / folder / path.relative_to(away)
            assert not os.path.lexists(back)
            path.rename(back)
    away.rmdir()


def run_program(base: Path, recipe) -> list[Round]:
    pics = base / "pics"
    grow(pics, recipe["places"])
    done: list[tuple[Round, dict, set[str]]] = []
    for number, some in enumerate(recipe["rounds"]):
        here = Round(base, number, some, recipe["decisions"])
        here.check_plan(some["plan"])
        before, wanted, stays = snapshot(pics), here.contents(), here.stays()
        last = number == len(recipe["rounds"]) - 1

        def follow(here=here):
            return apply_plan(here.plan, here.journal, prover=proves())

        with renamed(pics, some["away"]) as is_away:
            if is_away:  # nothing is as planned there, and nothing may be lost
                apply_plan(here.plan, here.journal, prover=proves(), go_on=True)
                assert wanted - stays <= here.contents() | (wanted - stays)
                assert stays <= here.contents()
        ended = watched(here, stays, some["fault"], follow, recipe["tear"])
        if not last or recipe["resume"]:
            ended = watched(here, stays, CALM, follow)
            assert ended is not None
        if ended is not None and (some["fault"][0] == "none" or not last or recipe["resume"]):
            assert ended.well, ended
            here.check_whole()
        done.append((here, before, wanted))
    for here, before, wanted in reversed(done):
        if here is done[-1][0]:
            with renamed(pics, recipe["away"]) as is_away:
                if is_away:
                    watched(here, here.stays() & wanted, CALM, lambda here=here: undo_journal(here.journal))
            watched(here, here.stays() & wanted, recipe["undo"], lambda here=here: undo_journal(here.journal))
        back = watched(here, here.stays() & wanted, CALM, lambda here=here: undo_journal(here.journal))
        assert snapshot(pics) == before
        assert back is None or {some.outcome for some in back.outcomes} <= {OutcomeKind.BACK}
        assert wanted <= here.contents()
    return [here for here, _, _ in done]


def run_somewhere(recipe) -> list[Round]:
    with own_folder() as base:
        (base / "pics").mkdir()
        return run_program(base, recipe)


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """No waiting for the disk, and what only reads a made-up file runs here."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    monkeypatch.setattr(merging, "within_limits", lambda settings, path, function, *arguments: function(*arguments))


@settings(max_examples=25, deadline=None, suppress_health_check=QUIET)
@given(program)
def test_programs(recipe):
    run_somewhere(recipe)


@pytest.mark.slow
@settings(max_examples=int(os.environ.get("DEDUPINDEX_PROGRAMS", "2000")), deadline=None, suppress_health_check=QUIET)
@given(program)
def test_many_programs(recipe):
    run_somewhere(recipe)


SHOT = {"pictures": {".jpg": 0, ".cr2": 0}, "sidecars": {".xmp": 0, ".mov": 0}, "mtime": 0}
OTHER = {"pictures": {".jpg": 1}, "sidecars": {".jpg.xmp": 1}, "mtime": 1}
BARE = {"pictures": {}, "sidecars": {}, "mtime": 0}
OPTIONS = {
    "by": "options", "action": Action.TRASH, "near": True, "decided": False, "units": Units.TOGETHER,
    "may_lack": [CompanionKind.EDITS], "merge": True, "protect": None, "keep": ("oldest",),
}  # fmt: skip
RULES = {"by": "rules", "action": Action.MOVE, "near": True, "rules": [(["b"], ["a"])], "protect": None}
QUIET_ROUND = {"away": None, "fault": CALM}
ROUNDS = [{"plan": RULES, **QUIET_ROUND}, {"plan": OPTIONS, **QUIET_ROUND}]
TWO_ROUNDS = {
    "places": [SHOT, BARE, OTHER, BARE, SHOT | {"mtime": 2}],
    "decisions": [], "rounds": ROUNDS, "resume": True, "tear": 0, "away": None, "undo": CALM,
}  # fmt: skip


def test_the_programs_do_take_units_by_rules_and_merge_metadata():
    first, second = run_somewhere(TWO_ROUNDS)
    assert [len(item.going) for item in first.plan.items] == [3]
    [item] = second.plan.items
    assert item.file.path.parent.name == "in"
    assert item.metadata.carried.keywords == ("7.jpg.xmp", "variant 1")


@pytest.mark.parametrize(
    ("kind", "gone"),
    [
        (None, {"b/7.jpg", "a/in/7.jpg"}),
        (DecisionKind.NOT_DUPLICATE, {"b/7.jpg"}),
        (DecisionKind.KEEP_BOTH, {"b/7.jpg"}),
        (DecisionKind.KEEPER, {"b/7.jpg"}),
    ],
)
def test_the_programs_keep_to_decisions(kind, gone):
    """On the two JPEGs of one stem, which are the second and the third picture by name."""
    decided = {None: [], DecisionKind.KEEPER: [(kind, 1, 1), (kind, 2, 2)]}.get(kind, [(kind, 1, 2)])
    [made] = run_somewhere(TWO_ROUNDS | {"decisions": decided, "rounds": ROUNDS[1:]})
    assert len(made.decisions) == len(decided)
    assert {item.file.path.relative_to(made.pics).as_posix() for item in made.plan.items} == gone


def test_pictures_of_one_unit_that_go_by_two_rules():
    """The raw file of a JPEG and a HEIC stays with one of them, or goes with the last; it is never left alone."""
    shot = {"pictures": {".jpg": 0, ".heic": 0, ".cr2": 0}, "sidecars": {}, "mtime": 0}
    jpeg, heic = ({"pictures": {suffix: 0}, "sidecars": {}, "mtime": 1} for suffix in (".jpg", ".heic"))
    places = [shot, BARE, jpeg, BARE, heic]
    for rules, wanted in (
        ([(["a"], ["b"]), (["a"], ["a/in"])], 0),
        ([(["a/in"], ["a"]), (["b"], ["a"])], 2),
    ):
        asked = {"by": "rules", "action": Action.TRASH, "near": False, "rules": rules, "protect": None}
        rounds = [{"plan": asked, **QUIET_ROUND}]
        [made] = run_somewhere(TWO_ROUNDS | {"places": places, "rounds": rounds})
        assert len(made.plan.items) >= wanted
        gone = {item.file.path.name for item in made.plan.items if item.file.path.parent.name == "a"}
        assert len(gone) < 2
