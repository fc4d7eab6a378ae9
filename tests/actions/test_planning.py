import dataclasses
import hashlib
import json
import os
from pathlib import Path

import pytest

from dedupindex.actions.plans import check_plan, read_plan
from dedupindex.errors import PlanError, SettingsError
from dedupindex.records import Outcome, Proof, ProofMeasures, Region, Relation, VerificationMeasures
from dedupindex.records.plans import Action
from dedupindex.reports.jsonfile import to_json
from dedupindex.reports.plans import WHY, plan_json, plan_text, size_text
from tests.actions.heaps import crop, gone, image, pair, plan_of, reasons, write

R = Relation


@dataclasses.dataclass(frozen=True)
class Judged:
    kind: str
    a: str
    b: str = ""


def copies(folder: Path, *names: str, data: bytes = b"same", number: int = 1, **known):
    return image(
        number, data, *(write(folder / name, data, 1_600_000_000 + n) for n, name in enumerate(names)), **known
    )


def test_exact_copies_go_and_one_stays(tmp_path):
    plan = plan_of([copies(tmp_path, "b.jpg", "a.jpg", "c.jpg")])
    assert gone(plan) == {"a.jpg": "b.jpg", "c.jpg": "b.jpg"}
    assert {item.rule for item in plan.items} == {"oldest"}
    assert plan.bytes == 8
    assert all(item.exact and item.action is Action.TRASH for item in plan.items)


def test_ties_stay_and_are_listed(tmp_path):
    one = image(1, b"x", *(write(tmp_path / name, b"x", when) for name, when in (("a", 5), ("b", 5), ("c", 9))))
    plan = plan_of([one])
    assert gone(plan) == {"c": "a"}
    assert reasons(plan) == {"b": "tie"}
    assert gone(plan_of([one], keep=("oldest", "first-path"))) == {"b": "a", "c": "a"}


def test_only_exact_copies_unless_relations_are_named(tmp_path):
    large = copies(tmp_path, "large.png", number=1, data=b"large", width=200)
    small = copies(tmp_path, "small.jpg", "small2.jpg", number=2, data=b"small")
    pairs = [pair(large, small, R.RESIZED, R.TONE)]
    assert gone(plan_of([small], pairs)) == {"small2.jpg": "small.jpg"}
    assert reasons(plan_of([small], pairs)) == {"small.jpg": "relation"}
    assert gone(plan_of([small], pairs, relations=(R.RESIZED,))) == {}
    both = plan_of([small], pairs, relations=(R.RESIZED, R.TONE))
    assert gone(both) == {"small.jpg": "large.png", "small2.jpg": "large.png"}
    every = plan_of([small], pairs, relations=(R.SAME_BYTES, R.RESIZED, R.TONE))
    assert gone(every) == {"small.jpg": "large.png", "small2.jpg": "large.png"}
    assert {item.rule for item in every.items} == {"more-pixels"}


def test_a_picture_that_shows_more_never_goes(tmp_path):
    parent = copies(tmp_path, "parent", number=1, data=b"parent", width=100)
    part = copies(tmp_path, "part", number=2, data=b"part", width=400)
    plan = plan_of([], [crop(parent, part)], relations=(R.CROP_OF,))
    assert gone(plan) == {"part": "parent"}
    assert plan.items[0].rule == "shows-more"
    kept = plan_of([], [crop(parent, part)], [Judged("keeper", part.key)], relations=(R.CROP_OF,))
    assert gone(kept) == {}
    assert reasons(kept) == {"parent": "shows_more"}
    slightly = pair(parent, part, R.RESIZED, covers=(0.96, 1.0))
    assert reasons(plan_of([], [slightly], relations=(R.RESIZED,))) == {"parent": "shows_more"}
    unknown = dataclasses.replace(
        slightly, verification=dataclasses.replace(slightly.verification, measures=VerificationMeasures())
    )
    assert gone(plan_of([], [unknown], relations=(R.RESIZED,))) == {}


