import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedupindex.features import layout
from dedupindex.features.descriptor import fuse_global
from dedupindex.features.model import dihedral_global
from dedupindex.features.symmetry import SignedPermutation, identity, mirror_global, transpose_global
from tests.scenes import holes, photograph

BLOCKS = ("dct", "spectrum", "histogram", "orientation", "colour")


def blocks(colours: np.ndarray, mask: np.ndarray) -> dict[str, np.ndarray]:
    """Blocks of one picture, (H, W, 3) in 0..1."""
    planes = np.moveaxis(colours, 2, 0)[None].astype(np.float32)
    weights = mask[None].astype(np.float32)
    luminance = planes.mean(1)
    square, share = layout.squares(luminance, weights)
    return {
        "dct": layout.dct_block(square, share),
        "spectrum": layout.spectrum_block(layout.log_spectrum(luminance, weights)),
        "histogram": layout.histogram_block(layout.level_counts(planes, weights)),
        "orientation": layout.orientation_block(square, share),
        "colour": layout.colour_block(planes, weights),
    }


def scene(name: str, shape: tuple[int, int], top: int = 60, left: int = 90) -> np.ndarray:
    height, width = shape
    return photograph(name)[top : top + height, left : left + width].astype(np.float32) / 255


def parts(permutation: SignedPermutation, found: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Let a permutation of the joined blocks act on each block."""
    lengths = [found[name].shape[1] for name in BLOCKS]
    moved = permutation.apply(np.concatenate([found[name] for name in BLOCKS], axis=1))
    return dict(zip(BLOCKS, np.split(moved, np.cumsum(lengths)[:-1], axis=1), strict=True))


def assert_alike(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> None:
    for name in BLOCKS:
        difference = first[name] - second[name]
        if (
            name == "spectrum"
        ):  # the grid holds (fy, 0) and (-fy, 0), so that its mean changes a little in a quarter turn
            difference = difference - difference.mean()
        relative = np.linalg.norm(difference) / (np.linalg.norm(second[name]) + 1e-9)
        assert relative < 1e-2, f"{name}: {relative:.4f}"


@pytest.mark.parametrize("shape", [(64, 64), (97, 128), (128, 61), (33, 33), (11, 23), (7, 7)])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("name", ["astronaut", "cat"])
def test_mirroring_and_transposing_are_signed_permutations(name, shape, masked):
    picture = scene(name, shape)
    mask = holes(1, shape, 0.2) if masked else np.ones(shape, bool)
    found = blocks(picture, mask)
    assert_alike(parts(mirror_global(), found), blocks(picture[:, ::-1], mask[:, ::-1]))
    assert_alike(parts(transpose_global(), found), blocks(picture.transpose(1, 0, 2), mask.T))


def test_the_eight_lays_in_the_order_of_the_group():
    picture, mask = scene("coffee", (90, 71)), np.ones((90, 71), bool)
    found = fuse_global(blocks(picture, mask))
    orientations = [np.rot90(picture, k) for k in range(4)] + [np.rot90(picture[:, ::-1], k) for k in range(4)]
    expected = [fuse_global(blocks(orientation, np.ones(orientation.shape[:2], bool))) for orientation in orientations]
    matched = {}
    for number, action in enumerate(dihedral_global()):
        near = [float((action.apply(found) @ other.T)[0, 0]) for other in expected]
        matched[number] = int(np.argmax(near))
        assert max(near) > 0.99
    assert sorted(matched.values()) == list(range(8))
    assert matched[0] == 0
    assert [matched[k] in range(4) for k in range(8)] == [True] * 4 + [False] * 4


def test_permutations_form_the_dihedral_group():
    mirror, transpose = mirror_global(), transpose_global()
    vectors = fuse_global(blocks(scene("coffee", (50, 60)), np.ones((50, 60), bool)))
    for generator in (mirror, transpose):
        np.testing.assert_allclose(generator.then(generator).apply(vectors), vectors, atol=1e-6)
    turn = mirror.then(transpose)
    four = turn.then(turn).then(turn).then(turn)
    np.testing.assert_allclose(four.apply(vectors), vectors, atol=1e-6)
    np.testing.assert_allclose(turn.apply(vectors), transpose.apply(mirror.apply(vectors)))
    np.testing.assert_array_equal(identity(5).apply(np.arange(5.0)), np.arange(5.0))


@given(st.integers(0, 2**32 - 1), st.sampled_from([(40, 56), (128, 96), (9, 9), (7, 20)]))
@settings(max_examples=15, deadline=None)
def test_values_under_the_mask_change_no_block(seed, shape):
    picture, mask = scene("cat", shape), holes(seed, shape, 0.25)
    other = picture.copy()
    other[~mask] = np.random.default_rng(seed).random((int((~mask).sum()), 3))
    first, second = blocks(picture, mask), blocks(other, mask)
    for name in BLOCKS:
        np.testing.assert_allclose(first[name], second[name], atol=1e-5, err_msg=name)


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("mask", ["all", "half", "none", "one"])
def test_constant_pictures_give_finite_numbers(value, mask):
    picture = np.full((20, 30, 3), value, np.float32)
    valid = np.ones((20, 30), bool)
    valid[:, {"all": 30, "half": 15, "none": 0, "one": 0}[mask] :] = False
    valid[3, 3] |= mask == "one"
    found = blocks(picture, valid)
    for name in BLOCKS:
        assert np.isfinite(found[name]).all(), name
    assert np.isfinite(fuse_global(found)).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (2, 3)])
def test_thin_pictures_give_finite_numbers(shape):
    picture = np.random.default_rng(0).random((*shape, 3)).astype(np.float32)
    for name, block in blocks(picture, np.ones(shape, bool)).items():
        assert np.isfinite(block).all(), name


@given(st.floats(0.2, 1.0), st.floats(0, 0.2))
@settings(max_examples=10, deadline=None)
def test_structure_does_not_see_gain_and_offset(gain, offset):
    picture, mask = scene("astronaut", (80, 100)) * 0.8, np.ones((80, 100), bool)
    first, second = blocks(picture, mask), blocks(picture * gain + offset, mask)
    for name in ("dct", "spectrum", "orientation"):
        np.testing.assert_allclose(first[name], second[name], atol=2e-2, err_msg=name)


def test_histograms_count_every_valid_pixel_once():
    levels = layout.level_counts(np.full((1, 3, 4, 4), 1.0, np.float32), np.ones((1, 4, 4), np.float32))
    assert levels[0, :, 255].tolist() == [1.0, 1.0, 1.0]
    random = np.random.default_rng(0).integers(0, 256, (1, 3, 9, 9))
    counted = layout.level_counts((random / 255).astype(np.float32), np.ones((1, 9, 9), np.float32))
    for channel in range(3):
        np.testing.assert_allclose(counted[0, channel], np.bincount(random[0, channel].ravel(), minlength=256) / 81)


def test_the_spectrum_does_not_see_where_things_are():
    wave = np.tile(np.sin(np.arange(64) * 2 * np.pi * 5 / 64), (64, 1)).astype(np.float32)
    ones = np.ones((1, 64, 64), np.float32)
    first = layout.log_spectrum(wave[None], ones)[0]
    second = layout.log_spectrum(np.roll(wave, 13, 1)[None], ones)[0]
    assert np.unravel_index(first.argmax(), first.shape) == (layout.SPECTRUM_REACH, 5)
    assert np.unravel_index(second.argmax(), second.shape) == (layout.SPECTRUM_REACH, 5)
    assert second.max() == pytest.approx(first.max(), abs=0.02)


def test_directions_are_sorted_into_their_bins():
    ramp = np.tile(np.arange(64.0), (64, 1))
    for number, picture in {0: ramp, 4: ramp.T, 2: ramp + ramp.T, 6: ramp - ramp.T}.items():
        block = layout.orientation_block(*layout.squares(picture[None].astype(np.float32), None))
        sums = block.reshape(-1, layout.ORIENTATIONS).sum(0)
        assert sums.argmax() == number
        assert sums[number] > 0.95 * sums.sum()
