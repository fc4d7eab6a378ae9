from dataclasses import replace
from pathlib import Path

import pytest

from dedupindex import Index, Selection, SettingsError
from dedupindex.groups.selection import select, settled
from dedupindex.records import ImageRecord, LocationRecord, Pair, Registration, Relation, Verification
from dedupindex.records.selected_places import (
    MOST_PLACES,
    below,
    copies_of,
    copy_pairs,
    place_pairs,
    shown_places,
    side,
)
from tests.pictures import half, picture, save


def image(number, *paths):
    places = tuple(LocationRecord(Path(path)) for path in paths)
    return ImageRecord(number, bytes([number]) * 32, 0, "PNG", 9, 9, 8, 3, 1.0, False, "", places)


def pair(a, b, *relations):
    return Pair(a, b, Verification(True, 0.9, relations or (Relation.TONE,), Registration((0.0, 0.0)), "test"))


def places(some):
    return sorted(place.address for place in some.locations)


def test_relations():
    crop, tone = Relation.CROP_OF, Relation.TONE
    assert Selection().wants((crop,))
    assert Selection(relations=(crop,)).wants((tone, crop))
    assert not Selection(relations=(crop,)).wants((tone,))
    assert not Selection(relations=(crop,), not_relations=(tone,)).wants((tone, crop))
    assert not Selection(relations=(crop,)).wants_copies
    assert Selection(relations=(crop, Relation.SAME_BYTES)).wants_copies


@pytest.mark.parametrize(
    ("path", "root", "expected"),
    [("/a/b", "/a", True), ("/a", "/a", True), ("/ab", "/a", False), ("/a/b", "/", True), ("/a", "/a/b", False)],
)
def test_below(path, root, expected):
    assert below(Path(path), Path(root)) is expected


def test_of_nested_sides_the_inner_one_counts():
    selection = Selection(across=(Path("/a"), Path("/a/in")))
    assert [side(selection, Path(p)) for p in ("/a/x", "/a/in/x", "/b/x")] == [0, 1, None]


def test_across_keeps_the_places_that_take_part():
    both, one = image(1, "/a/1", "/b/1", "/c/1"), image(2, "/a/2", "/c/2")
    lonely, other = image(3, "/a/3"), image(4, "/a/4", "/a/5")
    selection = Selection(across=(Path("/a"), Path("/b")))
    [found] = select(selection, [pair(both, one), pair(one, lonely), pair(both, other)], [both, one, other])
    assert [(p.a.id, p.b.id) for p in found.pairs] == [(1, 2), (1, 4)]
    assert places(found.pairs[0].a) == ["/a/1", "/b/1"]
    assert places(found.pairs[0].b) == ["/a/2"]
    assert [places(some) for some in found.alone] == [["/a/1", "/b/1"]]
    assert [p.address for p in shown_places(selection, found.pairs[0])] == ["/b/1", "/a/2"]
    assert copies_of(selection, image(9, "/a/1", "/a/2", "/b/1", "/b/2")) != []
    shown = [{p.address for p in some} for some in copies_of(selection, image(9, "/a/1", "/a/2", "/b/1"))]
    assert shown == [{"/a/1", "/b/1"}, {"/a/2", "/b/1"}]


def test_same_folder_makes_groups_within_folders():
    x, y = image(1, "/d/x", "/e/x"), image(2, "/d/y", "/e/y", "/f/y")
    z = image(3, "/e/z")
    found = select(Selection(folder="same"), [pair(x, y), pair(x, z)], [x, y])
    assert [(str(some.folder), [(places(p.a), places(p.b)) for p in some.pairs]) for some in found] == [
        ("/d", [(["/d/x"], ["/d/y"])]),
        ("/e", [(["/e/x"], ["/e/y"]), (["/e/x"], ["/e/z"])]),
    ]
    twice = image(4, "/d/1", "/d/2", "/e/3")
    [only] = select(Selection(folder="same"), [], [twice])
    assert places(only.alone[0]) == ["/d/1", "/d/2"]


def test_other_folder():
    x, y, z = image(1, "/d/x"), image(2, "/d/y"), image(3, "/d/z", "/e/z")
    [found] = select(Selection(folder="other"), [pair(x, y), pair(x, z)], [z, image(4, "/d/1", "/d/2")])
    assert [(places(p.a), places(p.b)) for p in found.pairs] == [(["/d/x"], ["/d/z", "/e/z"])]
    assert [some.id for some in found.alone] == [3]


