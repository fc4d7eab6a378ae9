"""Plans of whole units, on made-up files."""

import dataclasses
import json

import pytest

from dedupindex.actions.plans import check_plan, read_plan
from dedupindex.errors import PlanError, SettingsError
from dedupindex.records import Relation
from dedupindex.records.companions import CompanionKind, Units
from dedupindex.records.plans import Action
from dedupindex.records.reports import Selection
from dedupindex.reports.jsonfile import to_json
from dedupindex.reports.plans import plan_json, plan_text
from tests.actions.heaps import gone, image, pair, plan_of, reasons, write
from tests.actions.test_planning import Judged

R = Relation
KEPT = 1_000_000_000  # older than all others: kept by the rule `oldest`


def unit(tmp_path, folder, *names, mtime=KEPT, **contents):
    """Files in a folder; a name that ends in ``=x`` has the content x, others that of their name."""
    for name in names:
        name, _, data = name.partition("=")
        write(tmp_path / folder / name, (data or name).encode(), mtime)
    return tmp_path / folder


def two(tmp_path, kept=(), going=(), **options):
    """A plan of two places of one JPEG, with other files beside each."""
    a, b = unit(tmp_path, "a", "7.jpg", *kept), unit(tmp_path, "b", "7.jpg", *going, mtime=KEPT + 9)
    return plan_of([image(1, b"7.jpg", a / "7.jpg", b / "7.jpg")], keep=("oldest",), **options)


def going(plan):
    return {some.path.name: str(some.kind) for item in plan.items for some in item.going}


def detail(plan):
    [left] = plan.left_out
    return left.detail


def test_what_belongs_to_a_file_goes_with_it(tmp_path):
    plan = two(tmp_path, ("7.xmp", "7.MOV", "8.xmp"), ("7.xmp", "7.MOV", "8.xmp"))
    assert [str(item.file.path.relative_to(tmp_path)) for item in plan.items] == ["b/7.jpg"]
    assert going(plan) == {"7.xmp": "edits", "7.MOV": "video"}
    assert {some.equal.path.parent.name for item in plan.items for some in item.going} == {"a"}
    assert plan.bytes == sum(len(name) for name in ("7.jpg", "7.xmp", "7.MOV"))
    text = plan_text(plan, tmp_path)
    assert "with 7.MOV (video), 7.xmp (edits)" in text
    assert text.endswith("1 file with 2 companions to the trash, 15 bytes freed when the trash is emptied")


@pytest.mark.parametrize("beside", [(), ("7.xmp=other",), ("7.aae=7.xmp",), ("8.xmp=7.xmp",)])
def test_a_file_stays_where_its_keeper_lacks_what_belongs_to_it(tmp_path, beside):
    plan = two(tmp_path, beside, ("7.xmp",))
    assert gone(plan) == {}
    assert reasons(plan) == {"7.jpg": "companions"}
    assert detail(plan) == "no equal beside the copy that is kept: 7.xmp (edits)"
    assert "b/7.jpg  (beside a/7.jpg): no equal beside the copy that is kept: 7.xmp (edits)" in plan_text(
        plan, tmp_path
    )


def test_what_the_keeper_may_lack_is_named(tmp_path):
    plan = two(tmp_path, (), ("7.xmp", "7.mov"), may_lack=(CompanionKind.EDITS,))
    assert detail(plan).endswith(": 7.mov (video)")
    plan = two(tmp_path, (), ("7.xmp", "7.mov"), may_lack=(CompanionKind.EDITS, CompanionKind.VIDEO))
    assert going(plan) == {"7.xmp": "edits", "7.mov": "video"}
    assert "7.mov (video, which the kept one lacks)" in plan_text(plan)
    with pytest.raises(SettingsError, match="only be moved"):
        two(tmp_path, may_lack=(CompanionKind.EDITS,), action=Action.DELETE)


