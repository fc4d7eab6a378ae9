import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedupindex.features import pack, piece_entries, piece_keypoints, unpack
from dedupindex.features.piece_keypoints import extract, near_doubles, ranks
from dedupindex.settings import Settings
from tests.scenes import features, photograph

PIECES = Settings(profile="pieces")


def grey_of(name):
    return np.ascontiguousarray(photograph(name)[:400, :400].mean(2).astype(np.uint8))


def test_other_profiles_have_no_features_of_pieces():
    assert features(photograph("coffee")).pieces is None
    assert not set(piece_entries.NAMES) & set(pack(features(photograph("coffee"))))


def test_features_of_the_whole_picture_are_those_of_the_default_profile():
    """The profile adds; what whole pictures are found by stays nearly the same."""
    plain, more = features(photograph("coffee")), features(photograph("coffee"), settings=PIECES)
    one, other = plain.descriptor.astype(float), more.descriptor.astype(float)
    assert one @ other / np.linalg.norm(one) / np.linalg.norm(other) > 0.8
    assert np.abs(np.array(more.thumbnail.shape) - plain.thumbnail.shape).max() <= 1


def test_the_fingerprint_of_the_default_profile_says_nothing_of_pieces():
    from dedupindex.versions import versions

    assert "pieces" not in versions(Settings())
    assert "pieces" in versions(PIECES)


def test_keypoints_come_back_from_their_blobs():
    made = features(photograph("astronaut"), settings=PIECES)
    again = unpack(pack(made))
    assert again.pieces is not None
    assert made.pieces is not None
    for name in ("position", "scale", "angle", "codes", "doubles"):
        np.testing.assert_array_equal(getattr(again.pieces.keypoints, name), getattr(made.pieces.keypoints, name))
    assert len(made.pieces.keypoints) == piece_keypoints.COUNT
    assert max(made.pieces.picture.shape) == piece_keypoints.SIDE


def test_a_mask_comes_back_and_keeps_keypoints_away():
    mask = np.ones(photograph("coffee").shape[:2], bool)
    mask[:, :300] = False
    found = features(photograph("coffee"), mask, settings=PIECES).pieces
    assert found is not None
    rows, columns = np.floor(found.keypoints.position).astype(int).T
    assert len(rows)
    assert found.mask[rows, columns].all()


@pytest.mark.parametrize("name", piece_entries.NAMES)
def test_damaged_blobs_are_told(name):
    parts = pack(features(photograph("coffee"), settings=PIECES))
    with pytest.raises(ValueError, match="damaged"):
        unpack(parts | {name: parts[name][:-3] if name != piece_entries.PICTURE else parts[name][:6]})


def test_keypoints_are_of_every_size():
    found = extract(grey_of("astronaut"), np.ones((400, 400), bool))
    kinds = np.bincount(np.searchsorted(piece_keypoints.SIZES, found.scale), minlength=5)
    assert (kinds[:4] >= 15).all(), kinds


def test_a_repeated_pattern_comes_last():
    """Of a sheet of equal stamps beside a photograph hardly any keypoint is chosen."""
    random = np.random.default_rng(0)
    stamp = np.kron(random.integers(0, 2, (6, 6)), np.ones((5, 5))) * 200 + 20
    sheet = np.tile(np.pad(stamp, 10, constant_values=120), (8, 4)).astype(np.uint8)
    picture = np.hstack([sheet, grey_of("astronaut")])
    found = extract(np.ascontiguousarray(picture[:400]), np.ones((400, picture.shape[1]), bool))
    stamped = found.position[:, 1] < sheet.shape[1] - 12
    assert np.median(found.doubles[~stamped]) == 0
    assert stamped.mean() < 0.1  # although half of the strong keypoints are there


def test_tiny_and_empty_pictures_have_none():
    assert len(extract(np.zeros((8, 200), np.uint8), np.ones((8, 200), bool))) == 0
    assert len(extract(np.full((100, 100), 7, np.uint8), np.ones((100, 100), bool))) == 0
    assert len(extract(grey_of("coffee"), np.zeros((400, 400), bool))) == 0


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 60), st.integers(0, 2**32 - 1))
def test_ranks_number_each_bucket_by_strength(count, seed):
    random = np.random.default_rng(seed)
    points = random.uniform(0, 100, (count, 2)).astype(np.float32)
    size = random.uniform(1, 40, count).astype(np.float32)
    response = random.permutation(count).astype(np.float32)
    got = ranks(points, size, response, (100, 100))
    for i in range(count):
        kind = int((size[i] >= np.array(piece_keypoints.SIZES, np.float32)).sum())
        cells = piece_keypoints.CELLS[kind]
        stronger = 0
        for j in range(count):
            same = int((size[j] >= np.array(piece_keypoints.SIZES, np.float32)).sum()) == kind
            same &= bool((np.floor(points[i] * cells / 100) == np.floor(points[j] * cells / 100)).all())
            stronger += same and response[j] > response[i]
        assert got[i] == stronger


def test_near_doubles_leave_out_the_same_place():
    codes = np.zeros((4, 64), np.int8)
    codes[:3, 0], codes[3, 1] = 100, 100
    points = np.array([[10, 10], [11, 10], [80, 80], [80, 10]], np.float32)
    assert near_doubles(codes, points, np.full(4, 5, np.float32)).tolist() == [1, 1, 2, 0]
