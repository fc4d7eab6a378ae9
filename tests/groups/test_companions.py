import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedupindex.groups.companions import is_mate, units_of

MASK = "{stem}.mask.png"


def beside(picture, *names, **options):
    """Companions of a picture in a folder, by name."""
    found = units_of([picture, *names], **options).companions.get(picture, {})
    return {name: str(kind) for name, kind in found.items()}


@pytest.mark.parametrize(
    ("picture", "name", "kind"),
    [
        ("IMG_7.jpg", "IMG_7.xmp", "edits"),
        ("IMG_7.JPG", "img_7.XMP", "edits"),
        ("IMG_7.CR2", "IMG_7.CR2.xmp", "edits"),
        ("IMG_7.CR2", "IMG_7_01.CR2.xmp", "edits"),  # darktable's second version
        ("IMG_7.HEIC", "IMG_7.AAE", "edits"),
        ("IMG_7.HEIC", "IMG_O7.AAE", "edits"),
        ("IMG_7.NEF", "IMG_7.NEF.pp3", "edits"),
        ("IMG_7.NEF", "IMG_7.NEF.dop", "edits"),
        ("IMG_7.HEIC", "IMG_7.MOV", "video"),
        ("IMG_7.jpg", "IMG_7.mp4", "video"),
        ("IMG_7.HEIC", "IMG_7_HEVC.MOV", "video"),
        ("IMG_7.HEIC", "IMG_7.HEIC.MOV", "video"),
        ("PXL_7.MP.jpg", "PXL_7.MP", "video"),
        ("IMG_7.jpg", "IMG_7.wav", "sound"),
        ("scan.tif", "scan.mask.png", "mask"),
        ("IMG_7.jpg", "IMG_7.CR3", "raw"),
        ("IMG_7.CR3", "IMG_7.jpg", "rendered"),
        # Google Takeout
        ("IMG_7.jpg", "IMG_7.jpg.json", "metadata"),
        ("IMG_7.jpg", "IMG_7.json", "metadata"),
        ("IMG_7.jpg", "IMG_7.jpg.supplemental-metadata.json", "metadata"),
        ("PXL_20240102_123456789.MP.jpg", "PXL_20240102_123456789.MP.jpg.supplemental-met.json", "metadata"),
        (f"{'a' * 41}.jpg", f"{'a' * 41}.jpg..json", "metadata"),
        (f"{'a' * 47}.jpg", f"{'a' * 46}.json", "metadata"),
        ("IMG_7(2).jpg", "IMG_7.jpg(2).json", "metadata"),
        ("IMG_7(2).jpg", "IMG_7.jpg.supplemental-metadata(2).json", "metadata"),
        ("IMG_7(2).jpg", "IMG_7(2).jpg.json", "metadata"),
    ],
)  # fmt: skip
def test_what_belongs_to_a_picture(picture, name, kind):
    assert beside(picture, name, mask_pattern=MASK) == {name: kind}


@pytest.mark.parametrize(
    ("picture", "name"),
    [
        ("IMG_7.jpg", "IMG_70.xmp"),
        ("IMG_7.jpg", "IMG_70.jpg.json"),
        ("IMG_7.png", "IMG_7.MOV"),  # no phone writes that
        ("IMG_7.jpg", "IMG_7.txt"),
        ("IMG_7.jpg", "IMG_7.png"),
        ("IMG_7.jpg", "IMG_7.HEIC"),
        ("IMG_7.jpg", "IMG_7.jpg.superb.json"),
        ("IMG_7.jpg", "IMG_7.mask.png"),  # there is no pattern for masks
        ("IMG_7.jpg", "IMG.json"),
        ("IMG_7(2).jpg", "IMG_7.jpg.json"),
        ("IMG_7.jpg", "IMG_7.jpg(2).json"),
        ("IMG_7.jpg", ".xmp"),
    ],
)
def test_what_does_not(picture, name):
    assert beside(picture, name) == {}


def test_a_letter_decides_where_case_alone_differs():
    units = units_of(["a.jpg", "A.jpg", "A.xmp", "a.CR2"])
    assert set(units.companions["A.jpg"]) == {"A.xmp"}
    assert set(units.companions["a.jpg"]) == {"a.CR2"}


