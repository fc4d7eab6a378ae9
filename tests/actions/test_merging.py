"""Metadata of files that go, carried over into a sidecar of the one that is kept, and taken back."""

import dataclasses
import json
import os

import numpy as np
import pytest
from PIL import Image

from dedupindex import durable
from dedupindex.actions.applying import apply_plan, undo_journal
from dedupindex.actions.plans import check_plan, read_plan
from dedupindex.errors import PlanError, SettingsError
from dedupindex.records import Relation
from dedupindex.records.companions import CompanionKind
from dedupindex.records.metadata import PictureMetadata
from dedupindex.records.plans import Action, LeftOutReason, OutcomeKind
from dedupindex.reports.plans import plan_json, plan_text
from dedupindex.sources.metadata.xmp import add_to_xmp, read_xmp
from tests.actions.heaps import image, pair, plan_of, proves, reasons, snapshot, write

NEAR = (Relation.SAME_BYTES, Relation.RESIZED)
RATED = PictureMetadata(rating=4, keywords=("Rome", "Bridge"))
OWN = PictureMetadata(keywords=("Old",), description="mine")


def picture(path, size, said=None, mtime=1_600_000_000):
    """A JPEG that says something of itself."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(size).integers(0, 255, (size, size, 3), dtype=np.uint8)
    more = {} if said is None else {"xmp": add_to_xmp(None, said)}
    Image.fromarray(noise).save(path, **more)
    return write(path, path.read_bytes(), mtime)


@pytest.fixture
def heap(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    (tmp_path / "pics").mkdir()
    return tmp_path


def near_plan(heap, *said, kept=None, **options):
    """A large picture, and smaller ones that go for it."""
    pics = heap / "pics"
    paths = [picture(pics / "keep.jpg", 64, kept, 1_000_000_000)]
    paths += [picture(pics / "b" / f"{n}.jpg", 32 - n, words, 1_600_000_000 + n) for n, words in enumerate(said)]
    images = [image(n, path.read_bytes(), path) for n, path in enumerate(paths, 1)]
    pairs = [pair(images[0], other, Relation.RESIZED, score=1 - other.id / 100) for other in images[1:]]
    options = {"relations": NEAR, "merge_metadata": True, "keep": ("oldest",)} | options
    return plan_of([], pairs, **options)


def outcomes(summary):
    return [some.outcome for some in summary.outcomes]


def told(path):
    return read_xmp(path.read_bytes())


@pytest.mark.parametrize("action", [Action.TRASH, Action.MOVE])
def test_what_only_the_going_one_says_goes_into_a_new_sidecar(heap, action):
    to = heap / "out" if action is Action.MOVE else None
    plan = near_plan(heap, RATED, action=action, to=to)
    before = snapshot(heap / "pics")
    assert len(plan.items) == 1
    assert plan.sidecars == 1
    assert apply_plan(plan, None, prover=proves()).well
    assert snapshot(heap / "pics") == before
    summary = apply_plan(plan, heap / "j", prover=proves())
    assert summary.well
    sidecar = heap / "pics" / "keep.jpg.xmp"
    assert summary.outcomes[0].sidecar == sidecar
    assert told(sidecar) == RATED
    assert (heap / "pics" / "keep.jpg").read_bytes() == before["keep.jpg"][1]  # pictures are never written to
    assert outcomes(apply_plan(plan, heap / "j", prover=proves())) == [OutcomeKind.EARLIER]
    undone = undo_journal(heap / "j")
    assert outcomes(undone) == [OutcomeKind.BACK]
    assert undone.files == [heap / "pics" / "b" / "0.jpg"]
    assert snapshot(heap / "pics") == before


def test_a_sidecar_of_before_is_added_to_and_comes_back_byte_by_byte(heap):
    pics = heap / "pics"
    sidecar = write(pics / "keep.xmp", add_to_xmp(None, OWN) + b"<!-- odd -->\n", 1_300_000_000, 0o640)
    plan = near_plan(heap, dataclasses.replace(RATED, description="theirs"), kept=PictureMetadata(rating=2))
    [item] = plan.items
    assert item.metadata.sidecar == sidecar
    assert item.metadata.carried == PictureMetadata(keywords=("Rome", "Bridge"))
    assert item.metadata.differing == PictureMetadata(rating=4, description="theirs")
    before = snapshot(pics)
    assert apply_plan(plan, heap / "j", prover=proves()).well
    assert told(sidecar) == PictureMetadata(keywords=("Old", "Rome", "Bridge"), description="mine")
    assert sidecar.stat().st_mode & 0o777 == 0o640
    assert undo_journal(heap / "j").well
    assert snapshot(pics) == before


def test_several_files_for_one_keeper_in_any_order(heap):
    """Each adds to what those before it left; one that fails and goes later does not spoil undo."""
    first, second = (
        PictureMetadata(rating=rating, keywords=words) for rating, words in ((4, ("Rome", "A")), (5, ("Rome", "B")))
    )
    plan = near_plan(heap, first, second)
    assert [item.metadata.carried for item in plan.items] == [first, second]
    assert plan.items[1].metadata.differing == PictureMetadata(rating=5)
    sidecar, before = heap / "pics" / "keep.jpg.xmp", snapshot(heap / "pics")
    assert apply_plan(plan, heap / "j", prover=proves()).well
    assert told(sidecar) == PictureMetadata(rating=4, keywords=("Rome", "A", "B"))
    assert undo_journal(heap / "j").well
    assert snapshot(heap / "pics") == before

    def only_the_second(item):
        if item is plan.items[0]:
            raise PlanError("not now")
        return proves()(item)

    summary = apply_plan(plan, heap / "k", prover=only_the_second, go_on=True)
    assert outcomes(summary) == [OutcomeKind.SURPRISE, OutcomeKind.DONE]
    assert told(sidecar) == second  # nothing of the one that stays, all of the one that went
    assert apply_plan(plan, heap / "k", prover=proves()).well
    assert told(sidecar) == PictureMetadata(rating=5, keywords=("Rome", "B", "A"))
    assert undo_journal(heap / "k").well
    assert snapshot(heap / "pics") == before


def test_a_sidecar_that_is_the_equal_of_a_companion(heap):
    """It is added to for one file, and still counts as the equal of the next one's sidecar."""
    pics, same = heap / "pics", add_to_xmp(None, OWN)
    for name in ("keep.xmp", "b/0.xmp", "b/1.xmp"):
        write(pics / name, same)
    plan = near_plan(heap, RATED, PictureMetadata(keywords=("More",)))
    assert [len(item.going) for item in plan.items] == [1, 1]
    before = snapshot(pics)
    assert apply_plan(plan, heap / "j", prover=proves()).well
    assert told(pics / "keep.xmp").keywords == ("Old", "Rome", "Bridge", "More")
    assert undo_journal(heap / "j").well
    assert snapshot(pics) == before


