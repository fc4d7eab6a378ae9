from functools import cache

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedupindex.compare.measures import compare_all
from dedupindex.records.measures import Measure
from tests.scenes import holes, photograph, smooth

HASHES = ("phash", "dhash", "ahash", "whash")
SHIFTED = ("ncc_peak", "ncc_direct", "ssd", "sad", "motion_vectors_compensated", "gradient_descent")


def table(*arguments) -> dict[str, Measure]:
    measures = compare_all(*arguments)
    assert len({m.name for m in measures}) == len(measures)
    for measure in measures:
        assert np.isfinite(measure.value), measure
        assert measure.better in ("higher", "lower")
        assert measure.detail
    return {m.name: m for m in measures}


def check_same(measures):
    for measure in measures.values():
        if measure.better == "higher":
            assert measure.value == pytest.approx(1, abs=1e-4), measure
        else:
            assert measure.value == pytest.approx(0, abs=1e-4), measure


@pytest.mark.parametrize("name", ["astronaut", "camera", "coffee"])
def test_a_picture_is_like_itself_by_every_measure(name):
    picture = photograph(name)[:150, :200]
    measures = table(picture, picture)
    assert set(HASHES) < set(measures)
    assert {"pearson", "ncc_full_search", "edge_correlation", "histogram_weighted_jaccard", "fft_cosine"} < set(
        measures
    )
    check_same(measures)


def test_depth_gain_and_offset_change_nothing():
    picture = photograph("astronaut")[:200, :240, 1]
    deep = picture.astype(np.uint16) * 150 + 1000
    check_same(table(picture, deep))
    check_same(table(picture, deep.astype(np.float64) * 1e-9 - 3))


@pytest.mark.parametrize("shift", [(12, -17), (-40, 5)])
def test_two_windows_of_one_picture(shift):
    scene = photograph("astronaut")[..., 1]
    a, b = scene[100:350, 100:350], scene[100 + shift[0] : 350 + shift[0], 100 + shift[1] : 350 + shift[1]]
    measures = table(a, b)
    for name in SHIFTED:
        assert f"({shift[0]:+d}, {shift[1]:+d})" in measures[name].detail, measures[name]
    for name in ("ncc_peak", "ncc_direct", "pearson_compensated"):
        assert measures[name].value > 0.999
    assert measures["pearson"].value < 0.8
    assert measures["motion_vectors_compensated"].value > 0.9


def test_windows_of_unlike_content_differ_by_nothing_where_they_overlap():
    """Their own percentiles are far apart: a bright corner is in one of them only."""
    scene = np.tile(np.linspace(60, 140, 300), (260, 1)) + 30 * smooth(3, (260, 300), 4.0)
    scene[:60, :80] += 60
    scene = scene.astype(np.uint8)
    measures = table(scene[:200, :240], scene[50:250, 60:300])
    for name in ("ssd", "sad"):
        assert "(+50, +60)" in measures[name].detail, measures[name]
        assert measures[name].value < 0.003


def test_large_pictures_keep_shifts_to_the_pixel():
    scene = cv2.resize(photograph("coffee"), (2000, 1400), interpolation=cv2.INTER_CUBIC)
    a, b = scene[100:1100, 100:1750], scene[137:1137, 41:1691]
    measures = table(a, b)
    for name in ("ncc_peak", "ncc_direct", "ssd", "sad"):
        assert "(+37, -59)" in measures[name].detail, measures[name]
    assert measures["ncc_peak"].value > 0.999


def test_another_size_is_compared_at_the_better_of_two_scales():
    picture = photograph("astronaut")[::2, ::2]
    half = cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    resized = table(picture, half)
    assert resized["ncc_peak"].value > 0.97
    assert all(resized[name].value > 0.9 for name in ("histogram_intersection", "histogram_weighted_jaccard"))
    crop = table(picture, picture[50:200, 75:210])
    assert crop["ncc_peak"].value > 0.999
    assert "(+50, +75)" in crop["ncc_peak"].detail


