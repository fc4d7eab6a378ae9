import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedupindex.features.model import load_model
from dedupindex.records import Features, Keypoints
from dedupindex.verify.keypoint_registration import (
    MAX_SCALE,
    compose,
    fit_affine,
    fit_similarity,
    invert,
    mirror_map,
    mutual_nearest,
    register_keypoints,
)
from tests.amounts import crossed
from tests.scenes import features, photograph, photograph_features

PARITY = load_model().local_parity


def similarity(scale: float, degrees: float, dx: float, dy: float, *, stretch: float = 1.0) -> np.ndarray:
    """Map of b to a, about the middle of a 128 x 128 thumbnail."""
    cosine, sine = scale * np.cos(np.deg2rad(degrees)), scale * np.sin(np.deg2rad(degrees))
    linear = np.array([[cosine, -sine], [sine, cosine]]) @ np.diag([stretch, 1 / stretch])
    return np.column_stack([linear, np.array([64 + dx, 64 + dy]) - linear @ (64, 64)])


def made(points, scales, angles, codes) -> Features:
    """Features of nothing but keypoints; (x, y) in pixels of a 128 x 128 thumbnail."""
    nothing = np.zeros((128, 128), np.uint8)
    return Features(
        thumbnail=nothing,
        mask=np.ones((128, 128), bool),
        colour=np.zeros((32, 32, 3), np.uint8),
        histogram=np.zeros((3, 32), np.float32),
        spectrum=np.zeros((23, 12), np.float32),
        hashes={},
        keypoints=Keypoints(
            (points[:, ::-1] / 128).astype(np.float32),
            (scales / 128).astype(np.float32),
            (angles % (2 * np.pi)).astype(np.float32),
            codes,
        ),
        descriptor=np.zeros(384, np.int8),
    )


def planted(seed: int, matrix: np.ndarray, *, inliers: int, outliers: int, noise: float = 0.0, mirrored: bool = False):
    """Two sets of keypoints: `inliers` that `matrix` (after mirroring b) explains, `outliers` that match wrongly."""
    random = np.random.default_rng(seed)
    number = inliers + outliers
    codes = random.integers(-100, 101, (number, 64), dtype=np.int8)
    points_b = random.uniform(5, 123, (number, 2))
    points_a = points_b @ matrix[:, :2].T + matrix[:, 2] + random.normal(0, noise, (number, 2))
    points_a[inliers:] = random.uniform(0, 128, (outliers, 2))
    scales_b = random.uniform(3, 9, number)
    factor = np.sqrt(np.linalg.det(matrix[:, :2]))
    turn = np.arctan2(matrix[1, 0] - matrix[0, 1], matrix[0, 0] + matrix[1, 1])
    scales_a = scales_b * factor * 2 ** random.normal(0, 0.1, number)
    angles_b = random.uniform(0, 2 * np.pi, number)
    angles_a = angles_b + turn + random.normal(0, 0.05, number)
    angles_a[inliers:] = random.uniform(0, 2 * np.pi, outliers)
    a = made(points_a, scales_a, angles_a, codes)
    if mirrored:
        points_b, angles_b = points_b * (-1, 1) + (128, 0), np.pi - angles_b
        codes = (codes * PARITY).astype(np.int8)
    order = random.permutation(number)
    return a, made(points_b[order], scales_b[order], angles_b[order], codes[order])


