import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, features

from dedupindex.features.byte_resampling import box_resized, lanczos_resized
from dedupindex.features.resampling import fitted

PILLOW = int(features.version("pil").split(".")[0])


def made(seed: int, shape: tuple[int, int], levels: int) -> np.ndarray:
    """Two pictures of noise with so many levels; two levels make Lanczos overshoot."""
    noise = np.random.default_rng(seed).integers(0, levels, (2, *shape))
    return (noise * (255 // (levels - 1))).astype(np.uint8)


def by_pillow(pictures: np.ndarray, shape: tuple[int, int], how: Image.Resampling) -> np.ndarray:
    return np.stack([np.asarray(Image.fromarray(one).resize(shape[::-1], how)) for one in pictures])


@pytest.mark.skipif(PILLOW < 13, reason="the order of rows and columns in tall pictures is that of Pillow 13")
@given(st.integers(0, 99), st.integers(9, 128), st.integers(9, 128), st.sampled_from([2, 256]))
@settings(max_examples=60, deadline=None)
def test_pictures_are_resized_as_pillow_does(seed, height, width, levels):
    pictures = made(seed, (height, width), levels)
    shape = fitted((height, width), 64)
    np.testing.assert_array_equal(box_resized(pictures, shape), by_pillow(pictures, shape, Image.Resampling.BOX))
    shapes = [(32, 32), (8, 9), (8, 8), (16, 16)]
    for target, resized in zip(shapes, lanczos_resized(pictures, shapes), strict=True):
        np.testing.assert_array_equal(resized, by_pillow(pictures, target, Image.Resampling.LANCZOS))


@pytest.mark.parametrize("shape", [(128, 96), (128, 30), (9, 128)])
def test_one_picture_is_resized_alone_as_with_others(shape):
    pictures = made(1, shape, 256)
    np.testing.assert_array_equal(box_resized(pictures, (32, 20))[:1], box_resized(pictures[:1], (32, 20)))
    together, alone = lanczos_resized(pictures, [(8, 9)])[0], lanczos_resized(pictures[:1], [(8, 9)])[0]
    np.testing.assert_array_equal(together[:1], alone)
