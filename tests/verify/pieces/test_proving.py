"""The proof of a region: copies agree once position, tone and sharpness are matched; another shot does not."""

from io import BytesIO

import cv2
import numpy as np
import pytest
from PIL import Image

from dedupindex.features.model import load_model
from dedupindex.records import Outcome
from dedupindex.verify.pieces.agreement import Region, region_of
from dedupindex.verify.pieces.matching import maps_between
from dedupindex.verify.pieces.proving import TABLE, hull_of, prove_region
from dedupindex.versions import PIECE_QUALITY
from tests.scenes import photograph
from tests.verify.pieces.test_confirmation import planted, scaled, view


def regions(one, other):
    """Every region of two pictures that agrees, with its proof."""
    a, b = view(one).pieces, view(other).pieces
    for found in maps_between(a.keypoints, b.keypoints, b.mask.shape[1], load_model().local_parity, mirrored=False):
        region = region_of(a.picture, a.mask, b.picture, b.mask, found.matrix, found.points_a)
        if region is not None:
            yield region, prove_region(a, b, region)


def largest(one, other):
    """The proof of the largest one."""
    return max(regions(one, other), key=lambda found: found[0].area)[1]


def another_shot(picture, pixels, seed=1):
    """The same scene from slightly elsewhere: near and far things are displaced by different amounts."""
    random = np.random.default_rng(seed)
    coarse = random.uniform(-pixels, pixels, (6, 6, 2)).astype(np.float32)
    field = cv2.resize(coarse, picture.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    field = cv2.GaussianBlur(field, (0, 0), 6)
    rows, columns = np.mgrid[: picture.shape[0], : picture.shape[1]].astype(np.float32)
    return cv2.remap(picture, columns + field[..., 0], rows + field[..., 1], cv2.INTER_LINEAR, borderMode=2)


@pytest.mark.parametrize("name", ["astronaut", "coffee", "cat"])
def test_a_tile_is_proven_the_same(name):
    sheet, _ = planted([name], [(60, 80)])
    proof = largest(photograph(name), sheet)
    assert proof.outcome is Outcome.SAME
    assert proof.measures.rest > 0.975


def test_brighter_and_in_perspective_it_is_still_the_same():
    picture = photograph("astronaut")
    rows, columns = picture.shape[:2]
    source = np.array([[0, 0], [columns, 0], [columns, rows], [0, rows]], np.float32)
    target = np.array([[150, 60], [420, 100], [400, 330], [170, 360]], np.float32)
    matrix = cv2.getPerspectiveTransform(source, target)
    shown = cv2.warpPerspective(
        cv2.convertScaleAbs(picture, alpha=0.8, beta=30), matrix, (600, 400), flags=cv2.INTER_AREA
    )
    proof = largest(picture, shown)
    assert proof.outcome in (Outcome.SAME, Outcome.EDITED)
    assert proof.measures.rest > 0.96


@pytest.mark.parametrize("name", ["astronaut", "coffee", "cat"])
def test_another_shot_agrees_less_than_a_copy(name):
    picture = photograph(name)
    sheet, _ = planted([name], [(60, 80)])
    shot = another_shot(picture, 9)
    found = [proof for region, proof in regions(shot, sheet) if region.area > 1_000]
    assert found
    assert max(proof.measures.agreement for proof in found) < largest(picture, sheet).measures.agreement - 0.01


def test_what_was_put_over_a_tile_is_seen():
    sheet, [(top, left, *_)] = planted(["astronaut"], [(60, 80)])
    sheet[top + 60 : top + 100, left + 90 : left + 140] = (250, 240, 20)
    proof = largest(photograph("astronaut"), sheet)
    assert proof.outcome in (Outcome.EDITED, Outcome.ALTERNATE)
    assert 0.01 < proof.changed < 0.2


def test_the_order_of_the_two_does_not_matter():
    sheet, _ = planted(["astronaut"], [(60, 80)])
    there, back = largest(photograph("astronaut"), sheet), largest(sheet, photograph("astronaut"))
    assert there.outcome is back.outcome
    assert there.measures.rest == pytest.approx(back.measures.rest, abs=0.01)


def test_the_hull_closes_holes():
    mask = np.zeros((10, 10), bool)
    mask[0], mask[-1], mask[:, 0], mask[:, -1] = True, True, True, True
    region = Region(mask, (5, 7, 10, 10), True, np.eye(3), 36, 36, 1, 1, 1, 1, 1, 0)
    hull = hull_of(region, (30, 30))
    assert hull.sum() == 100
    assert hull[5:15, 7:17].all()


def test_the_table_is_that_of_the_stored_pictures():
    """What OpenCV writes at this quality, read back from a file."""

    data = cv2.imencode(".jpg", scaled(photograph("cat"), 0.2), [cv2.IMWRITE_JPEG_QUALITY, PIECE_QUALITY])[1]
    with Image.open(BytesIO(data.tobytes())) as image:
        assert tuple(image.quantization[0]) == TABLE
