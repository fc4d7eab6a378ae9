import numpy as np
import pytest
from PIL import Image, ImageOps

from dedupindex.prepare import find_box, prepare, refine_box
from dedupindex.prepare.borders import FLAT_SHARE, TOLERANCE, _is_busy
from dedupindex.settings import Settings
from tests.amounts import crossed

from .pictures import frame, jpeg, photo


def box_of(picture, mask=None):
    return prepare(frame(picture, mask), Settings()).box


def within(box, expected, pixels=1):
    edges = np.array([box[0], box[1], box[0] + box[2], box[1] + box[3]])
    truth = np.array([expected[0], expected[1], expected[0] + expected[2], expected[1] + expected[3]])
    return np.abs(edges - truth).max() <= pixels


def expanded(picture, border, fill):
    return np.asarray(ImageOps.expand(Image.fromarray(picture), border, fill))


@crossed("fill, share", [(fill,) for fill in ((0, 0, 0), (255,) * 3, (128,) * 3, (180, 40, 70))], [0.04, 0.12, 0.25])
def test_borders_of_one_colour(fill, share):
    b = round(360 * share)
    for quality in (90, 40):
        picture = jpeg(expanded(photo(360, 500), b, fill), quality)
        # hard compression halves the resolution of colours: a red border smears by a block of 16 pixels
        smear = 16 if fill == (180, 40, 70) else 3
        assert within(box_of(picture), (b, b, 360, 500), 1 if quality == 90 else smear)


@pytest.mark.parametrize("border", [(0, 60), (60, 0), (0, 40, 0, 0), (0, 0, 33, 0)])
def test_bars_on_some_sides_only(border):
    picture = expanded(photo(360, 500), border, (0, 0, 0))
    left, top = border[:2]
    assert box_of(jpeg(picture)) == (top, left, 360, 500)


@pytest.mark.parametrize("shift", [(20, -30), (-60, 90), (5, 5)])
@pytest.mark.parametrize("mode", ["black", "mean"])
def test_vacated_strips_of_a_shifted_frame(shift, mode):
    a = photo(360, 500)
    dy, dx = shift
    moved = np.zeros_like(a) if mode == "black" else np.tile(a.reshape(-1, 3).mean(0).astype(np.uint8), (360, 500, 1))
    top, bottom, left, right = max(dy, 0), 360 + min(dy, 0), max(dx, 0), 500 + min(dx, 0)
    moved[top:bottom, left:right] = a[top - dy : bottom - dy, left - dx : right - dx]
    assert within(box_of(jpeg(moved)), (top, left, bottom - top, right - left))


def test_nested_borders():
    picture = expanded(expanded(photo(300, 400), 20, (255, 255, 255)), 30, (0, 0, 0))
    assert box_of(jpeg(picture)) == (50, 50, 300, 400)


def test_a_picture_without_border_stays_whole():
    for seed in range(8):
        assert box_of(jpeg(photo(seed=seed))) == (0, 0, 180, 240)


def test_a_fading_sky_and_a_night_sky_stay():
    rng = np.random.default_rng(0)
    sky = np.tile(np.linspace(250, 120, 360)[:, None, None], (1, 500, 3))
    assert box_of(jpeg(sky.astype(np.uint8))) == (0, 0, 360, 500)
    night = np.clip(rng.normal(4, 2, (360, 500, 3)), 0, 255)
    skyline = 220 - 60 * np.abs(np.sin(np.arange(500) / 37)) - rng.integers(0, 30, 500)
    lights = np.arange(360)[:, None] > skyline[None]
    night[lights] += photo(360, 500)[lights] * 0.7
    assert box_of(jpeg(night.clip(0, 255).astype(np.uint8))) == (0, 0, 360, 500)


@pytest.mark.parametrize("gain", [1.0, 0.6])
def test_an_object_on_a_plain_ground_is_cut_alike_in_every_exposure(gain):
    y, x = np.mgrid[:360, :500]
    inside = np.hypot(y - 180, x - 250) < 120
    picture = np.where(inside[..., None], photo(360, 500), 255) * gain
    assert box_of(jpeg(picture.astype(np.uint8))) == (0, 0, 360, 500)


def test_nothing_is_trimmed_when_little_would_be_left_or_the_picture_is_tiny():
    assert box_of(expanded(photo(60, 80), 300, (0, 0, 0))) == (0, 0, 660, 680)
    tiny = np.zeros((15, 40), np.uint8)
    tiny[5:10, 10:30] = 200
    assert box_of(tiny) == (0, 0, 15, 40)
    assert box_of(np.full((50, 60), 7, np.uint8)) == (0, 0, 50, 60)


def test_rows_without_data_are_border():
    a = photo(200, 240, colour=False).astype(np.uint16) * 200
    mask = np.ones(a.shape, bool)
    mask[:30] = False
    mask[:, 200:] = False
    assert box_of(a, mask) == (30, 0, 170, 200)


def test_deep_frames_are_trimmed_too():
    a = np.zeros((260, 300), np.float32)
    a[20:240, 40:290] = photo(220, 250, colour=False) * 0.01 - 7
    a[:20] = a[240:] = a[:, :40] = a[:, 290:] = -30
    assert box_of(a) == (20, 40, 220, 250)


def test_the_box_counts_in_full_resolution():
    picture = expanded(photo(360, 500), (0, 40), (0, 0, 0))
    prepared = prepare(frame(picture, full_shape=(880, 1000)), Settings())
    assert prepared.box == (80, 0, 720, 1000)
    assert prepared.luminance.shape == (184, 256)


def test_trimming_can_be_switched_off():
    picture = expanded(photo(), 20, (0, 0, 0))
    assert prepare(frame(picture), Settings(trim_borders=False)).box == (0, 0, 220, 280)


def test_refinement_is_to_the_pixel():
    picture = expanded(photo(700, 900, colour=False), (0, 123), 255)
    small = np.asarray(Image.fromarray(picture).resize((90, 95), Image.BOX)).astype(np.float32)
    found = find_box(small)
    assert refine_box(picture, found, (95, 90)) == (123, 0, 700, 900)


@pytest.mark.parametrize("seed", range(30))
def test_a_busy_row_is_never_a_border(seed):
    random = np.random.default_rng(seed)
    row = np.where(random.random(20 + 10 * seed) < 0.001 * seed, 90, random.normal(100, 1, 20 + 10 * seed))
    row = row.astype(np.float32)
    noise = np.quantile(np.abs(row - np.median(row)), FLAT_SHARE)
    assert not (_is_busy(row) and noise <= TOLERANCE)
    assert _is_busy(random.uniform(0, 255, 100).astype(np.float32))