def test_the_rule_keeps_the_one_with_more(tmp_path):
    a = unit(tmp_path, "a", "7.jpg", "7.xmp", mtime=KEPT + 9)
    b = unit(tmp_path, "b", "7.jpg")
    plan = plan_of([image(1, b"7.jpg", a / "7.jpg", b / "7.jpg")], keep=("more-companions", "oldest"))
    assert [(item.file.path.parent.name, item.rule) for item in plan.items] == [("b", "more-companions")]
    assert plan.items[0].because == "1 companion (edits, video, raw ...) against none"


def test_what_the_keeper_may_lack_does_not_count(tmp_path):
    a, b = unit(tmp_path, "a", "7.jpg"), unit(tmp_path, "b", "7.jpg", "7.xmp", mtime=KEPT + 9)
    images, keep = [image(1, b"7.jpg", a / "7.jpg", b / "7.jpg")], ("more-companions", "oldest")
    assert [item.file.path.parent.name for item in plan_of(images, keep=keep).items] == ["a"]
    plan = plan_of(images, keep=keep, may_lack=(CompanionKind.EDITS,))
    assert [item.file.path.parent.name for item in plan.items] == ["b"]
    phone = image(2, b"phone", write(tmp_path / "phone.jpg", b"phone"), frame_count=2, format="JPEG")
    plain = image(3, b"plain", write(tmp_path / "plain.png", b"plain"), format="PNG")
    pairs, options = [pair(phone, plain, R.SAME_PIXELS)], {"relations": (R.SAME_PIXELS,), "keep": (*keep, "newest")}
    assert gone(plan_of([], pairs, **options)) == {"plain.png": "phone.jpg"}
    options |= {"keep": ("more-companions", "shortest-path", "first-path")}
    plan = plan_of([], pairs, may_lack=(CompanionKind.EMBEDDED,), **options)
    assert [item.rule for item in plan.items] == ["first-path"]


def test_a_copy_that_stays_for_its_companions_is_named(tmp_path):
    a, b = unit(tmp_path, "a", "7.jpg"), unit(tmp_path, "b", "7.jpg", "7.xmp", mtime=KEPT + 9)
    images, protect = [image(1, b"7.jpg", a / "7.jpg", b / "7.jpg")], (a,)
    plan = plan_of(images, keep=("more-companions", "oldest"), protect=protect)
    assert gone(plan) == {}
    assert [(left.path.parent.name, str(left.why), left.detail) for left in plan.left_out] == [
        ("b", "companions", "1 companion (edits, video, raw ...) against none"),
        ("a", "protected", "is protected"),
    ]
    plan = plan_of(images, keep=("more-companions", "oldest"), protect=protect, may_lack=(CompanionKind.EDITS,))
    assert going(plan) == {"7.xmp": "edits"}


@pytest.mark.parametrize("action", [Action.HARDLINK, Action.SYMLINK])
def test_what_becomes_a_link_keeps_its_companions(tmp_path, action):
    plan = two(tmp_path, ("7.cr2",), ("7.xmp", "7.cr2"), action=action)
    assert gone(plan) == {"7.jpg": "7.jpg"}
    assert going(plan) == {}
    raw = [image(2, b"7.cr2", tmp_path / "a/7.cr2", tmp_path / "b/7.cr2", format="RAW")]
    assert gone(plan_of(raw, action=action, keep=("first-path",))) == {"7.cr2": "7.cr2"}


def test_a_shared_companion_stays_while_one_of_its_pictures_stays(tmp_path):
    a = unit(tmp_path, "a", "7.jpg", "7.png", "7.xmp")
    b = unit(tmp_path, "b", "7.jpg", "7.png", "7.xmp", mtime=KEPT + 9)
    jpg = image(1, b"7.jpg", a / "7.jpg", b / "7.jpg")
    png = image(2, b"7.png", a / "7.png", b / "7.png")
    one = plan_of([jpg], keep=("oldest",))
    assert gone(one) == {"7.jpg": "7.jpg"}
    assert going(one) == {}
    assert "without 7.xmp (edits): belongs to another picture too" in plan_text(one)
    both = plan_of([jpg, png], keep=("oldest",))
    assert [len(item.going) for item in both.items] == [0, 1]  # with the last of them


