"""Maps between thumbnails become maps between full frames, and those become numbers for people."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedupindex.verify import relations
from dedupindex.verify.keypoint_registration import Alignment, compose, invert
from dedupindex.verify.relations import full_matrix, registration_of, to_full
from tests.verify.test_keypoint_registration import made

EMPTY = made(np.zeros((0, 2)), np.zeros(0), np.zeros(0), np.zeros((0, 64), np.int8))


def frame(height: int, width: int, *, box: tuple[int, int, int, int] | None = None, thumbnail=(96, 128)):
    inner = (0, 0, height, width) if box is None else box
    return replace(EMPTY, mask=np.ones(thumbnail, bool), box=inner, full_shape=(height, width))


def describe(matrix, a, b):
    return registration_of(np.asarray(matrix, float), a, b, Alignment(np.eye(2, 3), "identity"), 1.0, 1.0)


@given(
    st.integers(1, 5000), st.integers(1, 5000), st.integers(1, 128), st.integers(1, 128), st.integers(0, 99),
    st.integers(0, 99),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_corners_of_the_thumbnail_are_corners_of_the_box(height, width, rows, columns, top, left):
    features = frame(height + top, width + left, box=(top, left, height, width), thumbnail=(rows, columns))
    np.testing.assert_allclose(to_full(features) @ (0, 0, 1), (left, top))
    np.testing.assert_allclose(to_full(features) @ (columns, rows, 1), (left + width, top + height))


def test_equal_frames_and_the_identity():
    a = frame(300, 400)
    np.testing.assert_allclose(full_matrix(np.eye(2, 3), a, a), np.eye(2, 3), atol=1e-9)
    found = describe(np.eye(2, 3), a, a)
    assert found.shift == pytest.approx((0, 0))
    assert (found.scale, found.rotation, found.mirrored) == (pytest.approx(1), pytest.approx(0), False)


def test_pixel_centres_of_a_picture_at_half_the_size():
    a, b = frame(300, 400), frame(150, 200)
    matrix = full_matrix(np.eye(2, 3), a, b)
    np.testing.assert_allclose(matrix @ (0, 0, 1), (0.5, 0.5))  # the first pixel covers a's first four
    found = describe(matrix, a, b)
    assert found.scale == pytest.approx(2)
    assert found.shift == pytest.approx((0, 0), abs=1e-9)


@given(st.integers(-200, 200), st.integers(-200, 200))
@settings(max_examples=20, deadline=None)
def test_plain_shifts(dy, dx):
    found = describe([[1, 0, dx], [0, 1, dy]], frame(300, 400), frame(200, 250))
    assert found.shift == pytest.approx((dy, dx))
    assert found.rotation == 0


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("turns", range(4))
def test_lays_have_no_shift(mirrored, turns):
    """Number the pixels, turn and mirror the numbers: the map that brings them back is known."""
    height, width = 30, 40
    rows, columns = np.mgrid[:height, :width]
    both = np.stack([columns, rows], axis=2)
    b = np.rot90(both[:, ::-1] if mirrored else both, turns)
    there = np.stack(np.mgrid[: b.shape[0], : b.shape[1]][::-1], axis=2).reshape(-1, 2)
    solution = np.linalg.lstsq(np.column_stack([there, np.ones(len(there))]), b.reshape(-1, 2), rcond=None)[0]
    found = describe(solution.T, frame(height, width), frame(*b.shape[:2]))
    assert found.mirrored == mirrored
    assert found.scale == pytest.approx(1)
    assert found.shift == pytest.approx((0, 0), abs=1e-6)
    # rotation is what b must be turned by, counter-clockwise, after it was mirrored
    picture = np.random.default_rng(0).random((height, width))
    copy = np.rot90(picture[:, ::-1] if mirrored else picture, turns)
    undone = np.rot90(copy[:, ::-1] if mirrored else copy, round(found.rotation / 90))
    np.testing.assert_array_equal(undone, picture)


@given(st.floats(-179, 179), st.floats(0.3, 3), st.booleans())
@settings(max_examples=40, deadline=None)
def test_rotation_and_scale_are_read_off(degrees, scale, mirrored):
    angle = np.deg2rad(-degrees)  # counter-clockwise as seen: y points down
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    if mirrored:
        linear = linear @ np.diag([-1, 1])
    found = describe(np.column_stack([linear, [5, 6]]), frame(100, 100), frame(100, 100))
    assert found.rotation == pytest.approx(degrees, abs=1e-6)
    assert found.scale == pytest.approx(scale)
    assert found.mirrored == mirrored
    assert -180 <= found.rotation <= 180


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_turning_a_map_round_between_frames(seed):
    random = np.random.default_rng(seed)
    a = frame(400, 500, box=(10, 20, 300, 400))
    b = frame(200, 300, box=(5, 0, 190, 280), thumbnail=(80, 118))
    matrix = np.column_stack([np.eye(2) + random.normal(0, 0.2, (2, 2)), random.normal(0, 20, 2)])
    there, back = full_matrix(matrix, a, b), full_matrix(invert(matrix), b, a)
    np.testing.assert_allclose(compose(there, back), np.eye(2, 3), atol=1e-8)


@given(st.integers(0, 10_000), st.floats(0, 1))
@settings(max_examples=40, deadline=None)
def test_the_tone_curve_is_the_median_of_each_level(seed, share):
    """The same as a loop over the levels, whatever of the picture is masked."""
    random = np.random.default_rng(seed)
    first = random.choice([0, 7.99, 8, 100.3, 255], (9, 11)).astype(np.float32)
    second = (random.random((9, 11)) * 255).astype(np.float32)
    mask = random.random((9, 11)) < share
    found = relations._off_curve(first, second, mask)
    if not mask.any():
        assert not found.any()
        return
    levels = np.floor(first / 8).clip(0, 31)
    used = np.unique(levels[mask])
    medians = [np.median(second[mask & (levels == level)]) for level in used]
    distance = np.where(mask, second - np.interp(first / 8 - 0.5, used, medians), 0)
    rows, columns = np.pad(distance, 2, mode="reflect"), np.pad(mask.astype(float), 2, mode="reflect")
    for y in range(9):
        for x in range(11):
            window = np.s_[y : y + 5, x : x + 5]
            expected = abs(rows[window].mean()) / max(columns[window].mean(), 0.2)
            assert found[y, x] == pytest.approx(expected, abs=1e-3)
