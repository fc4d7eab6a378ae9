"""Near-duplicates are compared as pictures just before one of them goes."""

import os
from pathlib import Path

import pytest

from dedupindex.actions.applying import OutcomeKind, apply_plan
from dedupindex.actions.renewed_proof import FileProof
from dedupindex.errors import ReadError, Reason
from dedupindex.records import Outcome, Proof, Relation
from tests.actions.heaps import image, pair, plan_of, proves, snapshot, write

NEAR = (
    Relation.SAME_PIXELS, Relation.REENCODED, Relation.RESIZED, Relation.TONE, Relation.CROP_OF, Relation.ROTATED,
    Relation.MIRRORED, Relation.NEGATIVE, Relation.BORDERED, Relation.EDITED,
)  # fmt: skip


@pytest.fixture
def heap(tmp_path, monkeypatch):
    """A folder `pics` with a trash beside it."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    write(tmp_path / "pics" / "large.png", b"large")
    write(tmp_path / "pics" / "small.png", b"small")
    return tmp_path


def near(heap: Path, relation: Relation, proof: Proof | None = None, **options):
    """A plan for one near-duplicate of this relation."""
    pics = heap / "pics"
    large = image(1, b"large", pics / "large.png", width=900)
    small = image(2, b"small", pics / "small.png", width=90)
    seen = () if relation in (Relation.REENCODED, Relation.EDITED) else (relation,)
    return plan_of([], [pair(large, small, *seen, proof=proof)], relations=(relation,), **options)


def proven(heap: Path, relation: Relation):
    """The same, proven to be what the relation says."""
    outcome = Outcome.EDITED if relation is Relation.EDITED else Outcome.SAME
    return near(heap, relation, Proof(outcome, compared=1.0))


@pytest.mark.parametrize("which", ["large.png", "small.png"])
@pytest.mark.parametrize("relation", NEAR)
def test_a_look_alike_of_the_same_name_size_and_time(heap, relation, which):
    plan = proven(heap, relation)
    assert len(plan.items) == 1
    status = (heap / "pics" / which).stat()
    (heap / "pics" / which).write_bytes(b"other")
    os.utime(heap / "pics" / which, ns=(status.st_atime_ns, status.st_mtime_ns))
    before = snapshot(heap / "pics")
    [done] = apply_plan(plan, heap / "j.jsonl", prover=proves()).outcomes
    assert done.outcome is OutcomeKind.SURPRISE
    assert snapshot(heap / "pics") == before


@pytest.mark.parametrize("relation", NEAR)
@pytest.mark.parametrize("outcome", list(Outcome))
def test_the_pictures_must_show_what_was_planned(heap, relation, outcome):
    allowed = {Outcome.SAME, Outcome.EDITED} if relation is Relation.EDITED else {Outcome.SAME}
    plan = proven(heap, relation)
    [done] = apply_plan(plan, heap / "j.jsonl", prover=proves(outcome, "so it is")).outcomes
    assert done.outcome is (OutcomeKind.DONE if outcome in allowed else OutcomeKind.SURPRISE)
    assert (heap / "pics" / "small.png").exists() == (outcome not in allowed)
    assert outcome in allowed or "so it is" in done.detail


@pytest.mark.parametrize("outcome", list(Outcome))
def test_what_goes_unproven_must_not_be_something_else(heap, outcome):
    plan = near(heap, Relation.RESIZED, unproven=True)
    [done] = apply_plan(plan, heap / "j.jsonl", prover=proves(outcome)).outcomes
    assert done.outcome is (OutcomeKind.DONE if outcome in (Outcome.SAME, Outcome.NONE) else OutcomeKind.SURPRISE)


def test_other_bytes_than_those_that_are_open_prove_nothing(heap):
    def elsewhere(item):
        return FileProof(Proof(Outcome.SAME), item.keeper.sha256, "0" * 64)

    def unreadable(item):
        raise ReadError(item.file.path, Reason.DAMAGED, "torn")

    plan = proven(heap, Relation.RESIZED)
    for prover in (elsewhere, unreadable, None):
        for journal in (heap / "j.jsonl", None):
            [done] = apply_plan(plan, journal, prover=prover).outcomes
            assert done.outcome is OutcomeKind.SURPRISE
    assert (heap / "pics" / "small.png").exists()