def test_what_has_no_meaning():
    for selection, words in [
        (Selection(relations=("croped",)), "no relation croped"),
        (Selection(folder="some"), "folder is 'some'"),
        (Selection(across=(Path("/a"), Path("/b/../a"))), "one place"),
    ]:
        with pytest.raises(SettingsError, match=words):
            settled(selection)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """On the card: a (archived as it is), b (archived smaller), c (not archived), d (there twice), a broken file."""
    root = tmp_path_factory.mktemp("across")
    card, archive = root / "card", root / "archive"
    for number, name in enumerate("abcd"):
        save(card / f"{name}.png", picture(number))
    (card / "d2.png").write_bytes((card / "d.png").read_bytes())
    (card / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 nothing")
    save(archive / "sub" / "a.png", picture(0))
    save(archive / "b.jpg", half(picture(1)))
    save(archive / "e.png", picture(9))
    return root


@pytest.fixture(scope="module")
def index(catalogue, root):
    with Index.open(catalogue(root / "a.db"), create=True, workers=1) as opened:
        opened.ingest([root / "card", root / "archive"])
        opened.find_duplicates()
        yield opened


def names(locations):
    return sorted(place.path.name for place in locations)


def test_is_everything_archived(index, root):
    card, archive = root / "card", root / "archive"
    report = index.report(selection=Selection(across=(card, archive)))
    assert len(report.groups) == 2
    found = report.coverage
    assert (found.places, found.exact) == (5, 1)
    assert names(found.uncovered) == ["c.png", "d.png", "d2.png"]
    assert [failure.path.name for failure in found.unread] == ["broken.jpg"]
    exact = Selection(across=(card, archive), relations=(Relation.SAME_BYTES, Relation.SAME_PIXELS))
    assert names(index.report(selection=exact).coverage.uncovered) == ["b.png", "c.png", "d.png", "d2.png"]
    back = index.report(selection=Selection(across=(archive, card))).coverage
    assert names(back.uncovered) == ["e.png"]


def test_decisions_and_coverage(index, root):
    card, archive = root / "card", root / "archive"
    selection = Selection(across=(card, archive))
    for kind, covered in (("keep-both", True), ("not-duplicate", False)):
        index.decide(kind, [card / "b.png", archive / "b.jpg"])
        report = index.report(selection=selection)
        assert ("b.png" not in names(report.coverage.uncovered)) is covered
        assert report.hidden == 1
    index.undecide([card / "b.png"])


def test_nothing_known_is_no_answer(index, root):
    with pytest.raises(SettingsError, match="knows no picture at or below"):
        index.report(selection=Selection(across=(root / "crad", root / "archive")))


def test_groups_that_touch_a_path(index, root):
    card = root / "card"
    [group] = index.report(selection=Selection(paths=(card / "d.png",))).groups
    assert names(group.members[0].image.locations) == ["d.png", "d2.png"]
    assert index.report(selection=Selection(paths=(card / "c.png",))).groups == ()
    assert len(index.report(selection=Selection(paths=(card,))).groups) == 3
    assert len(index.report(selection=Selection(folder="same")).groups) == 1
    assert len(index.report(selection=Selection(folder="other")).groups) == 2


def test_all_places_of_a_pair_that_are_asked_for():
    both, one = image(1, "/a/1", "/b/1", "/c/1"), image(2, "/a/2", "/b/2")
    shown = [(a.address, b.address) for a, b in place_pairs(Selection(), pair(both, one))]
    assert shown == [(a, b) for a in ("/a/1", "/b/1", "/c/1") for b in ("/a/2", "/b/2")]
    across = Selection(across=(Path("/a"), Path("/b")))
    assert [(a.address, b.address) for a, b in place_pairs(across, pair(both, one))] == [
        ("/a/1", "/b/2"),
        ("/b/1", "/a/2"),
    ]
    copies = {frozenset((a.address, b.address)) for a, b in copy_pairs(Selection(), both)}
    assert copies == {frozenset(two) for two in (("/a/1", "/b/1"), ("/a/1", "/c/1"), ("/b/1", "/c/1"))}
    assert copy_pairs(Selection(relations=(Relation.TONE,)), both) == []


def test_places_that_are_gone_count_where_there_is_no_other():
    there, gone = LocationRecord(Path("/a/1")), LocationRecord(Path("/b/1"), missing=True)
    half_gone, one = replace(image(1), locations=(there, gone)), image(2, "/a/2")
    assert [a.address for a, _ in place_pairs(Selection(), pair(half_gone, one))] == ["/a/1"]
    lost = replace(image(1), locations=(gone,))
    assert [a.address for a, _ in place_pairs(Selection(), pair(lost, one))] == ["/b/1"]


def test_an_image_at_very_many_places_does_not_flood_the_list():
    many = image(1, *(f"/a/{number:03}" for number in range(200)))
    other = image(2, *(f"/b/{number:03}" for number in range(200)))
    assert len(place_pairs(Selection(), pair(many, other))) == MOST_PLACES**2
    named = {place.address for two in copy_pairs(Selection(), many) for place in two}
    assert named == {place.address for place in many.locations}
