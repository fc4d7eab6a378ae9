"""Pictures of one edge: any two of them can be made alike."""

import cv2
import numpy as np
import pytest
from PIL import Image

from dedupindex.records import Outcome
from dedupindex.verify.proof.comparison import prove
from dedupindex.verify.proof.structure import FEW, ONE_WAY, directions, is_one_edge
from tests.verify.pictures import IDENTITY, jpeg, photograph, picture

SIDE = 160
Y, X = np.mgrid[:SIDE, :SIDE].astype(np.float64)
WHOLE = np.ones((SIDE, SIDE), bool)


def corner(low, high, angle=33.0, seed=0, place=0.8):
    """A flat tile with a straight edge across one corner, and a little noise."""
    across = X * np.cos(np.radians(angle)) + Y * np.sin(np.radians(angle))
    share = np.clip(across - np.quantile(across, place), 0, 1)[..., None]
    noise = np.random.default_rng(seed).normal(0, 1.5, (SIDE, SIDE, 1))
    return Image.fromarray((np.array(low) * (1 - share) + np.array(high) * share + noise).clip(0, 255).astype(np.uint8))


def grey(image):
    return np.asarray(image.convert("L"))


@pytest.mark.parametrize("angle", [0, 33, 90, 140])
def test_an_edge_has_one_direction_and_a_photograph_has_many(angle):
    assert directions(grey(corner((5, 5, 5), (220, 210, 180), angle)), WHOLE) < ONE_WAY
    shown = grey(photograph("astronaut", SIDE))
    assert directions(shown, np.ones(shown.shape, bool)) > 5 * ONE_WAY


def test_directions_of_known_gradients():
    """The eigenvalues of a x + b y are those of its squared gradient; of two crossed ones, in the ratio of both."""
    assert directions((X * 1.2).astype(np.uint8), WHOLE) < 0.01
    crossed = (60 * np.sin(X / 5) + 30 * np.sin(Y / 5) + 128).astype(np.uint8)
    assert directions(crossed, WHOLE) == pytest.approx(0.25, abs=0.02)
    assert directions(np.full((SIDE, SIDE), 9, np.uint8), WHOLE) == 0
    assert directions(crossed, ~WHOLE) == 0


def test_what_lies_outside_the_mask_does_not_count():
    both = grey(corner((5, 5, 5), (200, 200, 200), 0)).copy()
    both[:60, :60] = cv2.resize(grey(photograph("coffee", SIDE))[:60, :60], (60, 60))
    mask = WHOLE.copy()
    mask[:64, :64] = False
    assert directions(both, WHOLE) > ONE_WAY > directions(both, mask)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (((4, 4, 5), (220, 200, 170)), ((93, 27, 15), (225, 225, 215))),
        (((250, 250, 250), (30, 30, 30)), ((180, 190, 200), (90, 60, 20))),
    ],
)
def test_two_tiles_of_one_edge_and_other_tones_prove_nothing(first, second):
    proof = prove(picture(corner(*first)), picture(corner(*second, seed=1)), IDENTITY)
    assert proof.outcome is Outcome.NONE
    assert "edge" in proof.reason


def test_two_skies_prove_nothing():
    skies = [np.repeat(np.linspace(low, high, 300)[:, None], 400, 1) for low, high in ((60, 200), (20, 245))]
    pictures = [Image.fromarray(sky.astype(np.uint8)).convert("RGB") for sky in skies]
    assert prove(*map(picture, pictures), IDENTITY).outcome not in (Outcome.SAME, Outcome.EDITED)


def test_an_encoding_of_such_a_tile_is_the_same():
    tile = corner((93, 27, 15), (225, 225, 215))
    other, tables = jpeg(tile, 70)
    assert prove(picture(tile), picture(other, tables=tables), IDENTITY).outcome is Outcome.SAME


def test_a_bar_code_has_one_direction_and_much_to_compare():
    widths = np.random.default_rng(3).integers(3, 9, 40)
    line = np.repeat(np.arange(40) % 2 * 215 + 20, widths)
    code = Image.fromarray(np.repeat(line[None], 120, 0).astype(np.uint8)).convert("RGB")
    darker = code.point(lambda level: round(0.8 * level + 4))
    assert directions(grey(code), np.ones((120, len(line)), bool)) < ONE_WAY
    assert prove(picture(code), picture(darker), IDENTITY).outcome is Outcome.SAME
    shown = np.zeros((10, 10), bool)
    shown.flat[: round(100 * FEW) + 1] = True
    first, second = grey(code)[:, :SIDE], grey(darker)[:, :SIDE]
    assert not is_one_edge(first, second, np.ones(first.shape, bool), shown)
