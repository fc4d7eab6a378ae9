"""The second look at a finer grid."""

import io
from dataclasses import replace

import cv2
import numpy as np
import pytest
from PIL import Image

from dedupindex.records import Frame, Outcome, Proof, ProofMeasures
from dedupindex.search.proof_reading import proof_picture_from_frame
from dedupindex.settings import Settings
from dedupindex.verify.proof.comparison import prove
from dedupindex.verify.proof.finer import DOUBT, FINE_SIDE, LEAST_GAIN, in_doubt, prove_closely
from dedupindex.verify.proof.picture import GRID_SIDE
from tests.verify.pictures import ERASED_BOX as BOX
from tests.verify.pictures import IDENTITY, encoded, wall

DOUBTFUL = Proof(Outcome.SAME, scale_a=LEAST_GAIN, scale_b=2.0, measures=ProofMeasures(doubt=DOUBT + 0.1))


@pytest.mark.parametrize(
    ("proof", "worth"),
    [
        (DOUBTFUL, True),
        (replace(DOUBTFUL, outcome=Outcome.EDITED), False),
        (replace(DOUBTFUL, outcome=Outcome.NONE), False),
        (replace(DOUBTFUL, scale_a=LEAST_GAIN - 0.01), False),
        (replace(DOUBTFUL, scale_b=1.0), False),
        (replace(DOUBTFUL, measures=ProofMeasures(doubt=DOUBT)), False),
        (replace(DOUBTFUL, measures=ProofMeasures()), False),
    ],
)
def test_what_is_worth_a_finer_look(proof, worth):
    assert in_doubt(proof) is worth


SCENE, ERASED = wall()


def jpeg(plane, quality):
    return np.asarray(Image.open(io.BytesIO(encoded(plane, quality))))


class Reader:
    """Two pictures that are read anew for a grid, and how often they were."""

    def __init__(self, a, b):
        self.frames = [Frame(pixels, np.ones(pixels.shape[:2], bool), 0, pixels.shape[:2]) for pixels in (a, b)]
        self.finer = 0

    def pictures(self, side):
        return tuple(proof_picture_from_frame(frame, Settings(), side=side) for frame in self.frames)

    def second(self):
        self.finer += 1
        return self.pictures(FINE_SIDE)

    def proof(self):
        return prove_closely(*self.pictures(GRID_SIDE), IDENTITY, self.second)


def test_what_was_erased_from_fine_texture_is_seen_in_the_pixels_of_the_files():
    scene, erased = SCENE, ERASED
    reader = Reader(jpeg(scene, 92), jpeg(erased, 88))
    first = prove(*reader.pictures(GRID_SIDE), IDENTITY)
    assert in_doubt(first)
    assert prove_closely(*reader.pictures(GRID_SIDE), IDENTITY, lambda: None) == first
    proof = reader.proof()
    assert reader.finer == 1
    assert proof.outcome is Outcome.EDITED
    assert proof.scale_a == pytest.approx(1, abs=0.01)
    top, left, height, width = BOX
    for region in proof.regions:
        y, x, h, w = region.box
        assert top - 16 <= y <= y + h <= top + height + 16
        assert left - 16 <= x <= x + w <= left + width + 16


@pytest.mark.parametrize("quality", [90, 60])
def test_an_encoding_is_the_same_at_any_grid(quality):
    scene = SCENE
    reader = Reader(jpeg(scene, 92), jpeg(scene, quality))
    assert reader.proof().outcome is Outcome.SAME
    assert prove(*reader.pictures(FINE_SIDE), IDENTITY, side=FINE_SIDE).outcome is Outcome.SAME


def test_no_second_look_without_a_doubt_or_finer_pixels():
    scene, erased = SCENE, ERASED
    alike = Reader(jpeg(scene, 95), jpeg(scene, 95))
    assert alike.proof().outcome is Outcome.SAME
    small = Reader(
        *(cv2.resize(jpeg(plane, 85), (800, 600), interpolation=cv2.INTER_AREA) for plane in (scene, erased))
    )
    assert small.proof().measures.doubt is not None
    assert alike.finer == small.finer == 0


def test_another_view_at_the_fine_grid_is_no_edit():
    """A fraction of a pixel that is none on the first grid does not turn a copy into another shot."""
    scene, erased = SCENE, ERASED
    reader = Reader(jpeg(scene, 92), jpeg(erased, 88))
    first = prove(*reader.pictures(GRID_SIDE), IDENTITY)
    assert first.outcome is Outcome.SAME
    strange = np.random.default_rng(5).normal(128, 30, (1200, 1600))
    reader.frames[1] = replace(reader.frames[1], pixels=jpeg(strange, 90))
    seen = prove(*reader.pictures(FINE_SIDE), IDENTITY, side=FINE_SIDE)
    assert seen.outcome not in (Outcome.SAME, Outcome.EDITED)
    pictures = Reader(jpeg(scene, 92), jpeg(erased, 88)).pictures(GRID_SIDE)
    assert prove_closely(*pictures, IDENTITY, reader.second) == first
