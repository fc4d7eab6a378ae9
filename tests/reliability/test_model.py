"""The index against a plain dict, whatever is done in whatever order; and grown bit by bit against made at once."""

import dataclasses
import functools
import hashlib
import io
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from PIL import Image

from dedupindex import Index
from tests.pictures import half, picture
from tests.reliability.harness import Machine

CONTENTS = 9
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)  # without shrinking: a step takes a tenth of a second
places = st.sampled_from([f"{folder}/{name}.png" for folder in ("a", "b") for name in range(4)])
contents = st.integers(0, CONTENTS - 1)


@functools.cache
def data_of(content: int) -> bytes:
    """Bytes of a small picture; of each three two are copies of the first: smaller, and packed otherwise."""
    pixels = picture(content // 3, 72, 96)
    buffer = io.BytesIO()
    Image.fromarray(half(pixels) if content % 3 == 1 else pixels).save(buffer, "PNG", compress_level=content % 3 * 4)
    return buffer.getvalue()


@functools.cache
def key_of(content: int) -> str:
    return hashlib.sha256(data_of(content)).hexdigest()


class Model(RuleBasedStateMachine):
    """`files` is the disk, `where` the places that the index knows (content, missing), `images` what it has stored."""

    machine: Machine

    @initialize()
    def begin(self):
        self.folder = Path(tempfile.mkdtemp(prefix="model-"))
        self.root = self.folder / "in"
        for name in ("a", "b"):
            (self.root / name).mkdir(parents=True)
            (self.root / name / "notes.txt").write_text("an empty folder may be a disk that is not mounted")
        self.files, self.where, self.images, self.saved = {}, {}, set(), None
        self.searched = True
        self.open()

    def open(self):
        self.index = Index.open(self.folder / "a.db", create=True, workers=1, batch=2)

    def teardown(self):
        if hasattr(self, "index"):
            self.index.close()
            shutil.rmtree(self.folder)

    # ---------------------------------------------------------------------------------------------- the disk
    @rule(place=places, content=contents)
    def write(self, place, content):
        (self.root / place).write_bytes(data_of(content))
        self.files[place] = content

    @rule(one=places, other=places)
    def move(self, one, other):
        if one in self.files:
            (self.root / one).replace(self.root / other)
            self.files[other] = self.files.pop(one)

    @rule(place=places)
    def remove(self, place):
        if self.files.pop(place, None) is not None:
            (self.root / place).unlink()

    # ---------------------------------------------------------------------------------------------- the index
    def now_known(self):
        self.where = {place: (content, True) for place, (content, _) in self.where.items()}
        self.where |= {place: (content, False) for place, content in self.files.items()}
        self.images |= set(self.files.values())

    @rule()
    def ingest(self):
        summary = self.index.ingest([self.root])
        assert summary.failures == ()
        self.now_known()
        assert self.index.ingest([self.root]).read == 0
        self.searched = False

    @rule()
    def find(self):
        self.index.find_duplicates()
        self.searched = True

    @rule(place=places)
    def forget(self, place):
        self.index.forget([self.root / place])
        content, _ = self.where.pop(place, (None, None))
        if content is not None and content not in {other for other, _ in self.where.values()}:
            self.images.discard(content)

    @rule(content=contents)
    def query(self, content):
        query = self.folder / "query.png"
        query.write_bytes(data_of(content))
        found = self.index.query(query)
        keys = [match.image.key for match in found]
        assert len(keys) == len(set(keys))
        there = {other for other, missing in self.where.values() if not missing}
        if content in there:
            assert found[0].image.key == key_of(content)
            assert found[0].score == 1.0
        family = {key_of(other) for other, _ in self.where.values() if other // 3 == content // 3}
        assert set(keys) == family
        places = {key: set() for key in family}  # where each is said to be: those that are gone now are marked too
        for place, (other, missing) in self.where.items():
            if other // 3 == content // 3 and not missing and place in self.files:
                places[key_of(other)].add(self.root / place)
        for match in found:
            assert {place.path for place in match.image.locations if not place.missing} == places[match.image.key]

    @rule()
    def rebuild(self):
        self.index._vectors.flat_limit = 2  # so that there are vector files
        self.index.rebuild()
        self.index._vectors.flat_limit = 50_000

    @rule()
    def reopen(self):
        self.index.close()
        self.open()

    @rule()
    def backup(self):
        self.index.backup(self.folder / "backup.db")
        self.saved = (dict(self.where), set(self.images))

    @precondition(lambda self: self.saved is not None)
    @rule()
    def restore(self):
        Index.restore(self.folder / "backup.db", self.index.path)
        self.where, self.images = dict(self.saved[0]), set(self.saved[1])
        self.searched = False

    @rule(number=st.integers(1, 30), scenario=st.sampled_from(["ingest", "rebuild"]))
    def crash(self, number, scenario):
        fault = ["seam", f"kill:{number}"]
        outcome = self.machine.run(scenario, self.index.path, self.root, fault=fault, acknowledge=True)
        assert outcome.exit in (0, -9), outcome
        stored = {image.key for image in self.index.images()}
        assert set(outcome.last("has") or ()) <= {f"{key}#0" for key in stored}
        assert {key_of(content) for content in self.images} <= stored
        self.ingest()

    @invariant()
    def is_as_it_should_be(self):
        if not hasattr(self, "index"):
            return
        assert {image.key for image in self.index.images()} == {key_of(content) for content in self.images}
        found = {
            (os.fspath(place.path.relative_to(self.root)), image.key, place.missing)
            for image in self.index.images()
            for place in image.locations
        }
        assert found == {(place, key_of(content), missing) for place, (content, missing) in self.where.items()}
        assert [problem for problem in self.index.check() if problem.code != "leftover_file"] == []
        there = {content for content, missing in self.where.values() if not missing}
        wanted = {frozenset((key_of(a), key_of(b))) for a in there for b in there if a < b and a // 3 == b // 3}
        pairs = [frozenset((pair.a.key, pair.b.key)) for pair in self.index.pairs()]
        assert len(pairs) == len(set(pairs))
        assert set(pairs) <= wanted
        if self.searched:
            assert set(pairs) == wanted


def play(machine, examples, steps, same):
    Model.machine = machine
    run_state_machine_as_test(
        Model,
        settings=settings(
            max_examples=examples,
            derandomize=same,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=PHASES,
        ),
    )
    print(f"\nmodel: {examples} programmes of up to {steps} steps, none diverged")


def test_the_index_does_as_a_dict_does(machine):
    play(machine, 6, 15, same=True)


@pytest.mark.slow
def test_the_index_does_as_a_dict_does_for_long(machine):
    play(machine, int(os.environ.get("RELIABILITY_PROGRAMMES", "100")), 30, same=False)


# ----------------------------------------------------------------------------------------- grown or made at once
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), places, contents),
        st.tuples(st.just("move"), places, places),
        st.tuples(st.just("remove"), places, st.none()),
        st.tuples(st.just("ingest"), st.sampled_from(["", "a", "b"]), st.integers(1, 5)),
        st.tuples(st.just("find"), st.none(), st.integers(1, 5)),
        st.tuples(st.just("forget"), places, st.none()),
    ),
    min_size=4,
    max_size=25,
)