def test_tiles_that_share_a_quarter_are_aligned():
    scene = photograph("astronaut")[..., 1]
    measures = table(scene[:250, :200], scene[:250, 146:346])
    for name in ("ncc_peak", "ncc_direct", "ssd", "sad"):
        assert "(+0, +146)" in measures[name].detail, measures[name]
    assert measures["ncc_peak"].value > 0.999


def masked_pair():
    scene = photograph("camera")[..., 1].astype(np.float64)
    a, b = scene[100:220, 100:250], scene[108:228, 95:245]
    return a, b, holes(1, a.shape), holes(2, b.shape)


@cache
def masked_table():
    return table(*masked_pair())


@pytest.mark.parametrize("garbage", [np.nan, np.inf, 1e30])
def test_masked_pixels_cannot_change_a_measure(garbage):
    a, b, mask_a, mask_b = masked_pair()
    named = masked_table()
    dirty = np.where(mask_a, a, garbage), np.where(mask_b, b, garbage)
    others = [table(*dirty, mask_a, mask_b)]
    if not np.isfinite(garbage):  # no data of itself
        others.append(table(*dirty))
    for other in others:
        assert list(other) == list(named)
        for name, measure in named.items():
            assert other[name].value == pytest.approx(measure.value, abs=1e-9)  # OpenCV's rounding varies
    assert "(+8, -5)" in named["ncc_peak"].detail
    assert named["ncc_peak"].value > 0.999


@given(
    st.sampled_from([np.uint8, np.uint16, np.int32, np.float32, np.bool_]),
    st.tuples(st.integers(1, 24), st.integers(1, 24)),
    st.tuples(st.integers(1, 24), st.integers(1, 24)),
    st.sampled_from(["noise", "flat", "one"]),
    st.booleans(),
)
@settings(max_examples=20, deadline=None)
def test_every_pair_of_pictures_has_its_measures(dtype, shape_a, shape_b, kind, colour):
    random = np.random.default_rng(0)
    a = (random.random((*shape_a, 3) if colour else shape_a) * 200).astype(dtype)
    b = np.zeros(shape_b, dtype) if kind != "noise" else (random.random(shape_b) * 200).astype(dtype)
    if kind == "one":
        b[0, 0] = 1
    measures = table(a, b)
    assert "ncc_peak" in measures
    assert abs(measures["ncc_peak"].value) <= 1
    if kind == "flat":
        assert measures["ncc_peak"].value == measures["pearson"].value == 0


def test_different_pictures_stay_apart():
    measures = table(photograph("astronaut"), photograph("coins"))
    assert measures["ncc_peak"].value < 0.6
    assert measures["edge_correlation"].value < 0.3
    assert measures["phash"].value > 16


@pytest.mark.parametrize(
    "arguments",
    [
        (np.zeros((4, 4, 2)), np.zeros((4, 4))),
        (np.zeros((0, 4)), np.zeros((4, 4))),
        (np.zeros((4, 4)), np.zeros((4, 4)), np.ones((4, 5), bool)),
        (np.zeros((4, 4)), np.zeros((4, 4)), None, np.zeros((4, 4), bool)),
        (np.full((4, 4), np.nan), np.zeros((4, 4))),
    ],
)
def test_what_cannot_be_compared(arguments):
    with pytest.raises(ValueError, match=r"shape|mask|valid"):
        compare_all(*arguments)


def test_tiny_frames_leave_out_what_needs_room():
    random = np.random.default_rng(0)
    a = random.integers(0, 4000, (7, 7)).astype(np.uint16)
    measures = table(a, a * 2 + 5)
    assert measures["ncc_peak"].value == pytest.approx(1, abs=1e-6)
    assert not set(HASHES) & set(measures)
    assert table(smooth(0, (7, 7), 1), smooth(0, (7, 7), 1))["pearson"].value == pytest.approx(1, abs=1e-6)