@given(
    st.integers(0, 10_000),
    st.floats(0.4, 2.5),
    st.floats(-180, 180),
    st.floats(-40, 40),
    st.floats(-40, 40),
    st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_a_planted_similarity_is_recovered(seed, scale, degrees, dx, dy, mirrored):
    matrix = similarity(scale, degrees, dx, dy)
    a, b = planted(seed, matrix, inliers=40, outliers=60, mirrored=mirrored)
    found = register_keypoints(a, b, PARITY)
    expected = compose(matrix, mirror_map(128)) if mirrored else matrix
    assert found is not None
    assert found.method == "keypoints"
    assert found.inliers >= 40
    assert found.matches >= 95
    # outliers that happen to lie near pull a little
    corners = np.array([[0, 0], [128, 0], [0, 128], [128, 128]])
    off = corners @ (found.matrix - expected)[:, :2].T + (found.matrix - expected)[:, 2]
    assert np.abs(off).max() < 1.5 * max(1, scale)
    assert found.scale == pytest.approx(scale, rel=0.03)


@given(st.integers(0, 10_000), st.floats(0.6, 1.6), st.floats(-180, 180), st.booleans())
@settings(max_examples=30, deadline=None)
def test_without_outliers_it_is_exact(seed, scale, degrees, mirrored):
    matrix = similarity(scale, degrees, 10, -7)
    a, b = planted(seed, matrix, inliers=30, outliers=0, mirrored=mirrored)
    found = register_keypoints(a, b, PARITY)
    expected = compose(matrix, mirror_map(128)) if mirrored else matrix
    assert found is not None
    np.testing.assert_allclose(found.matrix, expected, atol=1e-3)
    assert found.inliers == found.matches == 30


@given(st.integers(0, 10_000), st.floats(1.02, 1.12), st.floats(-90, 90))
@settings(max_examples=30, deadline=None)
def test_a_planted_affine_map_is_recovered(seed, stretch, degrees):
    matrix = similarity(1.1, degrees, 3, 4, stretch=stretch)
    a, b = planted(seed, matrix, inliers=60, outliers=0, noise=0.2)
    found = register_keypoints(a, b, PARITY)
    assert found is not None
    assert found.inliers >= 55
    np.testing.assert_allclose(found.matrix[:, :2], matrix[:, :2], atol=0.01)
    np.testing.assert_allclose(found.matrix[:, 2], matrix[:, 2], atol=0.7)


def test_the_same_in_every_run():
    a, b = planted(1, similarity(0.8, 33, 2, 9), inliers=25, outliers=70, noise=0.5)
    first, second = register_keypoints(a, b, PARITY), register_keypoints(a, b, PARITY)
    assert first is not None
    assert second is not None
    np.testing.assert_array_equal(first.matrix, second.matrix)


@pytest.mark.parametrize("seed", range(5))
def test_chance_gathers_few(seed):
    a, b = planted(seed, similarity(1, 0, 0, 0), inliers=0, outliers=120)
    found = register_keypoints(a, b, PARITY)
    assert found is None or found.inliers < 12


def test_too_few_keypoints_give_none():
    for number in (0, 1, 2, 3):
        a, b = planted(0, similarity(1, 0, 0, 0), inliers=number, outliers=0)
        assert register_keypoints(a, b, PARITY) is None


def test_points_that_coincide_give_none():
    a, b = planted(0, similarity(1, 0, 0, 0), inliers=20, outliers=0)
    spot = np.full((20, 2), 64.0)
    for spread_a, spread_b in ((True, False), (False, True), (False, False)):
        first = a if spread_a else made(spot, a.keypoints.scale * 128, a.keypoints.angle, a.keypoints.codes)
        second = b if spread_b else made(spot, b.keypoints.scale * 128, b.keypoints.angle, b.keypoints.codes)
        found = register_keypoints(first, second, PARITY)
        assert found is None or np.isfinite(found.matrix).all()
        if not spread_b:
            assert found is None


def test_keypoints_without_codes_match_nothing():
    a, b = planted(0, similarity(1, 0, 0, 0), inliers=20, outliers=0)
    empty = made(np.zeros((20, 2)), np.ones(20), np.zeros(20), np.zeros((20, 64), np.int8))
    assert register_keypoints(a, empty, PARITY) is None
    assert register_keypoints(empty, b, PARITY) is None


# -------------------------------------------------------------------------------------------------- photographs
@crossed(
    "name, scale, degrees, mirrored",
    ["astronaut", "coffee", "cat", "camera"],
    [
        (*lies, mirrored)
        for lies in ((1.0, 0.0), (1.0, 90.0), (0.8, 30.0), (1.3, -120.0), (1.6, 175.0))
        for mirrored in (False, True)
    ],
)
def test_warped_photographs_are_registered(name, scale, degrees, mirrored):
    import cv2

    picture = np.ascontiguousarray(photograph(name)[:, ::-1]) if mirrored else photograph(name)
    height, width = picture.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2 - 0.5, height / 2 - 0.5), degrees, scale)
    warped = cv2.warpAffine(picture, matrix, (width, height), flags=cv2.INTER_AREA)
    inside = cv2.warpAffine(np.ones((height, width), np.uint8), matrix, (width, height)) > 0
    a, b = photograph_features(name), features(warped, inside)
    found = register_keypoints(a, b, PARITY)
    assert found is not None
    assert found.inliers >= 12
    assert (np.linalg.det(found.matrix[:, :2]) < 0) == mirrored
    # where do b's points lie, by the known map and by the found one? In pixels of the photographs
    from dedupindex.verify.relations import full_matrix

    known = invert(np.asarray(matrix))
    if mirrored:
        known = compose(mirror_map(width - 1), known)
    points = np.array([[x, y] for x in (0.3, 0.5, 0.7) for y in (0.3, 0.5, 0.7)]) * (width, height)
    moved = full_matrix(found.matrix, a, b)
    off = points @ (moved - known)[:, :2].T + (moved - known)[:, 2]
    assert np.abs(off).max() < 0.012 * max(width, height)