def test_a_part_in_finer_detail_stays(tmp_path):
    parent = copies(tmp_path, "parent", number=1, data=b"parent", width=100)
    part = copies(tmp_path, "part", number=2, data=b"part", width=100)
    fine = plan_of([], [crop(parent, part, R.RESIZED, scale=2.0)], relations=(R.CROP_OF, R.RESIZED))
    assert gone(fine) == {}
    assert reasons(fine) == {"part": "finer"}
    coarse = plan_of([], [crop(parent, part, R.RESIZED, scale=0.5)], relations=(R.CROP_OF, R.RESIZED))
    assert gone(coarse) == {"part": "parent"}


def test_borders_and_unpacked_copies_do_not_win(tmp_path):
    original = copies(tmp_path, "original", number=1, data=b"jpg", width=100)
    framed = copies(tmp_path, "framed", number=2, data=b"framed", width=130)
    bordered = pair(original, framed, R.BORDERED)
    registration = dataclasses.replace(bordered.verification.registration, scale=1.0)
    bordered = dataclasses.replace(
        bordered, verification=dataclasses.replace(bordered.verification, registration=registration)
    )
    plan = plan_of([], [bordered], relations=(R.BORDERED,), keep=("more-pixels",))
    assert gone(plan) == {}
    assert set(reasons(plan).values()) == {"tie"}
    png = copies(tmp_path, "png", number=3, data=b"png", lossless=True, format="PNG", metadata_count=0)
    plan = plan_of([], [pair(original, png, R.SAME_PIXELS)], relations=(R.SAME_PIXELS,), keep=("lossless",))
    assert gone(plan) == {}


def test_nothing_goes_for_a_picture_it_was_not_compared_with(tmp_path):
    a, b, c = (copies(tmp_path, name, number=n, data=name.encode(), width=90 - 10 * n) for n, name in enumerate("abc"))
    chain = [pair(a, b, R.RESIZED), pair(b, c, R.RESIZED)]
    plan = plan_of([], chain, relations=(R.RESIZED,))
    assert gone(plan) == {"b": "a"}
    assert gone(plan_of([], [*chain, pair(a, c, R.RESIZED)], relations=(R.RESIZED,))) == {"b": "a", "c": "a"}


def test_places_of_one_content_that_are_all_kept(tmp_path):
    one = copies(tmp_path, "a", "b")
    assert gone(plan_of([one])) == {"b": "a"}
    plan = plan_of([one], [], [Judged("keep-both", one.key, one.key)])
    assert gone(plan) == {}
    assert reasons(plan) == {"b": "keep_both"}


def test_decisions_are_honoured(tmp_path):
    a, b, c = (copies(tmp_path, name, number=n, data=name.encode(), width=90 - 10 * n) for n, name in enumerate("abc"))
    pairs = [pair(a, b, R.RESIZED), pair(b, c, R.RESIZED), pair(a, c, R.RESIZED)]
    keys = sorted([a.key, b.key])
    assert gone(plan_of([], pairs, [Judged("not-duplicate", *keys)], relations=(R.RESIZED,))) == {"c": "a"}
    both = plan_of([], pairs, [Judged("keep-both", *keys)], relations=(R.RESIZED,))
    assert gone(both) == {"c": "a"}
    assert reasons(both) == {"b": "keep_both"}
    last = plan_of([], pairs, [Judged("keeper", c.key)], relations=(R.RESIZED,))
    assert gone(last) == {"a": "c", "b": "c"}
    assert {item.rule for item in last.items} == {"decided"}
    two = plan_of([], pairs, [Judged("keeper", c.key), Judged("keeper", b.key)], relations=(R.RESIZED,))
    assert gone(two) == {"a": "b"}
    assert reasons(two) == {"c": "keeper"}


def test_protected_files_stay_and_are_kept_rather(tmp_path):
    one = image(1, b"x", write(tmp_path / "new" / "a", b"x", 5), write(tmp_path / "safe" / "b", b"x", 9))
    assert gone(plan_of([one])) == {"b": "a"}
    assert gone(plan_of([one], protect=(tmp_path / "safe",))) == {"a": "b"}
    (tmp_path / "link").symlink_to(tmp_path / "safe")
    assert gone(plan_of([one], protect=(tmp_path / "link",))) == {"a": "b"}
    plan = plan_of([one], protect=(tmp_path,))
    assert gone(plan) == {}
    assert reasons(plan) == {"b": "protected"}


