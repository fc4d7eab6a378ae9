"""The picture that leads a group in reports is the one that a plan of the same files keeps."""

import dataclasses
import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFilter, ImageOps

from dedupindex import Index, PlanOptions, Settings
from dedupindex.actions import planning
from dedupindex.groups.grouping import build_groups
from dedupindex.groups.ranking import Policy
from dedupindex.records import Decision, DecisionKind, Outcome, Proof, ProofMeasures, Relation
from dedupindex.records.plans import LeftOutReason
from dedupindex.settings import KEEP_RULES, OTHER_KEEP_RULES
from tests.actions.heaps import image, pair, write
from tests.amounts import examples
from tests.scenes import photograph

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
RELATIONS = (Relation.SAME_BYTES, Relation.REENCODED, Relation.RESIZED, Relation.TONE, Relation.CROP_OF)
KINDS = st.sampled_from([(Relation.REENCODED,), (Relation.RESIZED,), (Relation.TONE,), (Relation.CROP_OF,)])
MEASURES = st.fixed_dictionaries(
    {},
    optional={
        name: st.sampled_from(values)
        for name, values in {
            "colour_a": (0.0, 9.0), "colour_b": (0.0, 9.0), "noise_a": (1.0, 9.0), "noise_b": (1.0, 9.0),
            "middle_a": (0.3, 1.0, 1.6), "middle_b": (0.3, 1.0, 1.6), "fine_a": (0.05, 1.0, 1.6),
            "fine_b": (0.05, 1.0, 1.6), "detail_a": (3.0, 9.0), "detail_b": (3.0, 9.0), "step_a": (2.0, 6.0),
            "step_b": (2.0, 6.0), "lattice_a": (0.0, 0.6), "outside_a": (0.0, 0.1), "outside_b": (0.0, 0.1),
            "plain_a": (0.0, 1.0), "beyond": (1.0, 9.0), "ratio": (1.0, 1.5), "unexplained_a": (0.01, 0.3),
            "unexplained_b": (0.01, 0.3),
        }.items()
    },
)  # fmt: skip
IMAGES = st.lists(
    st.fixed_dictionaries({
        "width": st.sampled_from([80, 100, 101, 160]),
        "lossless": st.booleans(),
        "bits": st.sampled_from([8, 16]),
        "metadata_count": st.integers(0, 1),
        "places": st.lists(st.sampled_from(["a", "bb", "$RECYCLE.BIN", "kept"]), min_size=1, max_size=2, unique=True),
        "mtime": st.integers(1, 3),
    }),
    min_size=2,
    max_size=6,
)  # fmt: skip


@examples(60)
@given(
    known=IMAGES,
    links=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), KINDS, MEASURES), max_size=10),
    decided=st.sets(st.integers(0, 5), max_size=2),
    rules=st.permutations([*KEEP_RULES, *OTHER_KEEP_RULES]),
    order=st.randoms(use_true_random=False),
)
def test_the_one_that_leads_is_never_planned_and_kept_for_its_copies(
    tmp_path_factory, known, links, decided, rules, order
):
    folder = tmp_path_factory.mktemp("files")
    images = []
    for number, values in enumerate(known):
        values = dict(values)
        mtime, places = values.pop("mtime"), values.pop("places")
        data = f"picture {number}".encode()
        paths = [write(folder / place / f"{number}.jpg", data, mtime) for place in places]
        images.append(image(number + 1, data, *paths, **values))
    pairs = {}
    for a, b, kind, measures in links:
        if a != b and max(a, b) < len(images):
            proof = Proof(Outcome.SAME, compared=1.0, measures=ProofMeasures.of(measures))
            pairs[frozenset((a, b))] = pair(images[a], images[b], *kind, proof=proof)
    found = list(pairs.values())
    order.shuffle(found)
    keepers = {images[number].key for number in decided if number < len(images)}
    decisions = [Decision(DecisionKind.KEEPER, key, "", "", WHEN) for key in keepers]
    alone = [one for one in images if len(one.locations) > 1]
    groups = build_groups(found, alone, policy=Policy(tuple(rules), (), keepers=keepers))
    options = PlanOptions(keep=tuple(rules), relations=RELATIONS, unproven=True)
    plan = planning.make_plan(groups, decisions, options, database="", version="", made=WHEN)
    gone = {item.file.path: item.keeper.path for item in plan.items}
    for group in groups:
        star = group.members[0]
        places = [place.path for place in star.image.locations]
        assert places[0] not in gone
        assert all(gone[path] == places[0] for path in places[1:] if path in gone), "copies of its bytes go for it"
        beside = {other.id for one in group.pairs for other in (one.a, one.b) if star.image.id in (one.a.id, one.b.id)}
        # a part in finer detail stays beside the star, and may go for another one
        compared = [m for m in group.members if m.image.id in beside and m.rule != "shows-more"]
        own = {place.path for m in compared for place in m.image.locations[:1]}
        assert all(gone[path] == places[0] for path in own if path in gone), "so do those compared with it"
        in_bin = ["$RECYCLE.BIN" in member.image.locations[0].path.parts for member in group.members]
        assert not in_bin[0] or star.keeper or all(in_bin)
        assert not star.rule or star.because
        for member in group.members[1:]:
            assert member.because
    again = build_groups(found[::-1], alone[::-1], policy=Policy(tuple(rules), (), keepers=keepers))
    assert again == groups or [[m.image.id for m in g.members] for g in again] == [
        [m.image.id for m in g.members] for g in groups
    ]