def test_a_full_name_belongs_to_that_picture_alone():
    units = units_of(["7.jpg", "7.png", "7.jpg.xmp", "7.xmp"])
    assert units.owners == {"7.jpg.xmp": frozenset({"7.jpg"}), "7.xmp": frozenset({"7.jpg", "7.png"})}


def test_raw_and_jpeg_are_one_unit_that_the_jpeg_leads():
    names = ["7.dng", "7.jpg", "7.xmp", "7.dng.pp3", "7.mov"]
    units = units_of(names)
    assert set(units.companions["7.jpg"]) == {"7.dng", "7.xmp", "7.dng.pp3", "7.mov"}
    assert set(units.companions["7.dng"]) == {"7.jpg", "7.xmp", "7.dng.pp3", "7.mov"}
    assert units.bound == {"7.dng": ("7.jpg",)}
    assert units.owners == dict.fromkeys(["7.dng", "7.xmp", "7.dng.pp3", "7.mov"], frozenset({"7.jpg"}))
    apart = units_of(names, apart=True)
    assert apart.companions == {
        "7.jpg": {"7.xmp": "edits", "7.mov": "video"},
        "7.dng": {"7.xmp": "edits", "7.dng.pp3": "edits"},
    }
    assert apart.bound == {}
    assert apart.owners["7.xmp"] == {"7.jpg", "7.dng"}


def test_a_raw_file_of_a_jpeg_and_a_heic_stays_until_both_are_gone():
    units = units_of(["7.dng", "7.jpg", "7.heic"])
    assert units.owners == {"7.dng": frozenset({"7.jpg", "7.heic"})}
    assert units.companions["7.jpg"] == {"7.dng": "raw"}


def test_an_edited_picture_of_takeout_shares_the_json():
    units = units_of(["7.jpg", "7-edited.jpg", "7.jpg.json"])
    assert units.owners == {"7.jpg.json": frozenset({"7.jpg", "7-edited.jpg"})}


def test_one_content_id_joins_a_picture_and_a_video_of_other_names():
    ids = {"a.heic": "one", "b.mov": "one", "c.heic": "two", "d.mov": "three"}
    units = units_of(list(ids), content_ids=ids)
    assert units.companions == {"a.heic": {"b.mov": "video"}}


@pytest.mark.parametrize(
    ("one", "other", "mate"),
    [
        ("/a/7.jpg", "/b/7.CR2", True),
        ("/a/7.dng", "/a/7.HEIC", True),
        ("/a/7.jpg", "/b/8.CR2", False),
        ("/a/7.jpg", "/b/7.jpg", False),
        ("/a/7.png", "/b/7.CR2", False),
    ],
)
def test_mates(one, other, mate):
    assert is_mate(Path(one), Path(other)) is mate
    assert is_mate(Path(other), Path(one)) is mate


part = st.sampled_from(["a", "A", "b", "IMG_1", "IMG_1(1)", "IMG_1.jpg", "IMG_E1", ".", "", "_01", "-edited", "é"])
ending = st.sampled_from(
    ["", ".jpg", ".JPG", ".heic", ".cr2", ".png", ".xmp", ".mov", ".json", ".jpg.json", ".mask.png", ".mp", ".sup.json"]
)
names = st.lists(st.builds(lambda *parts: "".join(parts), part, part, ending).filter(bool), max_size=25)


@settings(max_examples=150, deadline=None)
@given(names, st.booleans(), st.integers(0, 99))
def test_any_folder(listed, apart, seed):
    """Owners and companions say the same; the order of the listing does not matter; units hold what is there only."""
    units = units_of(listed, MASK, apart=apart)
    shuffled = listed[:]
    random.Random(seed).shuffle(shuffled)
    assert units_of(shuffled, MASK, apart=apart) == units
    for picture, companions in units.companions.items():
        assert {picture, *companions} <= set(listed)
        assert picture not in companions
        for name in companions:
            assert picture in units.bound or picture in units.owners[name]
    for name, owners in units.owners.items():
        assert owners
        assert not owners & set(units.bound)
        assert all(name in units.companions[owner] for owner in owners)
    for raw, leads in units.bound.items():
        assert not apart
        assert all(raw in units.companions[lead] for lead in leads)
        # the whole unit goes with the picture that leads it
        for lead in leads:
            assert set(units.companions[raw]) - set(leads) <= set(units.companions[lead])
