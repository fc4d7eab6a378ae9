import imagehash
import numpy as np
import pytest
from PIL import Image

from dedupindex.features.hashes import BLOCKS, wavelet_hash
from tests.scenes import PHOTOGRAPHS, photograph


@pytest.mark.parametrize("size", [(64, 64), (64, 43), (31, 64), (64, 9), (64, 4)])
@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_the_wavelet_hash_is_imagehashs_but_where_a_block_equals_the_median(name, size):
    picture = Image.fromarray(photograph(name)[..., 1]).resize(size, Image.Resampling.BOX)
    side = 2 ** int(np.log2(max(min(size), BLOCKS)))
    levels = np.asarray(picture.resize((side, side), Image.Resampling.LANCZOS), float)
    blocks = levels.reshape(BLOCKS, side // BLOCKS, BLOCKS, side // BLOCKS).mean((1, 3))
    clear = blocks != np.median(blocks)
    assert clear.mean() > 0.8  # a dark sky has many equal blocks
    np.testing.assert_array_equal(wavelet_hash(picture)[clear], imagehash.whash(picture).hash[clear])


def test_nothing_stands_out_of_a_constant_picture():
    assert not wavelet_hash(Image.new("L", (64, 64), 90)).any()
