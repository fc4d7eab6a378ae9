import dataclasses
import os

from dedupindex.records import Relation
from dedupindex.reports.exchange.lists import path_lists
from tests.reports.samples import HOSTILE, hostile_report, image, pair, report


def test_best_first_and_copies_after_their_image():
    a, b = image(1, "/a.png", "/c.png"), image(2, "/b.png", width=400)
    found = path_lists(report([pair(a, b, Relation.RESIZED)]))
    assert (found.data, found.frames, found.names) == (b"/b.png\n/a.png\n/c.png\n\n", 0, 0)
    assert path_lists(report([])).data == b""


def test_a_frame_is_not_a_file():
    a, b, c = image(1, "/s.tif", frame_count=9), image(2, "/s.tif", frame=3, frame_count=9), image(3, "/c.png")
    found = path_lists(report([pair(a, b, Relation.TONE), pair(a, c, Relation.TONE)]))
    assert (found.data, found.frames) == (b"", 2)


def test_any_name_comes_through_with_null_bytes():
    found = hostile_report()
    paths = [os.fsencode(place.path) for g in found.groups for m in g.members for place in m.image.locations]
    lists = path_lists(found, null=True)
    assert lists.names == 0
    assert [path for path in lists.data.split(b"\0") if path] == paths
    assert lists.data.count(b"\0\0") == len(found.groups)
    lines = path_lists(found)
    assert lines.names == 2
    assert all(os.fsencode(name) in lines.data for name in HOSTILE if "\n" not in name)
    assert all(line.startswith((b"/", b"=cmd")) for line in lines.data.split(b"\n") if line)


def test_files_that_are_not_there_are_no_use_to_a_script():
    a, b = image(1, "/a.png", "/c.png"), image(2, "/b.png", width=400)
    away = (a.locations[0], dataclasses.replace(a.locations[1], missing=True))
    listed = path_lists(report([pair(dataclasses.replace(a, locations=away), b, Relation.RESIZED)]))
    assert listed.data == b"/b.png\n/a.png\n\n"
