import itertools

import numpy as np
import pytest

from dedupindex.errors import SettingsError
from dedupindex.evaluation.piece_attacks import PIECE_ATTACKS, piece_attack
from dedupindex.settings import Settings
from dedupindex.verify.pieces.confirmation import find_pieces, view_of
from tests.scenes import features, photograph

PIECES = Settings(profile="pieces")


def others():
    return itertools.cycle([photograph(name) for name in ("cat", "rocket", "coins", "coffee")])


@pytest.mark.parametrize("name", PIECE_ATTACKS)
def test_every_attack_makes_a_picture_the_same_one_each_time(name):
    one, other = (piece_attack(name, photograph("astronaut"), others(), np.random.default_rng(3)) for _ in range(2))
    assert one.dtype == np.uint8
    assert one.ndim == 3
    assert min(one.shape[:2]) >= 24
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    "name", ["piece_20", "piece_turned", "inset_40", "collage_2", "page", "slide", "screen", "wall"]
)
def test_the_part_is_found(name):
    copy = piece_attack(name, photograph("astronaut"), others(), np.random.default_rng(5))
    one, other = (view_of(features(picture, settings=PIECES)) for picture in (photograph("astronaut"), copy))
    assert one is not None
    assert other is not None
    assert find_pieces(one, other)


def test_unknown_attacks_are_refused():
    with pytest.raises(SettingsError, match="no attack 'colage_2'"):
        piece_attack("colage_2", photograph("cat"), others(), np.random.default_rng(0))
