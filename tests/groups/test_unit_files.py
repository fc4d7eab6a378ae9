import os
from pathlib import Path

from dedupindex.groups.unit_files import UnitFinder, group_with_companions, with_companions
from dedupindex.records import Relation
from dedupindex.records.companions import Companion, CompanionKind, Units
from dedupindex.reports.exchange.csvfile import pairs_csv
from dedupindex.reports.html import report_html
from dedupindex.reports.jsonfile import report_json
from dedupindex.reports.text import report_text
from tests.actions.heaps import write
from tests.reports.samples import image, pair, report


def folder(tmp_path, *names):
    for name in names:
        write(tmp_path / name, name.encode())
    return tmp_path


def test_folders_as_they_are(tmp_path):
    folder(tmp_path, "7.jpg", "7.cr2", "7.xmp", "8.jpg", "sub/8.xmp")
    (tmp_path / "8.xmp").symlink_to("7.xmp")  # what is no file of its own cannot go or come back
    (tmp_path / "7.mov").mkdir()
    finder = UnitFinder()
    assert finder.companions(tmp_path / "7.jpg") == (
        Companion(tmp_path / "7.cr2", CompanionKind.RAW),
        Companion(tmp_path / "7.xmp", CompanionKind.EDITS),
    )
    assert finder.companions(tmp_path / "8.jpg") == ()
    assert finder.owners(tmp_path / "7.xmp") == (tmp_path / "7.jpg",)
    assert finder.leads(tmp_path / "7.cr2") == (tmp_path / "7.jpg",)
    assert UnitFinder(units=Units.APART).leads(tmp_path / "7.cr2") == ()
    assert finder.companions(tmp_path / "gone" / "7.jpg") == ()
    assert finder.companions(Path("s3:/bucket/7.jpg")) == ()
    assert finder.companions(tmp_path / "7.jpg" / "7.jpg") == ()


def test_a_folder_is_listed_once(tmp_path, monkeypatch):
    folder(tmp_path, "7.jpg", "7.xmp", "8.jpg")
    listed = []
    true_scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: listed.append(path) or true_scandir(path))
    finder = UnitFinder()
    for name in ("7.jpg", "8.jpg", "7.xmp"):
        finder.companions(tmp_path / name)
        finder.owners(tmp_path / name)
    assert listed == [tmp_path]


def test_reports_show_companions(tmp_path):
    folder(tmp_path, "a/7.jpg", "a/7.AAE", "a/7.mov", "b/7.jpg", "c/7.jpg", "c/7.mask.png")
    a = image(1, f"{tmp_path}/a/7.jpg", f"{tmp_path}/b/7.jpg", format="JPEG", frame_count=3)
    b = image(2, f"{tmp_path}/c/7.jpg", format="JPEG")
    pairs, [alone] = with_companions([pair(a, b, Relation.RESIZED)], [a], UnitFinder("{stem}.mask.png"))
    assert alone is pairs[0].a or alone is pairs[0].b
    made = report(pairs)
    text = report_text(made, tmp_path)
    assert (
        "a/7.jpg  (200 x 100 JPEG)\n      with 7.AAE (edits), 7.mov (video), 2 further pictures in the file\n" in text
    )
    assert "= b/7.jpg\n      with 2 further pictures in the file" in text
    assert "with 7.mask.png (mask)" in text
    places = {
        place["path"]: place.get("companions")
        for group in report_json(made)["groups"]
        for member in group["members"]
        for place in member["locations"]
    }
    assert places[f"{tmp_path}/a/7.jpg"] == [
        {"kind": "edits", "path": f"{tmp_path}/a/7.AAE"},
        {"kind": "video", "path": f"{tmp_path}/a/7.mov"},
    ]
    assert places[f"{tmp_path}/b/7.jpg"] is None
    rows = [line.split(",")[-2:] for line in pairs_csv(made).decode().splitlines()]
    assert rows == [
        ["companions_a", "companions_b"],
        ["7.AAE/7.mov", ""],
        ["7.AAE/7.mov", "7.mask.png"],
        ["", "7.mask.png"],
    ]
    page = report_html(made, lambda image: None).decode()
    assert "with 7.AAE (edits), 7.mov (video), 2 further pictures in the file" in page


def test_what_has_no_companions_stays_the_very_same(tmp_path):
    folder(tmp_path, "a/7.jpg", "b/7.jpg")
    one, other = image(1, f"{tmp_path}/a/7.jpg"), image(2, f"{tmp_path}/b/7.jpg")
    [found], [alone] = with_companions([pair(one, other)], [one], UnitFinder())
    assert found.a in (one, other)
    assert alone is one
    [group] = report([pair(one, other)]).groups
    assert group_with_companions(group, UnitFinder()) is group
    folder(tmp_path, "a/7.xmp")
    members = group_with_companions(group, UnitFinder()).members
    assert sorted(len(member.image.locations[0].companions) for member in members) == [0, 1]