# ----------------------------------------------------------------------------------------------------- raw and JPEG
def shots(tmp_path, kept=("7.cr2", "7.jpg"), going=("7.cr2", "7.jpg"), *, near=True, **options):
    a, b = unit(tmp_path, "a", *kept), unit(tmp_path, "b", *going, mtime=KEPT + 9)
    found = {}
    for number, name in enumerate(("7.cr2", "7.jpg")):
        paths = [folder / name for folder in (a, b) if (folder / name).exists()]
        if paths:
            found[name] = image(
                number, name.encode(), *paths, format="RAW" if number == 0 else "JPEG", bits=16 - 8 * number
            )
    pairs = [pair(found["7.cr2"], found["7.jpg"], R.TONE)] if near and len(found) == 2 else []
    options = {"keep": ("oldest",), "relations": (R.SAME_BYTES, R.TONE)} | options
    return plan_of(list(found.values()), pairs, **options)


def test_raw_and_jpeg_go_together(tmp_path):
    plan = shots(tmp_path)
    assert {(item.file.path.name, item.file.path.parent.name) for item in plan.items} == {("7.jpg", "b")}
    assert going(plan) == {"7.cr2": "raw"}
    assert plan.items[0].going[0].equal.path == tmp_path / "a" / "7.cr2"
    assert all(left.path.parent.name == "a" for left in plan.left_out)


def test_raw_and_jpeg_are_never_each_others_duplicate(tmp_path):
    alone = shots(tmp_path / "1", ("7.cr2", "7.jpg"), (), keep=("greater-depth",))
    assert gone(alone) == {}
    assert reasons(alone) == {"7.jpg": "unit"}
    across = shots(tmp_path / "2", ("7.cr2",), ("7.jpg",), keep=("greater-depth",))
    assert gone(across) == {}
    assert reasons(across) == {"7.jpg": "unit"}
    apart = shots(tmp_path / "1", ("7.cr2", "7.jpg"), (), keep=("greater-depth",), units=Units.APART)
    assert gone(apart) == {"7.jpg": "7.cr2"}


def test_half_a_shot_does_not_go(tmp_path):
    plan = shots(tmp_path, ("7.cr2",), ("7.cr2", "7.jpg"), near=False)
    assert gone(plan) == {}
    assert reasons(plan) == {"7.cr2": "unit"}
    for kept in ((), ("7.cr2",)):
        plan = two(tmp_path / str(kept), kept, ("7.cr2=other",))
        assert reasons(plan) == {"7.jpg": "companions"}
    apart = shots(tmp_path / "1", ("7.cr2",), ("7.cr2", "7.jpg"), near=False, units=Units.APART)
    assert gone(apart) == {"7.cr2": "7.cr2"}


def test_a_bare_raw_file_goes_for_that_of_a_whole_shot(tmp_path):
    plan = shots(tmp_path, ("7.cr2", "7.jpg"), ("7.cr2",), near=False)
    assert gone(plan) == {"7.cr2": "7.cr2"}


def test_a_sidecar_of_raw_and_jpeg_apart_stays_with_the_one_that_stays(tmp_path):
    plan = shots(tmp_path, ("7.cr2", "7.xmp"), ("7.cr2", "7.jpg", "7.xmp"), near=False, units=Units.APART)
    assert gone(plan) == {"7.cr2": "7.cr2"}
    assert going(plan) == {}


def test_what_is_kept_for_another_file_does_not_go_as_a_companion(tmp_path):
    """The raw file of b is the keeper of a bare one; then the shot of b stays."""
    plan = shots(tmp_path, ("7.jpg", "7.cr2"), ("7.jpg", "7.cr2"), near=False)
    assert gone(plan) == {"7.jpg": "7.jpg"}
    c = unit(tmp_path, "c", "7.cr2", mtime=KEPT + 20)
    raw = image(0, b"7.cr2", tmp_path / "b" / "7.cr2", c / "7.cr2", format="RAW")
    jpg = image(1, b"7.jpg", tmp_path / "a" / "7.jpg", tmp_path / "b" / "7.jpg")
    plan = plan_of([raw, jpg], keep=("oldest",))
    assert {item.file.path.parent.name for item in plan.items} == {"c"}
    assert [left.detail for left in plan.left_out] == ["7.cr2, which belongs to it, is kept for another file"]


