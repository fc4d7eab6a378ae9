import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt

from dedupindex.features.keypoints import COUNT, DETECTED, GRID, MASK_CLEARANCE, MIN_SIDE, extract, spread
from dedupindex.features.model import encode_codes, load_model
from dedupindex.features.symmetry import mirror_sift
from tests.scenes import holes, photograph

NAMES = ("astronaut", "cat", "coffee", "camera")


def small(name: str, side: int = 192) -> np.ndarray:
    import cv2

    picture = photograph(name)[..., 1]
    factor = side / max(picture.shape)
    return cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize("name", NAMES)
def test_fields_and_their_ranges(name):
    picture = small(name)
    found = extract(picture, np.ones(picture.shape, bool))
    assert 20 < len(found.scale) <= COUNT
    height, width = np.array(picture.shape) / max(picture.shape)
    assert ((found.position > 0) & (found.position < (height, width))).all()
    assert (found.scale > 0).all()
    assert ((found.angle >= 0) & (found.angle < 2 * np.pi + 1e-6)).all()
    np.testing.assert_allclose(np.linalg.norm(found.descriptors, axis=1), 1, atol=1e-3)
    assert {a.dtype for a in (found.position, found.scale, found.angle, found.descriptors)} == {np.dtype("f4")}


@pytest.mark.parametrize("count", [1, 10, 40])
def test_the_number_is_bounded(count):
    picture = small("coffee")
    assert len(extract(picture, np.ones(picture.shape, bool), count=count).scale) == count


@pytest.mark.parametrize("shape", [(1, 1), (3, 100), (MIN_SIDE - 1, 200), (200, MIN_SIDE - 1)])
def test_small_pictures_have_none(shape):
    picture = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    assert len(extract(picture, np.ones(shape, bool)).scale) == 0


def test_flat_and_wholly_masked_pictures_have_none():
    assert len(extract(np.full((90, 90), 128, np.uint8), np.ones((90, 90), bool)).scale) == 0
    picture = small("cat")
    assert len(extract(picture, np.zeros(picture.shape, bool)).scale) == 0


@given(st.integers(0, 1000), st.sampled_from(NAMES), st.floats(0.05, 0.6))
@settings(max_examples=15, deadline=None)
def test_none_near_masked_pixels(seed, name, share):
    picture = small(name)
    mask = holes(seed, picture.shape, share)
    found = extract(picture, mask)
    if not len(found.scale):
        return
    side = max(picture.shape)
    rows, columns = np.rint(found.position * side - 0.5).astype(int).T
    clear = distance_transform_edt(mask)[rows.clip(0, mask.shape[0] - 1), columns.clip(0, mask.shape[1] - 1)]
    # OpenCV's chamfer distance is up to a few percent off the Euclidean one
    assert (clear > 0.93 * MASK_CLEARANCE * found.scale * side).all()
    assert mask[rows.clip(0, mask.shape[0] - 1), columns.clip(0, mask.shape[1] - 1)].all()


def test_a_mask_far_away_changes_no_keypoint():
    picture = small("cat")
    mask = np.ones(picture.shape, bool)
    mask[:, -30:] = False
    whole, part = extract(picture, np.ones(picture.shape, bool), count=10**6), extract(picture, mask, count=10**6)
    known = {tuple(point) for point in whole.position}
    assert len(part.scale) > 10
    assert np.mean([tuple(point) in known for point in part.position]) > 0.9  # detection's own cap may differ