def test_the_sidecar_of_the_one_that_goes_counts(heap):
    write(heap / "pics" / "b" / "0.jpg.xmp", add_to_xmp(None, RATED))
    plan = near_plan(heap, None)
    assert reasons(plan) == {"0.jpg": LeftOutReason.COMPANIONS}
    plan = near_plan(heap, None, may_lack=(CompanionKind.EDITS,))
    assert [item.metadata.carried for item in plan.items] == [RATED]


@pytest.mark.parametrize(
    ("sidecar", "words"),
    [
        (b"no XML", "no XML"),
        (b"<a/>", "no XMP"),
        (b'<!DOCTYPE a [<!ENTITY b "b">]><a>&b;</a>', "document type"),
        (None, "is protected"),
    ],
)
def test_a_file_stays_where_nothing_can_be_carried_over(heap, sidecar, words):
    pics, protect = heap / "pics", ()
    if sidecar is None:
        protect = (pics / "keep.jpg",)
    else:
        write(pics / "keep.jpg.xmp", sidecar)
    plan = near_plan(heap, RATED, protect=protect)
    [left] = plan.left_out
    assert left.why is LeftOutReason.METADATA
    assert words in left.detail
    assert not plan.items


def test_nothing_to_carry_over(heap):
    plan = near_plan(heap, None, kept=RATED)
    assert [item.metadata for item in plan.items] == [None]
    plan = near_plan(heap, RATED, kept=RATED)
    assert [item.metadata for item in plan.items] == [None]
    plan = near_plan(heap, RATED, merge_metadata=False)
    assert [item.metadata for item in plan.items] == [None]