# --------------------------------------------------------------------------------------------- what stays, whatever
def test_a_unit_is_protected_as_a_whole(tmp_path):
    plan = two(tmp_path, ("7.xmp",), ("7.xmp",), protect=(tmp_path / "b" / "7.xmp",))
    assert gone(plan) == {}
    assert reasons(plan) == {"7.jpg": "protected"}
    assert detail(plan) == "7.xmp, which belongs to it, is protected"


def test_a_selection_covers_all_of_a_unit_or_none(tmp_path):
    from datetime import UTC, datetime

    from dedupindex.actions.plan_options import PlanOptions
    from dedupindex.actions.planning import make_plan
    from dedupindex.groups.grouping import build_groups

    a, b = unit(tmp_path, "a", "7.jpg", "7.xmp"), unit(tmp_path, "b", "7.jpg", "7.xmp", mtime=KEPT + 9)
    groups = build_groups([], [image(1, b"7.jpg", a / "7.jpg", b / "7.jpg")])
    made = {"database": "", "version": "0", "made": datetime(2026, 1, 1, tzinfo=UTC)}
    for path, why in ((b / "7.jpg", {"7.jpg": "not_selected"}), (b, {})):
        plan = make_plan(groups, [], PlanOptions(keep=("oldest",)), selection=Selection(paths=(path,)), **made)
        assert reasons(plan) == why


def test_a_decision_on_the_raw_file_keeps_the_shot(tmp_path):
    raw = image(0, b"7.cr2", write(tmp_path / "x", b"7.cr2"))
    a, b = unit(tmp_path, "a", "7.cr2", "7.jpg"), unit(tmp_path, "b", "7.cr2", "7.jpg", mtime=KEPT + 9)
    raw = image(0, b"7.cr2", a / "7.cr2", b / "7.cr2", format="RAW")
    jpg = image(1, b"7.jpg", a / "7.jpg", b / "7.jpg")
    plan = plan_of([raw, jpg], [], [Judged("keep-both", raw.key, raw.key)], keep=("oldest",))
    assert gone(plan) == {}
    assert set(reasons(plan).values()) == {"keep_both"}


def test_a_companion_with_further_names_stays(tmp_path):
    unit(tmp_path, "b", "7.xmp")
    (tmp_path / "twin").hardlink_to(tmp_path / "b" / "7.xmp")
    a, b = unit(tmp_path, "a", "7.jpg", "7.xmp"), unit(tmp_path, "b", "7.jpg", mtime=KEPT + 9)
    plan = plan_of([image(1, b"7.jpg", a / "7.jpg", b / "7.jpg")], keep=("oldest",))
    assert detail(plan) == "7.xmp, which belongs to it, cannot be read, or has further hard links"


# ------------------------------------------------------------------------------------------------ pictures in a file
def test_the_first_picture_of_a_phones_file_counts(tmp_path):
    phone = image(1, b"phone", write(tmp_path / "phone.jpg", b"phone"), frame_count=2, width=200, format="JPEG")
    small = image(2, b"small", write(tmp_path / "small.jpg", b"small"))
    plan = plan_of([], [pair(phone, small, R.RESIZED)], relations=(R.RESIZED,))
    assert gone(plan) == {"small.jpg": "phone.jpg"}
    large = image(3, b"large", write(tmp_path / "large.jpg", b"large"), width=400)
    lost = plan_of([], [pair(phone, large, R.RESIZED)], relations=(R.RESIZED,))
    assert gone(lost) == {}
    assert detail(lost) == "no equal beside the copy that is kept: 1 further picture in the file (embedded)"
    named = plan_of([], [pair(phone, large, R.RESIZED)], relations=(R.RESIZED,), may_lack=(CompanionKind.EMBEDDED,))
    assert gone(named) == {"phone.jpg": "large.jpg"}
    both = dataclasses.replace(large, frame_count=2)
    assert gone(plan_of([], [pair(phone, both, R.RESIZED)], relations=(R.RESIZED,))) == {"phone.jpg": "large.jpg"}


