import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedupindex.features import pack, rounded, unpack
from dedupindex.features.describe import describe
from dedupindex.records import Features, Keypoints
from tests.scenes import SETTINGS, holes, photograph, prepared, same_features


@st.composite
def any_features(draw) -> Features:
    """Features of any size, not those of a real picture."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    height, width = draw(st.integers(1, 128)), draw(st.integers(1, 128))
    rows, columns = draw(st.integers(1, 32)), draw(st.integers(1, 32))
    number = draw(st.integers(0, 150))
    mask = random.random((height, width)) < draw(st.sampled_from([0.0, 0.3, 0.99, 1.1]))
    hashes = {}
    if draw(st.booleans()):
        hashes = {name: random.bytes(8) for name in ("phash", "dhash", "ahash", "whash")}
    box = draw(st.tuples(*[st.integers(0, 100_000)] * 4))
    histogram = random.random((3, 32)).astype(np.float32)
    return Features(
        thumbnail=random.integers(0, 256, (height, width), dtype=np.uint8),
        mask=mask,
        colour=random.integers(0, 256, (rows, columns, 3), dtype=np.uint8),
        histogram=histogram / histogram.sum(1, keepdims=True),
        spectrum=random.normal(0, 2, (23, 12)).astype(np.float32),
        hashes=hashes,
        keypoints=Keypoints(
            random.random((number, 2)).astype(np.float32),
            random.random(number).astype(np.float32),
            (random.random(number) * 2 * np.pi).astype(np.float32),
            random.integers(-127, 128, (number, 64), dtype=np.int8),
        ),
        descriptor=random.integers(-127, 128, 384, dtype=np.int8),
        low_information=draw(st.booleans()),
        box=box,
        full_shape=draw(st.tuples(st.integers(0, 100_000), st.integers(0, 100_000))),
        pixel_sha256=random.bytes(32),
    )


@given(any_features())
@settings(max_examples=60, deadline=None)
def test_round_trip(features):
    found = unpack(pack(features))
    for name in ("thumbnail", "mask", "colour", "descriptor"):
        np.testing.assert_array_equal(getattr(found, name), getattr(features, name))
        assert getattr(found, name).dtype == getattr(features, name).dtype
    np.testing.assert_array_equal(found.keypoints.codes, features.keypoints.codes)
    np.testing.assert_allclose(found.keypoints.position, features.keypoints.position, atol=1e-5)
    np.testing.assert_allclose(found.keypoints.scale, features.keypoints.scale, rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(found.keypoints.angle, features.keypoints.angle, rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(found.histogram, features.histogram, atol=1e-5)
    np.testing.assert_allclose(found.spectrum, features.spectrum, rtol=1e-3, atol=1e-6)
    for name in ("hashes", "low_information", "box", "full_shape", "pixel_sha256"):
        assert getattr(found, name) == getattr(features, name)
    assert found.histogram.dtype == found.spectrum.dtype == found.keypoints.position.dtype == np.float32


@given(any_features())
@settings(max_examples=40, deadline=None)
def test_rounding_twice_is_rounding_once(features):
    once = rounded(features)
    same_features(rounded(once), once)
    assert pack(once) == pack(rounded(once))


@pytest.mark.parametrize("name", ["astronaut", "cat"])
@pytest.mark.parametrize("masked", [False, True])
def test_real_features_survive(name, masked):
    picture = photograph(name)
    mask = holes(0, picture.shape[:2]) if masked else None
    features = describe(prepared(picture, mask), SETTINGS)
    once = rounded(features)
    same_features(rounded(once), once)
    np.testing.assert_array_equal(once.thumbnail, features.thumbnail)
    np.testing.assert_array_equal(once.mask, features.mask)
    np.testing.assert_array_equal(once.keypoints.codes, features.keypoints.codes)


def test_blobs_are_small_and_the_same_every_time():
    features = describe(prepared(photograph("coffee")), SETTINGS)
    first, second = pack(features), pack(features)
    assert first == second
    assert sum(len(blob) for blob in first.values()) < 32_000


@pytest.mark.parametrize("missing", ["thumbnail", "keypoints", "frame", "hashes", "descriptor"])
def test_a_missing_feature_is_a_key_error(missing):
    parts = pack(describe(prepared(photograph("cat")), SETTINGS))
    del parts[missing]
    with pytest.raises(KeyError):
        unpack(parts)


# bytes like any others: only a digest could tell
NOT_TOLD = {("noise", name) for name in ("histogram", "spectrum", "hashes", "descriptor", "frame")} | {
    ("empty", "hashes")
}


NAMES = ("thumbnail", "colour", "histogram", "spectrum", "hashes", "keypoints", "descriptor", "frame")
DAMAGE = ("cut", "empty", "longer", "noise")


@pytest.mark.parametrize(
    ("damage", "name"), [case for case in itertools.product(DAMAGE, NAMES) if case not in NOT_TOLD]
)
def test_damaged_blobs_are_value_errors(damage, name):
    parts = pack(describe(prepared(photograph("cat")), SETTINGS))
    blob = parts[name]
    parts[name] = {
        "cut": blob[: len(blob) // 2],
        "empty": b"",
        "longer": blob + b"x",
        "noise": b"\xa7" * len(blob),
    }[damage]
    with pytest.raises(ValueError, match=r"\w"):
        unpack(parts)