def test_hard_links_aliases_and_what_is_not_as_ingested(tmp_path):
    first = write(tmp_path / "a", b"x", 5)
    names = ["twin", "alias/x", "changed", "gone", "linked"]
    for name in names:
        write(tmp_path / name, b"x", 9)
    (tmp_path / "twin").unlink()
    os.link(first, tmp_path / "twin")
    (tmp_path / "other").symlink_to(tmp_path / "alias")
    paths = [first, *(tmp_path / name for name in names), tmp_path / "other" / "x"]
    one = image(1, b"x", *paths)
    write(tmp_path / "changed", b"y")
    (tmp_path / "gone").unlink()
    (tmp_path / "linked").unlink()
    (tmp_path / "linked").symlink_to(first)
    plan = plan_of([one])
    assert gone(plan) == {"x": "a"}
    assert reasons(plan) == {
        "changed": "changed", "gone": "gone", "linked": "not_regular", "x": "same_file", "twin": "hard_link",
    }  # fmt: skip


def test_stacks_go_only_as_a_whole(tmp_path):
    paths = [write(tmp_path / "one.tif", b"stack", 5), write(tmp_path / "two.tif", b"stack", 9)]
    frames = [image(n, b"stack", *paths, frame=n, frame_count=2) for n in range(2)]
    single = copies(tmp_path, "page.png", number=7, data=b"page", width=50)
    pairs = [pair(frames[0], single, R.SAME_PIXELS)]
    plan = plan_of(frames, pairs, relations=(R.SAME_BYTES, R.SAME_PIXELS))
    assert gone(plan) == {"two.tif": "one.tif"}
    assert reasons(plan) == {"one.tif": "stack"}


def test_targets_keep_their_folders_and_take_nobodys_place(tmp_path):
    paths = [write(tmp_path / "in" / name, b"x", 5 + n) for n, name in enumerate(("k", "a/x.jpg", "b/x.jpg"))]
    write(tmp_path / "out" / "a" / "x.jpg", b"somebody else's")
    plan = plan_of([image(1, b"x", *paths)], action=Action.MOVE, to=tmp_path / "out")
    assert [item.target for item in plan.items] == [tmp_path / "out/a/x 2.jpg", tmp_path / "out/b/x.jpg"]


@pytest.mark.parametrize(
    "options",
    [
        {"action": Action.MOVE},
        {"to": Path("/x")},
        {"action": Action.DELETE, "relations": (R.RESIZED,)},
        {"action": Action.HARDLINK, "relations": (R.SAME_BYTES, R.SAME_PIXELS)},
        {"relations": (R.SHIFTED_OVERLAP,)},
        {"relations": (R.ALTERNATE,)},
        {"relations": (R.UNPROVEN,)},
        {"keep": ("largest",)},
    ],
)
def test_options_that_contradict_each_other(options):
    with pytest.raises(SettingsError):
        plan_of([], **options)


def test_a_plan_survives_its_file(tmp_path):
    odd = os.fsdecode(b"\xff odd\n.jpg")
    one = image(1, b"x", write(tmp_path / "a", b"x", 5), write(tmp_path / odd, b"x", 9))
    plan = plan_of([one], action=Action.MOVE, to=tmp_path / odd, protect=(tmp_path / "never",))
    path = tmp_path / "plan.json"
    path.write_bytes(to_json(plan_json(plan)))
    again = read_plan(path)
    assert again == dataclasses.replace(plan, left_out=())
    assert again.digest() == plan.digest()
    for spoiled in ("", "[]", '{"kind": "report"}', '{"kind": "plan", "schema": 99}', '{"kind": "plan", "schema": 1}'):
        path.write_text(spoiled)
        with pytest.raises(PlanError):
            read_plan(path)


def near_plan(tmp_path, proof, *seen, **options):
    large = copies(tmp_path, "large.png", number=1, data=b"large", width=200)
    small = copies(tmp_path, "small.jpg", number=2, data=b"small")
    options = {"relations": (R.RESIZED, R.REENCODED, R.EDITED)} | options
    return plan_of([], [pair(large, small, *seen, proof=proof)], **options)


REGION = Region((8, 4, 20, 10), (4, 2, 10, 5), 0.01, 0.3)