def outcome(index, root):
    """Pairs with all their evidence, groups (but for their names, which last), and where everything is."""
    report = index.report()
    pairs = [(p.a.key, p.b.key, dataclasses.asdict(p.verification)) for p in index.pairs()]
    groups = [
        ([(m.image.key, m.relation, m.score) for m in g.members], g.weakest and g.weakest.verification.score, g.flags)
        for g in report.groups
    ]
    there = sorted((p.path.relative_to(root), i.key) for i in index.images() for p in i.locations if not p.missing)
    return pairs, sorted(groups, key=str), there


def grown_is_made(steps):
    with tempfile.TemporaryDirectory(prefix="grown-") as name:
        folder = Path(name)
        root = folder / "in"
        for part in ("a", "b"):
            (root / part).mkdir(parents=True)
            (root / part / "notes.txt").write_text("here")
        for action, one, other in [*steps, ("ingest", "", 3), ("find", None, 2)]:
            with Index.open(
                folder / "grown.db", create=True, workers=1, batch=other if isinstance(other, int) and other else 1
            ) as index:
                if action == "write":
                    (root / one).write_bytes(data_of(other))
                elif action == "move" and (root / one).exists():
                    (root / one).replace(root / other)
                elif action == "remove":
                    (root / one).unlink(missing_ok=True)
                elif action == "ingest":
                    index.ingest([root / one])
                elif action == "find":
                    index.find_duplicates()
                elif action == "forget":
                    index.forget([root / one])
        with Index.open(folder / "grown.db", workers=1) as grown:
            before = outcome(grown, root)
            grown.rebuild()
            assert outcome(grown, root) == before
        with Index.open(folder / "made.db", create=True, workers=1) as made:
            made.ingest([root])
            made.find_duplicates()
            assert outcome(made, root) == before


@given(steps=STEPS)
@settings(max_examples=12, deadline=None, phases=PHASES)
def test_grown_bit_by_bit_is_made_at_once(steps):
    grown_is_made(steps)


@pytest.mark.slow
@given(steps=STEPS)
@settings(max_examples=int(os.environ.get("RELIABILITY_HISTORIES", "300")), deadline=None, phases=PHASES)
def test_any_history_ends_alike(steps):
    grown_is_made(steps)
