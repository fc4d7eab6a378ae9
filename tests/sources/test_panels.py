"""Panels of figures and pages: known layouts come back, photographs and text give none."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dedupindex import Index
from dedupindex.actions.plan_options import PlanOptions
from dedupindex.errors import ReadError, Reason
from dedupindex.places import FIRST_PANEL, fragment_of, split_fragment
from dedupindex.records import Relation
from dedupindex.settings import Settings
from dedupindex.sources import decode_file
from dedupindex.sources.panels import panel_boxes
from tests.scenes import PHOTOGRAPHS, photograph
from tests.verify.pieces.test_confirmation import near, page, scaled

NAMES = ("astronaut", "coffee", "cat", "coins", "immunohistochemistry", "camera")


def sheet_of(rows, columns, gap, ground, side=150):
    """A figure of square panels, and where they lie."""
    sheet = np.full((rows * side + (rows + 1) * gap, columns * side + (columns + 1) * gap, 3), ground, np.uint8)
    boxes = []
    for number in range(rows * columns):
        top = gap + number // columns * (side + gap)
        left = gap + number % columns * (side + gap)
        picture = cv2.resize(photograph(NAMES[number % len(NAMES)])[20:-20, 20:-20], (side, side))
        sheet[top : top + side, left : left + side] = np.clip(picture, 40, 215)  # no panel has the ground's colour
        boxes.append((top, left, side, side))
    return sheet, boxes


@pytest.mark.parametrize("ground", [255, 0])
@pytest.mark.parametrize("quality", [0, 75])
@pytest.mark.parametrize(("rows", "columns", "gap"), [(2, 2, 8), (3, 3, 4), (1, 4, 12), (2, 3, 6)])
def test_panels_between_gutters(rows, columns, gap, ground, quality):
    sheet, boxes = sheet_of(rows, columns, gap, ground)
    if quality:
        data = cv2.imencode(".jpg", sheet, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        sheet = cv2.imdecode(data, cv2.IMREAD_COLOR)
    found = panel_boxes(sheet)
    assert len(found) == len(boxes)
    assert all(near(one, box, 3) for one, box in zip(found, boxes, strict=True))


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(60, 160), min_size=2, max_size=4), st.integers(3, 15), st.sampled_from([0, 255]))
def test_panels_of_any_widths(widths, gap, ground):
    height = 120
    sheet = np.full((height + 2 * gap, sum(widths) + (len(widths) + 1) * gap), ground, np.uint8)
    boxes, left = [], gap
    for number, width in enumerate(widths):
        grain = np.random.default_rng(number).integers(60, 200, (height, width))
        sheet[gap : gap + height, left : left + width] = grain
        boxes.append((gap, left, height, width))
        left += width + gap
    assert panel_boxes(sheet) == boxes


def test_a_thin_rule_parts_two_pictures():
    pictures = [cv2.resize(photograph(name)[40:-40, 40:-40], (200, 160)) for name in ("astronaut", "coins")]
    sheet = np.hstack(
        [np.clip(pictures[0], 40, 215), np.full((160, 3, 3), 255, np.uint8), np.clip(pictures[1], 40, 215)]
    )
    assert [box[1] for box in panel_boxes(np.ascontiguousarray(sheet))] == [0, 203]


def test_the_picture_of_a_page_and_no_text():
    sheet, small = page(1), np.clip(scaled(photograph("coffee"), 0.6), 0, 215)
    sheet[285 : 315 + small.shape[0]] = 250
    sheet[300 : 300 + small.shape[0], 200 : 200 + small.shape[1]] = small
    boxes = panel_boxes(sheet)
    assert len(boxes) == 1
    assert near(boxes[0], (300, 200, *small.shape[:2]), 6)
    assert panel_boxes(page(2)) == []


@pytest.mark.parametrize("name", [name for name in PHOTOGRAPHS if name != "hubble_deep_field"])
def test_a_photograph_has_no_panels(name):
    picture = photograph(name)
    assert panel_boxes(picture) == []
    framed = cv2.copyMakeBorder(picture, 30, 30, 30, 30, cv2.BORDER_CONSTANT, value=(255, 255, 255))
    assert panel_boxes(framed) == []


def test_empty_pictures_have_no_panels():
    assert panel_boxes(np.zeros((200, 300, 3), np.uint8)) == []
    assert panel_boxes(np.full((60, 60), 255, np.uint8)) == []


# ------------------------------------------------------------------------------------------------------ frames
@pytest.fixture
def figure(tmp_path):
    sheet, boxes = sheet_of(2, 2, 8, 255)
    path = tmp_path / "figure.png"
    Image.fromarray(sheet).save(path)
    return path, sheet, boxes


def test_panels_are_frames_on_request(figure):
    path, sheet, boxes = figure
    assert len(decode_file(path, Settings()).frames) == 1
    decoded = decode_file(path, Settings(panels=True))
    assert [frame.number for frame in decoded.frames] == [0, *(FIRST_PANEL + n for n in range(4))]
    assert decoded.frame_count == 1
    for frame, (top, left, height, width) in zip(decoded.frames[1:], boxes, strict=True):
        assert np.array_equal(frame.pixels, sheet[top : top + height, left : left + width])
        assert frame.full_shape == (height, width)


def test_a_panel_by_its_number(figure):
    path, sheet, boxes = figure
    [frame] = decode_file(path, Settings(), frame=FIRST_PANEL + 2).frames
    top, left, height, width = boxes[2]
    assert np.array_equal(frame.pixels, sheet[top : top + height, left : left + width])
    with pytest.raises(ReadError, match="no panel 5; the picture has 4") as caught:
        decode_file(path, Settings(), frame=FIRST_PANEL + 4)
    assert caught.value.reason is Reason.MISSING


def test_panels_of_a_large_jpeg_are_cut_at_full_size(tmp_path):
    sheet, _ = sheet_of(2, 2, 10, 255, side=900)
    path = tmp_path / "figure.jpg"
    Image.fromarray(sheet).save(path, quality=92)
    whole, *panels = decode_file(path, Settings(panels=True)).frames
    assert whole.pixels.shape == decode_file(path, Settings()).frames[0].pixels.shape
    assert len(panels) == 4
    assert all(abs(side - 900) <= 4 for frame in panels for side in frame.pixels.shape[:2])


def test_addresses_of_panels(figure):
    path = figure[0]
    assert fragment_of(path, FIRST_PANEL + 2) == "#panel=3"
    assert split_fragment(f"{path}#panel=3") == (str(path), FIRST_PANEL + 2)
    assert split_fragment(f"{path}#panel=0") == (f"{path}#panel=0", None)


def test_panels_in_an_index(figure, tmp_path):
    """A panel is found as a copy of the picture that it shows; the file is left alone by plans."""
    path, sheet, boxes = figure
    top, left, height, width = boxes[1]
    folder = tmp_path / "in"
    folder.mkdir()
    path.rename(folder / "figure.png")
    Image.fromarray(sheet[top : top + height, left : left + width]).save(folder / "coffee.jpg", quality=90)
    with Index.open(tmp_path / "a.db", create=True, workers=1, panels=True) as index:
        assert index.ingest([folder]).added == 6
        assert index.ingest([folder]).added == 0
        index.find_duplicates()
        [group] = index.report().groups
        assert {member.image.locations[0].address for member in group.members} == {
            f"{folder}/figure.png#panel=2", f"{folder}/coffee.jpg",
        }  # fmt: skip
        [best, *_] = index.query(f"{folder}/figure.png#panel=2")
        assert best.image.locations[0].frame == FIRST_PANEL + 1
        assert index.plan(PlanOptions(relations=(Relation.REENCODED,))).items == ()
        (folder / "again.png").write_bytes((folder / "figure.png").read_bytes())
        index.ingest([folder])
        index.find_duplicates()
        [item] = index.plan().items  # the copy of the whole file, once
        assert item.file.path.suffix == ".png"
