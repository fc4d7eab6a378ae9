import imagehash
import numpy as np
import pytest
from PIL import Image

from dedupindex.features.hashes import BLOCKS, NAMES, hash_all, perceptual_hashes, wavelet_hash
from tests.scenes import PHOTOGRAPHS, holes, photograph

SIZES = [(64, 64), (64, 43), (31, 64), (64, 9), (64, 4)]


def small(name: str, size: tuple[int, int]) -> Image.Image:
    return Image.fromarray(photograph(name)[..., 1]).resize(size, Image.Resampling.BOX)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_the_wavelet_hash_is_imagehashs_but_where_a_block_equals_the_median(name, size):
    picture = small(name, size)
    side = 2 ** int(np.log2(max(min(size), BLOCKS)))
    levels = np.asarray(picture.resize((side, side), Image.Resampling.LANCZOS), float)
    blocks = levels.reshape(BLOCKS, side // BLOCKS, BLOCKS, side // BLOCKS).mean((1, 3))
    clear = blocks != np.median(blocks)
    assert clear.mean() > 0.8  # a dark sky has many equal blocks
    np.testing.assert_array_equal(wavelet_hash(np.asarray(picture))[clear], imagehash.whash(picture).hash[clear])


def test_nothing_stands_out_of_a_constant_picture():
    assert not wavelet_hash(np.full((64, 64), 90, np.uint8)).any()


@pytest.mark.parametrize("size", SIZES[:4])
@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_hashes_are_those_of_imagehash(name, size):
    picture = small(name, size)
    hashed = perceptual_hashes(np.asarray(picture), np.ones(size[::-1], bool))
    theirs = (imagehash.phash(picture), imagehash.dhash(picture), imagehash.average_hash(picture))
    for kind, expected in zip(NAMES, theirs, strict=False):
        assert hashed[kind] == np.packbits(expected.hash.ravel()).tobytes(), kind


def test_pictures_are_hashed_alone_as_together():
    sizes = [(128, 96), (96, 128), (128, 96), (8, 40), (20, 9), (128, 96), (30, 128)]
    pictures = [np.asarray(small(name, size)) for size in sizes for name in PHOTOGRAPHS[:2]]
    masks = [holes(number, picture.shape, 0.2) for number, picture in enumerate(pictures)]
    masks[4] = np.zeros_like(masks[4])
    assert hash_all(pictures, masks) == list(map(perceptual_hashes, pictures, masks))
    assert hash_all(pictures, masks)[4] == {}  # nothing is valid
    assert hash_all(pictures, masks)[6] == {}  # too small


def test_there_may_be_nothing_to_hash():
    assert hash_all([], []) == []
