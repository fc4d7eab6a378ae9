"""Undeclared no-data: what is masked by itself, and what is not."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile

from dedupindex import Index
from dedupindex.ingest.query_pictures import describe_array
from dedupindex.records import Relation
from dedupindex.settings import Settings
from dedupindex.sources import decode_file
from dedupindex.sources.rasters import MOST_SHARE, SMALLEST_SIDE, find_fill
from tests.amounts import crossed
from tests.scenes import photograph

PLAIN = Settings()


def deep(name: str = "coffee", dtype: type = np.uint16) -> np.ndarray:
    """A photograph in 16 bits or float, without a sample of 0 or of the largest value."""
    grey = photograph(name).mean(axis=2)
    if dtype is np.float32:
        return (grey * 0.14 - 15).astype(np.float32)
    return np.clip(grey * 120 + 300, 1, 65_534).astype(dtype)


def hole(shape: tuple[int, ...]) -> np.ndarray:
    """True in a stripe and in a disc."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    disc = (rows - shape[0] * 0.6) ** 2 + (columns - shape[1] * 0.3) ** 2 < (0.15 * shape[0]) ** 2
    return disc | ((columns > 0.7 * shape[1]) & (columns < 0.8 * shape[1]))


def valid(pixels: np.ndarray) -> np.ndarray:
    return np.ones(pixels.shape[:2], bool)


@crossed(
    "name, dtype, value",
    ["coffee", "camera", "astronaut", "hubble_deep_field"],
    [np.uint16, np.int32, np.float32],
    [0, "top"],
)
def test_a_filled_area_is_found_to_the_pixel(name, dtype, value):
    pixels = deep(name, dtype)
    if value == "top":
        value = 1e30 if dtype is np.float32 else np.iinfo(dtype).max
    area = hole(pixels.shape)
    pixels[area] = value
    fill = find_fill(pixels, valid(pixels))
    assert fill is not None
    np.testing.assert_array_equal(fill.area, area)
    assert fill.values == (pytest.approx(float(value)),)


def test_a_sentinel_far_from_the_data_is_found_and_two_values_are():
    pixels = deep(dtype=np.int32)
    pixels[:60] = -9_999
    assert find_fill(pixels, valid(pixels)).values == (-9_999.0,)
    pixels[200:260, 300:400] = 0
    both = find_fill(pixels, valid(pixels))
    assert sorted(both.values) == [-9_999.0, 0.0]
    assert both.area.sum() == 60 * pixels.shape[1] + 60 * 100


def test_colours_are_filled_where_all_samples_are():
    pixels = np.clip(photograph("coffee").astype(np.uint16) * 200 + 50, 1, None)
    pixels[100:200, 100:250, 0] = 0  # a missing channel is no hole
    assert find_fill(pixels, valid(pixels)) is None
    pixels[100:200, 100:250] = 0
    assert find_fill(pixels, valid(pixels)).area.sum() == 100 * 150


@pytest.mark.parametrize("name", ["coffee", "camera", "astronaut", "cat", "rocket"])
def test_real_black_and_saturation_stay(name):
    grey = photograph(name).mean(axis=2)
    smooth = cv2.GaussianBlur(grey, (0, 0), 1.5)  # as a lens does
    dark = np.clip((smooth - np.percentile(smooth, 25)) * 250, 0, None).astype(np.uint16)
    assert (dark == 0).mean() > 0.2
    assert find_fill(dark, valid(dark)) is None
    bright = np.clip(smooth * 65_535 / np.percentile(smooth, 75), 0, 65_535).astype(np.uint16)
    assert (bright == 65_535).mean() > 0.2
    assert find_fill(bright, valid(bright)) is None


def test_what_is_left_alone():
    pixels = deep()
    assert find_fill(pixels, valid(pixels)) is None
    eight = photograph("coffee").copy()
    eight[hole(eight.shape)] = 0
    assert find_fill(eight, valid(eight)) is None  # black of 8 bits may be real
    threads = deep()
    threads[::20] = 0  # dead rows have no area
    assert find_fill(threads, valid(threads)) is None
    speckled = deep()
    speckled[np.random.default_rng(1).random(speckled.shape) < 0.2] = 0
    assert find_fill(speckled, valid(speckled)) is None
    nearly_all = deep()
    nearly_all[: round(nearly_all.shape[0] * (MOST_SHARE + 0.1))] = 0
    assert find_fill(nearly_all, valid(nearly_all)) is None
    tiny = np.full((SMALLEST_SIDE - 1, 40), 700, np.uint16)
    tiny[:9] = 0
    assert find_fill(tiny, valid(tiny)) is None
    drawing = np.full((200, 300), 65_535, np.uint16)
    for x in range(20, 300, 40):
        drawing[40:160, x : x + 20] = 9_000 + 100 * x
    assert find_fill(drawing, valid(drawing)) is None
    masked = deep()
    masked[50:150, 50:150] = 0
    declared = valid(masked)
    declared[50:150, 50:150] = False
    assert find_fill(masked, declared) is None


def test_files_and_arrays_are_masked_and_say_so(tmp_path: Path):
    pixels = deep()
    area = hole(pixels.shape)
    pixels[area] = 0
    path = tmp_path / "filled.tif"
    tifffile.imwrite(path, pixels)
    decoded = decode_file(path, PLAIN)
    np.testing.assert_array_equal(decoded.frames[0].mask, ~area)
    assert decoded.frames[0].fills == (0.0,)
    assert decoded.warnings == (f"{area.mean():.1%} is filled with exactly 0: taken as no data (mask_fills)",)
    off = decode_file(path, Settings(mask_fills=False))
    assert off.frames[0].mask.all()
    assert off.warnings == ()
    image = describe_array(pixels, PLAIN)
    assert image.valid_share == pytest.approx(1 - area.mean())
    assert image.scaling.endswith(", areas of 0 masked")
    assert "masked" not in describe_array(pixels, Settings(mask_fills=False)).scaling


def test_frames_of_a_stack_are_masked_one_by_one(tmp_path: Path):
    stack = np.stack([deep()] * 3)
    stack[1, 40:140, 200:300] = 0
    np.save(tmp_path / "stack.npy", stack)
    decoded = decode_file(tmp_path / "stack.npy", PLAIN)
    assert [int((~frame.mask).sum()) for frame in decoded.frames] == [0, 10_000, 0]
    assert "of 1 of 3 frames" in decoded.warnings[0]


def test_two_exposures_with_other_holes_are_found(tmp_path: Path):
    pixels = deep()
    first, second = pixels.copy(), (pixels * 0.4).astype(np.uint16)
    first[:, 60:230] = 0
    second[hole(pixels.shape)] = 0
    tifffile.imwrite(tmp_path / "a.tif", first)
    tifffile.imwrite(tmp_path / "b.tif", second)
    for masked in (True, False):
        with Index.open(tmp_path / f"{masked}.db", create=True, mask_fills=masked, workers=1) as index:
            index.ingest([tmp_path])
            index.find_duplicates()
            copies = [pair for pair in index.pairs() if Relation.ALTERNATE not in pair.relations]
            assert len(copies) == masked
            assert [("masked" in image.scaling) for image in index.images()] == [masked] * 2
