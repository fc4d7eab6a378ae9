"""What is left of two pictures without lines, outline and trend, on pictures made to have nothing else in common."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedupindex.verify.detail import INWARD, LENGTH, detail_agreement, inner_part, without_lines
from tests.scenes import smooth

SHAPE = (80, 96)
ALL = np.ones(SHAPE, bool)


def texture(seed: int, sigma: float = 1.2) -> np.ndarray:
    return (255 * smooth(seed, SHAPE, sigma)).astype(np.float32)


def disc(surface: np.ndarray, ground: float = 0.0) -> np.ndarray:
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    return np.where(np.hypot(y - 40, x - 48) < 30, surface, ground).astype(np.float32)


def test_a_picture_agrees_with_itself():
    found = detail_agreement(texture(0), texture(0), ALL)
    assert set(found) == {"detail", "inner", "inner_pixels", "echo", "trendless"}
    for name in ("detail", "inner"):
        assert found[name] == pytest.approx(1, abs=1e-4)
    assert found["trendless"] > 0.99
    assert found["echo"] < 0.5


def test_strangers_do_not():
    found = detail_agreement(texture(0), texture(1), ALL)
    assert max(abs(found["detail"]), abs(found["inner"]), abs(found["trendless"])) < 0.3


def test_lines_along_rows_and_columns_vanish():
    random = np.random.default_rng(0)
    lined = (random.uniform(0, 120, (SHAPE[0], 1)) + random.uniform(0, 120, (1, SHAPE[1]))).astype(np.float32)
    left = without_lines(lined, np.ones(SHAPE, np.float32))
    far = np.s_[LENGTH:-LENGTH, LENGTH:-LENGTH]
    assert np.abs(left[far]).max() < 1e-2
    assert np.abs(without_lines(texture(0), np.ones(SHAPE, np.float32))[far]).std() > 3


def test_pictures_that_share_lines_only():
    random = np.random.default_rng(1)
    lines = (random.uniform(0, 200, (SHAPE[0], 1)) * np.ones((1, SHAPE[1]))).astype(np.float32)
    a, b = lines + 0.15 * texture(2), lines + 0.15 * texture(3)
    assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.9
    assert detail_agreement(a, b, ALL)["detail"] < 0.3
    assert detail_agreement(a, lines + 0.15 * texture(2) + 4, ALL)["detail"] > 0.99


@pytest.mark.parametrize("ground", [0.0, 255.0])
def test_objects_that_share_an_outline_only(ground):
    a, b = disc(100 + 0.3 * texture(0), ground), disc(100 + 0.3 * texture(1), ground)
    assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.85
    found = detail_agreement(a, b, ALL)
    assert found["inner"] < 0.3
    noise = np.random.default_rng(0).normal(0, 4, SHAPE).astype(np.float32)
    assert detail_agreement(a, a + noise, ALL)["inner"] > 0.8


def test_the_inner_part_keeps_away_from_the_outline():
    a, b = disc(100 + 0.3 * texture(0)), disc(100 + 0.3 * texture(1))
    noisy = b + np.random.default_rng(0).normal(0, 6, SHAPE).astype(np.float32)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    distance = np.hypot(y - 40, x - 48)
    for other in (b, noisy):  # noise on the ground of one of them does not make it part of the object
        inner = inner_part(a, other, ALL)
        assert inner.any()
        assert distance[inner].max() < 30 + 5 - INWARD
        assert inner[distance < 20].mean() > 0.9


def test_where_nothing_is_flat_everything_is_inner():
    assert inner_part(texture(0), texture(1), ALL).mean() > 0.9
    flat = np.full(SHAPE, 128, np.float32)
    assert not inner_part(flat, texture(0), ALL).any()


def test_a_table_is_told_from_another_one_by_its_echo():
    rows, columns = (np.arange(size) // 8 % 2 for size in SHAPE)
    cells = (200 - 120 * rows[:, None] * columns[None, :]).astype(np.float32)
    a, b = (cells + np.random.default_rng(seed).normal(0, 8, SHAPE).astype(np.float32) for seed in (0, 1))
    found = detail_agreement(a, b, ALL)
    assert found["detail"] > 0.7
    assert found["echo"] > found["detail"] - 0.1


def test_gradients_have_nothing_without_their_trend():
    y, x = np.mgrid[-1 : 1 : SHAPE[0] * 1j, -1 : 1 : SHAPE[1] * 1j]
    a, b = ((120 + 80 * x + 20 * y).astype(np.float32), (120 + 70 * x + 45 * y).astype(np.float32))
    assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.9
    assert abs(detail_agreement(a, b, ALL)["trendless"]) < 0.05
    waves = (120 + 80 * x + 30 * np.sin(6 * y)).astype(np.float32)
    assert detail_agreement(waves, waves + 3, ALL)["trendless"] > 0.95


@given(st.floats(0.4, 1), st.floats(0, 60), st.integers(-1, 1))
@settings(max_examples=20, deadline=None)
def test_gain_offset_and_a_pixel_do_not_matter(gain, offset, step):
    a = texture(0, 2.0)
    moved = np.roll(a, step, 1) * np.float32(gain) + np.float32(offset)
    found = detail_agreement(a, moved, ALL)
    assert found["detail"] > 0.95
    assert found["inner"] > 0.95


def test_what_is_masked_does_not_count():
    mask = np.ones(SHAPE, bool)
    mask[20:50, 30:60] = False
    a = texture(0)
    clean = detail_agreement(a, a, mask)
    assert clean["detail"] == pytest.approx(1, abs=1e-4)
    again = detail_agreement(a, np.where(mask, a, a[::-1, ::-1]).astype(np.float32), mask)
    assert again["detail"] > 0.9  # the blur before reaches over the edge
    assert clean["inner_pixels"] <= mask.sum()


@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (7, 7), (5, 40)])
def test_tiny_pictures(shape):
    values = np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32)
    found = detail_agreement(values, values, np.ones(shape, bool))
    assert np.isfinite(list(found.values())).all()
    if min(shape) >= 3:
        assert found["detail"] == pytest.approx(1, abs=1e-3)


def test_nothing_to_compare():
    flat = np.full(SHAPE, 90, np.float32)
    for a, b, mask in ((flat, flat, ALL), (texture(0), texture(0), np.zeros(SHAPE, bool)), (flat, texture(0), ALL)):
        found = detail_agreement(a, b, mask)
        assert found["detail"] == found["inner"] == found["echo"] == 0
        assert abs(found["trendless"]) < 1e-6