@pytest.mark.parametrize(
    ("proof", "seen", "reason"),
    [
        (None, (R.RESIZED,), "unproven"),
        (None, (), "unproven"),
        (Proof(Outcome.NONE, reason="too little in common"), (R.RESIZED,), "unproven"),
        (Proof(Outcome.SAME, compared=0.6), (R.RESIZED,), "unproven"),
        (Proof(Outcome.SAME, compared=1.0), (R.RESIZED,), ""),
        (Proof(Outcome.SAME, compared=1.0), (), ""),
        (Proof(Outcome.EDITED, (REGION,), compared=1.0), (R.RESIZED,), ""),
    ],
)
def test_only_what_is_proven_goes(tmp_path, proof, seen, reason):
    plan = near_plan(tmp_path, proof, *seen)
    assert reasons(plan) == ({"small.jpg": reason} if reason else {})
    assert gone(plan) == ({} if reason else {"small.jpg": "large.png"})
    asked = near_plan(tmp_path, proof, *seen, unproven=True)
    assert gone(asked) == {"small.jpg": "large.png"}
    assert not reason or proof is None or asked.items[0].evidence.proof.outcome is proof.outcome


@pytest.mark.parametrize("unproven", [False, True])
@pytest.mark.parametrize("outcome", [Outcome.ALTERNATE, Outcome.DIFFERENT])
def test_alternates_and_others_never_go(tmp_path, outcome, unproven):
    every = tuple(set(R) - {R.ALTERNATE, R.UNPROVEN, R.SHIFTED_OVERLAP})
    plan = near_plan(tmp_path, Proof(outcome, compared=1.0), R.RESIZED, relations=every, unproven=unproven)
    assert (plan.items, plan.left_out) == ((), ())


def test_what_is_edited_goes_only_where_that_is_named(tmp_path):
    proof = Proof(Outcome.EDITED, (REGION,), changed=0.01, compared=1.0)
    plan = near_plan(tmp_path, proof, R.RESIZED, relations=(R.RESIZED,))
    assert reasons(plan) == {"small.jpg": "relation"}
    text = plan_text(near_plan(tmp_path, proof, R.RESIZED), tmp_path)
    assert "edited: 1 place, 1 % of the area" in text
    [item] = near_plan(tmp_path, proof, R.RESIZED).items
    place = item.evidence.proof.regions[0].box_b  # on the file that goes
    assert f"differs: {place[3]} x {place[2]} pixels at ({place[1]}, {place[0]}), 1 %" in text


def test_nothing_seen_but_a_likeness_has_to_be_named_too(tmp_path):
    plan = near_plan(tmp_path, None, relations=(R.SAME_BYTES,), unproven=True)
    assert gone(plan) == {}
    assert reasons(plan) == {"small.jpg": "relation"}


@pytest.mark.parametrize("turned", [False, True])
def test_the_evidence_is_about_the_keeper_and_the_file(tmp_path, turned):
    names = [b"1", b"2"] if not turned else [b"2", b"1"]
    names.sort(key=lambda data: hashlib.sha256(data).digest(), reverse=turned)
    large = copies(tmp_path, "large", number=1, data=names[0], width=200, height=160)
    small = copies(tmp_path, "small", number=2, data=names[1], width=100, height=80)
    made = pair(large, small, R.RESIZED)
    assert (made.a is large) == (not turned)
    scale = 2.0 if made.a is large else 0.5
    matrix = ((scale, 0.0, 3.0), (0.0, scale, 5.0))
    registration = dataclasses.replace(made.verification.registration, matrix=matrix)
    made = dataclasses.replace(made, verification=dataclasses.replace(made.verification, registration=registration))
    [item] = plan_of([], [made], relations=(R.RESIZED,)).items
    found = item.evidence
    assert (found.keeper_shape, found.file_shape) == ((160, 200), (80, 100))
    (xx, _, x0), (_, yy, y0) = found.matrix
    assert (xx, yy) == (2.0, 2.0)
    assert (x0, y0) == ((3.0, 5.0) if not turned else (-6.0, -10.0))


