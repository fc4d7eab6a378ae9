"""Pictures with more look-alikes than are compared: copies are found among them."""

import cv2
import numpy as np
import pytest

from dedupindex import Index
from dedupindex.features import pack, rounded
from dedupindex.features.model import load_model
from dedupindex.records import Candidate
from dedupindex.search.crowds import most_alike
from dedupindex.verify.vetting import sharp_matches, sketch
from tests.pictures import save
from tests.scenes import PHOTOGRAPHS, features, photograph
from tests.tools import pages

COPIED = 5


def page(number: int) -> np.ndarray:
    """One form, filled in by number; 500 pixels high."""
    form = pages.TEMPLATES["questionnaire"](np.random.default_rng(5))
    pixels = pages.page_pixels(form, np.random.default_rng(number))
    factor = 500 / max(pixels.shape[:2])
    return np.asarray(cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA))


def turned(pixels: np.ndarray) -> np.ndarray:
    """Turned by 2 degrees, as a scanner does."""
    height, width = pixels.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), 2.0, 1.0)
    return cv2.warpAffine(pixels, turn, (width, height), flags=cv2.INTER_CUBIC, borderValue=(255, 255, 255))


def names(pairs):
    return {frozenset(place.path.stem for place in (p.a.locations[0], p.b.locations[0])) for p in pairs}


@pytest.mark.parametrize(
    ("count", "most", "proof"), [(16, 3, "off"), pytest.param(40, 6, "full", marks=pytest.mark.slow)]
)
def test_copies_in_a_crowd_are_found(tmp_path, count, most, proof):
    """Among pages of one form is a scan of one that is a little turned; more others are nearer than are compared.

    *count* pages, *most* candidates that are compared. Without `most_alike` either size fails.
    """
    crowd = tmp_path / "crowd"
    for number in range(count):
        save(crowd / f"{number:02}.png", page(number))
    save(crowd / "copy.png", turned(page(COPIED)))
    with Index.open(tmp_path / "a.db", create=True, candidates=most, proof=proof, workers=1) as index:
        index.ingest([crowd])
        summary = index.find_duplicates()
        assert summary.overflowed > 10  # else this is no crowd
        found = names(index.report().pairs)
        matches = index.query(crowd / "copy.png", limit=3)
    assert frozenset((f"{COPIED:02}", "copy")) in found
    assert {match.path.stem for match in matches[:2]} == {f"{COPIED:02}", "copy"}


def test_the_best_of_a_crowd_stay_in_their_order():
    pictures = [rounded(features(photograph(name))) for name in PHOTOGRAPHS[:5]]
    copy = rounded(features(np.ascontiguousarray(photograph(PHOTOGRAPHS[2])[:, ::-1])))
    stored = {number: sketch(pack(picture)) for number, picture in enumerate(pictures)}
    near = [Candidate(number, 0.1 * place) for place, number in enumerate((4, 3, 2, 1, 0))]
    own = sketch(pack(copy))
    assert most_alike(own, near, stored, 1) == [near[2]]
    assert most_alike(own, near, stored, 2) == [near[0], near[2]]
    kept = most_alike(own, near, stored, 3)
    assert [one for one in near if one in kept] == kept
    assert {near[0], near[2]} < set(kept)
    assert most_alike(own, near, stored, 9) == near
    assert most_alike(own, [*near, Candidate(77, 0.0)], stored, 9) == near  # not described any more


def test_matches_are_counted_the_same_in_either_order_and_mirrored():
    parity = load_model().local_parity
    one, other = (rounded(features(photograph(name))) for name in PHOTOGRAPHS[:2])
    mirrored = rounded(features(np.ascontiguousarray(photograph(PHOTOGRAPHS[0])[:, ::-1])))
    a, b, m = (sketch(pack(picture)) for picture in (one, other, mirrored))
    itself, stranger, mirror = sharp_matches([(a, a), (a, b), (a, m)], parity)
    assert itself == len(one.keypoints)
    assert mirror > 0.3 * itself
    assert stranger < 0.2 * itself
    assert sharp_matches([(a, b), (m, a)], parity).tolist() == sharp_matches([(b, a), (a, m)], parity).tolist()
    assert sharp_matches([], parity).tolist() == []


def test_a_crowd_without_keypoints(tmp_path):
    """In the profile fast no picture has any, and the nearest candidates are compared."""
    crowd = tmp_path / "crowd"
    for number in range(8):
        save(crowd / f"{number:02}.png", page(number))
    with Index.open(tmp_path / "a.db", create=True, candidates=3, proof="off", workers=1, profile="fast") as index:
        index.ingest([crowd])
        summary = index.find_duplicates()
    assert summary.overflowed > 4  # else this is no crowd
    assert summary.searched == 8


def test_keypoints_match_none_where_there_are_none():
    parity = load_model().local_parity
    picture = sketch(pack(rounded(features(photograph("cat")))))
    flat = sketch(pack(rounded(features(np.full((60, 80), 90, np.uint8)))))
    assert not len(flat.codes)
    pairs = [(flat, flat), (flat, picture), (picture, flat), (picture, picture)]
    assert sharp_matches(pairs, parity).tolist() == [0, 0, 0, len(picture.codes)]
    assert sharp_matches(pairs[:1], parity).tolist() == [0]
