import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedupindex.features import pack, rounded
from dedupindex.features.model import load_model
from dedupindex.verify import vetting
from dedupindex.verify.keypoint_registration import (
    ANGLE_TOLERANCE,
    LOOSE,
    MATCH_COSINE,
    MIN_VOTES,
    SCALE_TOLERANCE,
    mutual_nearest,
    register_keypoints,
)
from dedupindex.verify.verification import MIN_INLIERS, alike_from, cosine, verify
from dedupindex.verify.vetting import plausible, sketch
from tests.scenes import features, photograph

NAMES = ("astronaut", "camera", "coffee", "cat", "coins")


@pytest.fixture(scope="module")
def pictures():
    """Five photographs, then a copy of each: mirrored, mirrored, cropped, cropped, turned."""
    originals = [photograph(name) for name in NAMES]
    copies = [p[:, ::-1] for p in originals[:2]] + [p[40:, 60:] for p in originals[2:4]] + [np.rot90(originals[4])]
    return [rounded(features(np.ascontiguousarray(p))) for p in [*originals, *copies]]


def vetted(one, others):
    front = sketch(pack(one))
    return plausible([(front, sketch(pack(other))) for other in others], load_model().local_parity)


def test_copies_pass_mirrored_turned_and_cropped(pictures):
    parity = load_model().local_parity
    for original in range(len(NAMES)):
        copy = pictures[len(NAMES) + original]
        found = register_keypoints(pictures[original], copy, parity)
        assert found is None or found.inliers < MIN_INLIERS or vetted(pictures[original], [copy])[0]
        assert verify(pictures[original], copy).accepted <= vetted(pictures[original], [copy])[0]
        assert verify(pictures[original], copy).accepted <= vetted(copy, [pictures[original]])[0]


def test_nothing_that_would_be_accepted_is_turned_away(pictures, monkeypatch):
    turned_away = 0
    for many in (vetting.MANY, 10**6):  # with and without the short cut
        monkeypatch.setattr(vetting, "MANY", many)
        for number, one in enumerate(pictures):
            others = pictures[:number] + pictures[number + 1 :]
            kept = vetted(one, others)
            for other, keep in zip(others, kept, strict=True):
                assert keep or not verify(one, other, threshold=0.0).accepted
                assert keep or cosine(one, other) < alike_from(min(len(one.keypoints), len(other.keypoints)))
            turned_away += int((~kept).sum())
    assert turned_away > 0


def test_negatives_pass_and_other_negatives_do_not(pictures):
    others = [rounded(features(255 - photograph(name))) for name in NAMES]
    kept = np.stack([vetted(one, others) for one in pictures[: len(NAMES)]])
    assert kept.diagonal().all()
    assert not kept.all()
    for one, row in zip(pictures, kept, strict=False):
        for other, keep in zip(others, row, strict=True):
            assert keep or not verify(one, other).accepted


def test_pictures_at_once_do_not_matter(pictures, monkeypatch):
    whole = vetted(pictures[0], pictures[1:])
    monkeypatch.setattr(vetting, "AT_ONCE", 1)
    np.testing.assert_array_equal(vetted(pictures[0], pictures[1:]), whole)


def test_pairs_of_many_pictures_are_judged_as_each_alone(pictures, monkeypatch):
    """In any order, with pairs that stand twice, with more than are judged together, and the numbers of others."""
    monkeypatch.setattr(vetting, "AT_ONCE", 7)
    monkeypatch.setattr(vetting, "MANY", 10**6)  # every pair is decided by votes
    sketches = [sketch(pack(some)) for some in pictures]
    some = [(i, j) for i in range(len(sketches)) for j in range(len(sketches)) if i != j]
    rng = np.random.default_rng(0)
    some = [some[n] for n in np.r_[rng.permutation(len(some)), rng.integers(0, len(some), 9)]]
    parity = load_model().local_parity
    together = plausible([(sketches[i], sketches[j]) for i, j in some], parity)
    alone = [bool(plausible([(sketches[i], sketches[j])], parity)[0]) for i, j in some]
    assert together.tolist() == alone
    assert len(set(alone)) == 2