def test_what_came_meanwhile_is_not_overwritten(heap):
    plan = near_plan(heap, RATED)
    sidecar = write(heap / "pics" / "keep.jpg.xmp", b"new")
    before = snapshot(heap / "pics")
    summary = apply_plan(plan, heap / "j", prover=proves())
    assert outcomes(summary) == [OutcomeKind.SURPRISE]
    assert "is there now" in summary.outcomes[0].detail
    assert snapshot(heap / "pics") == before
    sidecar.unlink()
    assert apply_plan(plan, heap / "j", prover=proves()).well
    sidecar.write_bytes(b"edited after the run")
    undone = undo_journal(heap / "j")
    assert outcomes(undone) == [OutcomeKind.SURPRISE]
    assert (heap / "pics" / "b" / "0.jpg").exists()  # the picture is back, the sidecar as somebody left it
    assert sidecar.read_bytes() == b"edited after the run"
    sidecar.unlink()
    assert undo_journal(heap / "j").well
    assert not sidecar.exists()


@pytest.mark.parametrize("existing", [False, True])
@pytest.mark.parametrize("resume", [False, True])
def test_killed_at_every_step(heap, existing, resume, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    if existing:
        write(heap / "pics" / "keep.jpg.xmp", add_to_xmp(None, OWN), 1_300_000_000, 0o600)
    plan = near_plan(heap, RATED, PictureMetadata(keywords=("More",)))
    before = snapshot(heap / "pics")

    class KilledError(BaseException):
        pass

    for step in range(200):
        left = [step]

        def kill(*_, left=left):
            left[0] -= 1
            if left[0] < 0:
                raise KilledError

        journal, ended = heap / f"j{step}", True
        durable.listen(kill)
        try:
            apply_plan(plan, journal, prover=proves())
        except KilledError:
            ended = False
        finally:
            durable.listen(None)
        if resume:
            assert apply_plan(plan, journal, prover=proves()).well
            assert {"Rome", "Bridge", "More"} <= set(told(heap / "pics" / "keep.jpg.xmp").keywords)
        if journal.exists() and journal.read_bytes():
            assert undo_journal(journal).well
        assert snapshot(heap / "pics") == before
        if ended:
            return
    raise AssertionError


def test_the_plan_as_a_file_and_as_text(heap):
    said = dataclasses.replace(RATED, hierarchy=("Places|Rome",), position=(1.5, -2.25), taken="2024-05-01T12:00:00Z")
    plan = near_plan(heap, said, dataclasses.replace(RATED, rating=1), kept=PictureMetadata(description="d"))
    file = heap / "plan.json"
    file.write_text(json.dumps(plan_json(plan)))
    read = read_plan(file)
    assert [item.metadata for item in read.items] == [item.metadata for item in plan.items]
    assert read.digest() == plan.digest()
    text = plan_text(plan)
    assert (
        "carried over into keep.jpg.xmp, which is new: rating 4; keywords Rome, Bridge, Places > Rome; "
        "position 1.50000, -2.25000; taken 2024-05-01 12:00:00Z"
    ) in text
    assert "not carried over, as the kept one says otherwise: rating 1" in text
    assert "what only they say of the pictures goes into 1 sidecar" in text


def test_plans_that_would_write_elsewhere_are_refused(heap):
    plan = near_plan(heap, RATED)
    [item] = plan.items
    for changed in (
        {"sidecar": heap / "pics" / "other.xmp"},
        {"sidecar": heap / "keep.jpg.xmp"},
        {"sidecar": item.keeper.path},
    ):
        metadata = dataclasses.replace(item.metadata, **changed)
        with pytest.raises(PlanError, match="is no sidecar of"):
            check_plan(dataclasses.replace(plan, items=(dataclasses.replace(item, metadata=metadata),)))
    with pytest.raises(PlanError, match="is protected"):
        check_plan(dataclasses.replace(plan, protect=(item.metadata.sidecar,)))
    with pytest.raises(PlanError, match="carries nothing over"):
        check_plan(dataclasses.replace(plan, merge_metadata=False))
    for field, value in (("rating", 9), ("position", [99, 0]), ("keywords", ["a\0b"]), ("taken", "soon")):
        values = plan_json(plan)
        values["items"][0]["metadata"]["carried"][field] = value
        (heap / "plan.json").write_text(json.dumps(values))
        with pytest.raises(PlanError, match=r"carried"):
            read_plan(heap / "plan.json")


@pytest.mark.parametrize("action", [Action.HARDLINK, Action.SYMLINK, Action.REFLINK, Action.DELETE])
def test_only_files_that_are_moved_or_trashed(heap, action):
    with pytest.raises(SettingsError, match="metadata is carried over only from"):
        near_plan(heap, relations=(Relation.SAME_BYTES,), action=action)