def test_a_file_of_several_pictures_is_planned_once(tmp_path):
    """With `all_frames` the further pictures are stored too; they go and stay with the first one."""
    paths = [write(tmp_path / "a.jpg", b"phone", 5), write(tmp_path / "b.jpg", b"phone", 9)]
    frames = [image(n, b"phone", *paths, frame=n, frame_count=2, format="JPEG") for n in range(2)]
    other = image(9, b"gain map", write(tmp_path / "c.png", b"gain map"))
    plan = plan_of(frames, [pair(frames[1], other, R.SAME_PIXELS)], relations=(R.SAME_BYTES, R.SAME_PIXELS))
    assert gone(plan) == {"b.jpg": "a.jpg"}
    assert plan.left_out == ()


# ------------------------------------------------------------------------------------------------------ plan files
def test_a_unit_keeps_its_names_where_it_is_moved(tmp_path):
    write(tmp_path / "out" / "7.xmp", b"somebody else's")
    sidecars = ("7.xmp", "7.jpg.json", "7_HEVC.MOV", "7.CR2", "7.CR2.pp3")
    plan = two(tmp_path, sidecars, sidecars, action=Action.MOVE, to=tmp_path / "out")
    [item] = plan.items
    assert item.target == tmp_path / "out" / "7 2.jpg"
    assert {some.target.name for some in item.going} == {
        "7 2.xmp", "7 2.jpg.json", "7 2_HEVC.MOV", "7 2.CR2", "7 2.CR2.pp3",
    }  # fmt: skip


def test_a_plan_of_units_survives_its_file(tmp_path):
    options = {"action": Action.MOVE, "to": tmp_path / "out", "may_lack": (CompanionKind.VIDEO,)}
    plan = two(tmp_path, ("7.xmp",), ("7.xmp", "7.mov"), **options)
    path = tmp_path / "plan.json"
    path.write_bytes(to_json(plan_json(plan)))
    again = read_plan(path)
    assert again == dataclasses.replace(plan, left_out=())
    assert again.digest() == plan.digest()
    assert (
        again.operations_digest()
        != dataclasses.replace(again, items=(dataclasses.replace(again.items[0], companions=()),)).operations_digest()
    )
    values = json.loads(path.read_text())
    values["schema"] = 2
    for name in ("units", "may_lack"):
        del values[name]
    for item in values["items"]:
        del item["companions"]
    path.write_text(json.dumps(values))
    old = read_plan(path)
    assert (old.units, old.items[0].companions) == (None, ())


def test_a_plan_that_could_tear_a_unit_is_refused(tmp_path):
    plan = two(tmp_path, ("7.xmp", "7.mov"), ("7.xmp", "7.mov"))
    check_plan(plan)
    [item] = plan.items
    mov, xmp = item.going
    lost = dataclasses.replace(xmp, equal=None)
    for companion in (
        lost,
        dataclasses.replace(xmp, file=mov.file),
        dataclasses.replace(xmp, equal=dataclasses.replace(xmp.equal, sha256="0" * 64)),
        dataclasses.replace(xmp, equal=dataclasses.replace(xmp.equal, path=xmp.path)),
        dataclasses.replace(xmp, target=tmp_path / "x"),
        dataclasses.replace(xmp, path=tmp_path / "x", file=dataclasses.replace(xmp.file, path=tmp_path / "x")),
        dataclasses.replace(xmp, path=item.file.path, file=item.file, equal=item.keeper),
        mov,
    ):
        with pytest.raises(PlanError):
            check_plan(dataclasses.replace(plan, items=(dataclasses.replace(item, companions=(mov, companion)),)))
    check_plan(
        dataclasses.replace(
            plan, items=(dataclasses.replace(item, companions=(lost,)),), may_lack=(CompanionKind.EDITS,)
        )
    )
    for changed in (
        dataclasses.replace(plan, units=None),
        dataclasses.replace(plan, protect=(xmp.path,)),
        dataclasses.replace(plan, items=(dataclasses.replace(item, action=Action.HARDLINK),)),
    ):
        with pytest.raises(PlanError):
            check_plan(changed)