def test_a_place_that_is_missing_never_leads(tmp_path):
    here, gone = (image(n, str(n).encode(), write(tmp_path / f"{n}.jpg", str(n).encode())) for n in (1, 2))
    place = dataclasses.replace(gone.locations[0], missing=True)
    gone = dataclasses.replace(gone, locations=(place,), width=900)
    [group] = build_groups([pair(gone, here, Relation.RESIZED)], policy=Policy(keepers={gone.key}))
    assert [member.image.id for member in group.members] == [1, 2]
    assert group.members[1].because == "this one is gone"


def test_the_copy_in_a_recycle_bin_goes_and_the_picture_stays(tmp_path):
    drive = tmp_path / "drive"
    kept = drive / "Pictures" / "2019" / "Summer holiday in the mountains" / "IMG_0001.jpg"
    thrown = drive / "$RECYCLE.BIN" / "S-1" / "$R1.jpg"
    for path in (kept, thrown):
        path.parent.mkdir(parents=True)
    Image.fromarray(photograph("coffee")).save(kept)
    shutil.copy2(kept, thrown)
    with Index.open(tmp_path / "t.db", create=True, settings=Settings(workers=1)) as index:
        index.ingest([kept, thrown])  # named, so the default does not leave it out
        report, plan = index.report(), index.plan()
    [group] = report.groups
    assert [place.path for place in group.members[0].image.locations] == [kept, thrown]
    assert group.members[0].rule == "no-system-folder"
    assert [(item.file.path, item.keeper.path, item.rule) for item in plan.items] == [
        (thrown, kept, "no-system-folder")
    ]


@pytest.fixture(scope="module")
def copies(tmp_path_factory):
    """Report and plan of an original and copies that have more pixels, bytes or depth, or are saved more finely."""
    folder = tmp_path_factory.mktemp("copies")
    Image.fromarray(photograph("coffee")).save(folder / "original.jpg", quality=88)
    original = Image.open(folder / "original.jpg")
    noise = np.random.default_rng(5).normal(0, 14, (*original.size[::-1], 3))
    grey = np.asarray(original.convert("L"))
    made = {
        "enlarged.jpg": original.resize([round(side * 1.5) for side in original.size], Image.Resampling.BICUBIC),
        "noisy.jpg": Image.fromarray(np.clip(np.asarray(original) + noise, 0, 255).astype(np.uint8)),
        "sharp.jpg": original.filter(ImageFilter.UnsharpMask(3, 200, 2)),
        "bordered.jpg": ImageOps.expand(original, 50, "white"),
        "turned.jpg": original.rotate(7, Image.Resampling.BICUBIC, expand=True),
        "grey.png": Image.fromarray(grey.astype(np.uint16) * 200),
    }
    for name, picture in made.items():
        picture.save(folder / name, **({"quality": 96} if name.endswith("jpg") else {}))
    with Index.open(folder / "t.db", create=True, settings=Settings(workers=1)) as index:
        index.ingest([folder])
        relations = ("same_bytes", "same_pixels", "reencoded", "resized", "tone", "rotated", "bordered", "crop_of")
        yield index.report(), index.plan(PlanOptions.named("trash", relations))


def test_an_original_leads_its_copies_however_they_are_saved(copies):
    report, _ = copies
    [group] = report.groups
    assert {member.path.name for member in group.members} >= {"original.jpg", "enlarged.jpg", "noisy.jpg", "grey.png"}
    assert group.members[0].path.name == "original.jpg"
    why = {member.path.name: (member.rule, member.judgement) for member in group.members[1:]}
    assert set(why.values()) == {("less-processed", False)}
    words = {member.path.name: member.because for member in group.members}
    assert words["grey.png"].startswith("its colours are gone")
    assert words["enlarged.jpg"].startswith("it was enlarged")
    assert words["noisy.jpg"].startswith("noise was added")


def test_a_plan_keeps_that_original_and_says_why(copies):
    report, plan = copies
    words = {member.path.name: member.because for member in report.groups[0].members}
    assert {item.keeper.path.name for item in plan.items} == {"original.jpg"}
    assert len(plan.items) >= 4
    for item in plan.items:
        assert item.because == words[item.file.path.name]
        assert (item.rule, item.judgement) == ("less-processed", False)
    assert not any(left.path.name == "original.jpg" and left.why == LeftOutReason.TIE for left in plan.left_out)


def test_a_picture_in_another_tone_is_a_judgement_call(tmp_path):
    """Neither of two files of other tones, saved alike, is known to be the original."""
    picture = Image.fromarray(photograph("coffee"))
    picture.save(tmp_path / "one.png")
    picture.point([min(255, round(value * 0.9 + 12)) for value in range(256)] * 3).save(tmp_path / "other tone.png")
    with Index.open(tmp_path / "t.db", create=True, settings=Settings(workers=1)) as index:
        index.ingest([tmp_path])
        report = index.report()
        plan = index.plan(PlanOptions.named("trash", ("tone", "reencoded")))
    [group] = report.groups
    [item] = plan.items
    assert group.members[1].judgement
    assert item.judgement
    assert item.keeper.path == group.members[0].path
    assert Path(item.file.path).name == group.members[1].path.name