def test_a_near_plan_survives_its_file_and_is_believed_in_nothing(tmp_path):
    proof = Proof(
        Outcome.EDITED, (REGION,), changed=0.01, compared=1.0, measures=ProofMeasures(places=1.0), version="1"
    )
    plan = near_plan(tmp_path, proof, R.RESIZED)
    path = tmp_path / "plan.json"
    path.write_bytes(to_json(plan_json(plan)))
    assert read_plan(path) == dataclasses.replace(plan, left_out=())
    plain = json.loads(path.read_text())

    def spoiled(change):
        values = json.loads(json.dumps(plain))
        change(values, values["items"][0])
        path.write_text(json.dumps(values))
        with pytest.raises(PlanError):
            read_plan(path)

    spoiled(lambda plan, item: item.update(evidence=None))
    spoiled(lambda plan, item: item.pop("evidence"))
    spoiled(lambda plan, item: item["evidence"].update(proof=None))
    spoiled(lambda plan, item: item["evidence"]["proof"].update(outcome="same"))
    spoiled(lambda plan, item: item["evidence"]["proof"].update(outcome="alternate"))
    spoiled(lambda plan, item: item["evidence"]["proof"].update(outcome="sure"))
    spoiled(lambda plan, item: item["evidence"].update(matrix=[[1, 0], [0, 1]]))
    spoiled(lambda plan, item: item["evidence"].update(file_shape=[0, 5]))
    spoiled(lambda plan, item: item.update(relation="resized+alternate"))
    spoiled(lambda plan, item: item.update(relation="resized+unproven"))
    spoiled(lambda plan, item: plan.update(relations=["resized"]))
    spoiled(lambda plan, item: plan.update(settings={"scaling": "by magic"}))
    spoiled(lambda plan, item: plan.update(settings={"max_pixels": 10}))


def test_an_older_plan_is_refused_with_words(tmp_path):
    path = tmp_path / "plan.json"
    path.write_text('{"kind": "plan", "schema": 1}')
    with pytest.raises(PlanError, match=r"older dedupindex.*make the plan again"):
        read_plan(path)


def test_a_plan_that_could_lose_a_picture_is_refused(tmp_path):
    plan = plan_of([copies(tmp_path, "a", "b", "c")])
    first, second = plan.items
    for items in (
        (first, first),
        (first, dataclasses.replace(second, keeper=first.file)),
        (dataclasses.replace(first, file=dataclasses.replace(first.file, sha256="0" * 64)),),
        (dataclasses.replace(first, relations=(R.RESIZED,), action=Action.DELETE),),
        (dataclasses.replace(first, relations=(R.RESIZED,), covered=0.5),),
        (dataclasses.replace(first, relations=(R.SHIFTED_OVERLAP,)),),
        (dataclasses.replace(first, action=Action.MOVE),),
        (dataclasses.replace(first, target=tmp_path / "x"),),
        (dataclasses.replace(first, file=dataclasses.replace(first.file, path=Path("relative"))),),
    ):
        with pytest.raises(PlanError):
            check_plan(dataclasses.replace(plan, items=items))
    with pytest.raises(PlanError, match="protected"):
        check_plan(dataclasses.replace(plan, protect=(tmp_path,)))
    check_plan(plan)


def test_text_says_what_and_why(tmp_path):
    one = copies(tmp_path, "a.jpg", "b\x1b[31m.jpg")
    tied = image(2, b"y", write(tmp_path / "t1", b"y", 5), write(tmp_path / "t2", b"y", 5))
    text = plan_text(plan_of([one, tied]), tmp_path)
    assert "keep  a.jpg" in text
    assert "trash  b\\x1b[31m.jpg" in text
    assert "same_bytes; kept by oldest: from 2020-09-13 12:26:40 against 2020-09-13 12:26:41 (UTC)" in text
    assert "stay: 1 file, no keep rule tells" in text
    assert text.endswith("1 file to the trash, 4 bytes freed when the trash is emptied")
    assert plan_text(plan_of([])) == "nothing to do"
    assert json.loads(to_json(plan_json(plan_of([one]))))["bytes"] == 4
    assert size_text(1_234_567) == "1.2 MB"
    assert size_text(12) == "12 bytes"
    assert set(WHY) >= {"tie", "relation", "stack"}