def test_places_are_those_of_the_picture_that_a_keypoint_belongs_to(pictures):
    sketches = [sketch(pack(some)) for some in pictures[:3]]
    ends = np.cumsum([0, *(len(some.codes) for some in sketches)])
    chosen = np.array([ends[1] + 3, 5, ends[2]])
    x, y, octaves, angle, width = vetting._places(sketches, np.array([1, 0, 2]), chosen)
    for place, (picture, number) in enumerate([(1, 3), (0, 5), (2, 0)]):
        points, shape = pictures[picture].keypoints, pictures[picture].mask.shape
        assert (y[place], x[place]) == pytest.approx(tuple(points.position[number] * max(shape)), abs=0.01)
        assert octaves[place] == pytest.approx(np.log2(points.scale[number] * max(shape)), abs=0.01)
        assert (angle[place], width[place]) == (pytest.approx(points.angle[number], abs=0.01), shape[1])


def test_no_candidates():
    assert plausible([], load_model().local_parity).shape == (0,)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_matches_are_those_of_the_registration(seed):
    rng = np.random.default_rng(seed)
    base = rng.normal(size=(20, 8)).astype(np.float32)
    first = base + 0.4 * rng.normal(size=base.shape).astype(np.float32)
    seconds = [base[rng.permutation(20)[:12]] + 0.4 * rng.normal(size=(12, 8)).astype(np.float32) for _ in range(3)]
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    seconds = [s / np.linalg.norm(s, axis=1, keepdims=True) for s in seconds]
    rows, columns, same, odd = vetting._near(first, np.concatenate(seconds), 5, MATCH_COSINE)
    both = first @ np.concatenate(seconds).T
    np.testing.assert_allclose(same + odd, both[rows, columns], atol=1e-6)
    near = np.flatnonzero(same + odd > MATCH_COSINE)
    rows, columns = rows[near], columns[near]
    assert len(near) == (both > MATCH_COSINE).sum()
    mutual = vetting._mutual(rows, columns, (same + odd)[near], np.repeat(np.arange(3), 12), len(first))
    rows, columns = rows[mutual], columns[mutual]
    found = set(zip(rows.tolist(), columns.tolist(), strict=True))
    for number, second in enumerate(seconds):
        one, other = mutual_nearest(first, second)
        assert {(a, b + 12 * number) for a, b in zip(one.tolist(), other.tolist(), strict=True)} <= found
    assert MIN_VOTES <= MIN_INLIERS


@given(seed=st.integers(0, 10**6), mirrored=st.booleans())
@settings(max_examples=40, deadline=None)
def test_votes_are_those_of_the_registration(seed, mirrored):
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 14, 4)
    own = rng.permutation(np.repeat(np.arange(4), counts))
    places = [np.empty((5, len(own)), np.float32) for _ in range(2)]
    for some in places:
        some[:2], some[2] = rng.uniform(0, 40, (2, len(own))), rng.uniform(2, 3.2, len(own))
        some[3], some[4] = rng.uniform(0, 1.5, len(own)), 50
    votes = vetting._votes(*places, own, mirrored)
    for number in range(4):
        (ax, ay, octaves_a, turn_a, _), (x, y, octaves_b, turn_b, width) = (p[:, own == number] for p in places)
        if mirrored:
            x, turn_b = width - x, np.pi - turn_b
        matches = list(zip(ax, ay, x, y, octaves_a - octaves_b, turn_a - turn_b, strict=True))
        least, most = (_most_votes(matches, vetting.LOOSER * factor) for factor in (1 - 1e-4, 1 + 1e-4))
        assert 1 <= least <= votes[number] <= most


def _most_votes(matches, looser):
    """Loop over proposals and voters; the tolerances are those of the registration, but so much looser."""
    most = 0
    for ax, ay, x, y, octave, turn in matches:
        factor = 2.0**octave
        cosine, sine = factor * np.cos(turn), factor * np.sin(turn)
        votes = 0
        for other_ax, other_ay, other_x, other_y, other_octave, other_turn in matches:
            dx, dy = other_x - x, other_y - y
            off = np.hypot(ax + cosine * dx - sine * dy - other_ax, ay + sine * dx + cosine * dy - other_ay)
            apart = abs((turn - other_turn + np.pi) % (2 * np.pi) - np.pi)
            votes += (
                off < looser * LOOSE * max(factor, 1)
                and apart < looser * ANGLE_TOLERANCE
                and abs(octave - other_octave) < looser * SCALE_TOLERANCE
            )
        most = max(most, votes)
    return most