def test_different_photographs_share_few_keypoints():
    names = ("astronaut", "coffee", "cat", "camera", "rocket", "immunohistochemistry")
    for i, first in enumerate(names):
        for second in names[:i]:
            found = register_keypoints(photograph_features(first), photograph_features(second), PARITY)
            assert found is None or found.inliers < 10


# ----------------------------------------------------------------------------------------------------- the parts
matrices = st.builds(
    similarity, st.floats(0.3, 3), st.floats(-180, 180), st.floats(-50, 50), st.floats(-50, 50),
    stretch=st.floats(0.8, 1.25),
)  # fmt: skip


@given(matrices, matrices)
@settings(max_examples=30, deadline=None)
def test_composing_and_inverting(first, second):
    point = np.array([3.0, -7.0, 1.0])
    np.testing.assert_allclose(compose(first, second) @ point, first @ np.append(second @ point, 1), atol=1e-6)
    np.testing.assert_allclose(compose(invert(first), first), np.eye(2, 3), atol=1e-6)
    np.testing.assert_allclose(invert(invert(first)), first, atol=1e-6)


def test_mirroring():
    np.testing.assert_allclose(mirror_map(10) @ (3, 4, 1), (7, 4))
    np.testing.assert_allclose(compose(mirror_map(10), mirror_map(10)), np.eye(2, 3))


@given(st.integers(0, 10_000), st.integers(1, 40), st.integers(1, 40))
@settings(max_examples=30, deadline=None)
def test_mutual_nearest_equals_a_loop(seed, number_a, number_b):
    random = np.random.default_rng(seed)
    a = random.normal(size=(number_a, 5)).astype(np.float32)
    b = random.normal(size=(number_b, 5)).astype(np.float32)
    a /= np.linalg.norm(a, axis=1, keepdims=True)
    b /= np.linalg.norm(b, axis=1, keepdims=True)
    slow = []
    for i in range(number_a):
        products = [float(a[i] @ other) for other in b]
        j = int(np.argmax(products))
        if products[j] > 0.65 and int(np.argmax([float(other @ b[j]) for other in a])) == i:
            slow.append((i, j))
    first, second = mutual_nearest(a, b)
    assert list(zip(first.tolist(), second.tolist(), strict=True)) == slow


@given(st.integers(0, 10_000), matrices)
@settings(max_examples=30, deadline=None)
def test_fits_of_exact_points(seed, matrix):
    points = np.random.default_rng(seed).uniform(0, 128, (12, 2))
    found = fit_affine(points @ matrix[:, :2].T + matrix[:, 2], points)
    assert found is not None
    np.testing.assert_allclose(found, matrix, atol=1e-5)
    pure = similarity(1.3, 20, 1, 2)
    np.testing.assert_allclose(fit_similarity(points @ pure[:, :2].T + pure[:, 2], points), pure, atol=1e-6)


def test_degenerate_points_have_no_fit():
    line = np.column_stack([np.arange(10.0) * 5, np.full(10, 4.0)])
    assert fit_affine(line, line) is None
    spot = np.zeros((6, 2))
    assert fit_affine(spot, spot) is None
    assert fit_similarity(spot, spot) is None
    assert fit_similarity(spot, line[:6]) is None  # everything to one point
    random = np.random.default_rng(0).uniform(0, 100, (10, 2))
    assert fit_affine(random * (-1, 1), random) is None  # mirrored
    assert fit_affine(random * (4, 0.5), random) is None  # stretched beyond belief
    assert fit_similarity(random * MAX_SCALE * 1.1, random) is None