def points(seed: int, number: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    return random.random((number, 2)).astype(np.float32) * (200, 100), random.random(number).astype(np.float32)


@given(st.integers(0, 1000), st.integers(0, 300), st.integers(1, 200))
@settings(max_examples=40, deadline=None)
def test_spread_is_a_choice_strongest_first(seed, number, count):
    where, response = points(seed, number)
    chosen = spread(where, response, (100, 200), count)
    assert len(chosen) == min(number, count) == len(set(chosen.tolist()))
    assert (np.diff(response[chosen]) <= 0).all()


def test_spread_gives_every_cell_its_best():
    where, response = points(0, 400)
    response[where[:, 0] < 100] += 10  # the left half is far stronger
    chosen = spread(where, response, (100, 200), 150)
    cells = (where[:, 1] * GRID / 100).astype(int) * GRID + (where[:, 0] * GRID / 200).astype(int)
    for cell in np.unique(cells):
        members = np.flatnonzero(cells == cell)
        assert members[response[members].argmax()] in chosen


def test_spread_without_competition_keeps_the_strongest():
    where = np.zeros((50, 2), np.float32)
    response = np.arange(50, dtype=np.float32)
    assert spread(where, response, (100, 200), 5).tolist() == [49, 48, 47, 46, 45]


@pytest.mark.parametrize("name", NAMES)
def test_mirrored_keypoints_and_codes_by_parity(name):
    picture = small(name)
    mask = np.ones(picture.shape, bool)
    first, second = (
        extract(picture, mask, count=10**6),
        extract(np.ascontiguousarray(picture[:, ::-1]), mask, count=10**6),
    )
    side, width = max(picture.shape), picture.shape[1]
    mirrored = first.position * (1, -1) + (0, width / side)
    apart = np.linalg.norm(mirrored[:, None] - second.position[None], axis=2) * side
    turn = np.abs((np.pi - first.angle[:, None] - second.angle[None] + np.pi) % (2 * np.pi) - np.pi)
    size = np.abs(np.log2(first.scale[:, None] / second.scale[None]))
    i, j = np.nonzero((apart < 1) & (turn < 0.1) & (size < 0.1))
    assert len(set(i.tolist())) > 0.6 * len(first.scale)  # the same places, seen in the mirror
    model = load_model()
    codes = [
        encode_codes((f.descriptors - model.local_mean) @ model.local_basis).astype(float) for f in (first, second)
    ]
    flipped, plain = codes[0][i] * model.local_parity, codes[0][i]
    norm = np.linalg.norm(plain, axis=1) * np.linalg.norm(codes[1][j], axis=1)
    with_parity, without = (flipped * codes[1][j]).sum(1) / norm, (plain * codes[1][j]).sum(1) / norm
    assert np.median(with_parity) > 0.95
    assert np.median(without) < 0.7
    order = mirror_sift()
    assert np.median((first.descriptors[i][:, order] * second.descriptors[j]).sum(1)) > 0.98


def test_the_mirror_of_a_sift_descriptor_is_its_own_inverse():
    order = mirror_sift()
    assert sorted(order) == list(range(128))
    np.testing.assert_array_equal(order[order], np.arange(128))


def test_threads_find_the_same():
    from concurrent.futures import ThreadPoolExecutor

    pictures = [small(name) for name in NAMES] * 3
    alone = [extract(p, np.ones(p.shape, bool)) for p in pictures]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda p: extract(p, np.ones(p.shape, bool)), pictures))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one.position, other.position)
        np.testing.assert_array_equal(one.descriptors, other.descriptors)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("blur", [0, 6])  # the blurred ones have no fine keypoints
def test_descriptors_are_those_of_the_doubled_picture(name, blur):
    import cv2

    picture = cv2.GaussianBlur(small(name), None, blur) if blur else small(name)
    sift = cv2.SIFT.create(nfeatures=DETECTED, contrastThreshold=0.02, edgeThreshold=12)
    found, described = sift.detectAndCompute(picture, None)
    theirs = np.sqrt(described / described.sum(1, keepdims=True))
    table = np.array([(k.pt[1] - 0.25, k.pt[0] - 0.25, np.deg2rad(k.angle), k.size) for k in found])
    layer = np.array([k.octave >> 8 & 0xFF for k in found])
    ours = extract(picture, np.ones(picture.shape, bool))
    side = max(picture.shape)
    own = np.c_[ours.position * side - 0.5, ours.angle, ours.scale * side]
    assert len(own) == min(COUNT, len(found)) > 0
    apart = np.abs(own[:, None] - table).max(2)
    nearest = apart.argmin(1)
    assert apart.min(1).max() < 1e-3  # chosen among what OpenCV finds
    cosines = (ours.descriptors * theirs[nearest]).sum(1)
    for one in set(layer[nearest].tolist()):  # another blur or another octave shows here: .94 and less
        assert np.median(cosines[layer[nearest] == one]) > 0.975
    assert cosines.min() > 0.85


def test_positions_are_those_of_the_picture():
    """A blob that is symmetrical about a known point: its keypoint lies there, not a quarter of a pixel beside it."""
    y, x = np.mgrid[:96, :128]
    for centre in ((48.0, 64.0), (40.25, 70.5)):
        picture = 40 + 180 * np.exp(-((y - centre[0]) ** 2 + (x - centre[1]) ** 2) / (2 * 6.0**2))
        found = extract(np.rint(picture).astype(np.uint8), np.ones(picture.shape, bool))
        nearest = np.abs(found.position * 128 - 0.5 - centre).max(1).min()
        assert nearest < 0.1
