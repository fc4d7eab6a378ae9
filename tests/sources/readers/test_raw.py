import numpy as np
import pytest

from dedupindex.settings import Settings
from dedupindex.sources import decode_file
from tests.pictures import picture
from tests.sources.readers import making
from tests.sources.reading import only

pytest.importorskip("rawpy")

PIXELS = picture(3, 240, 320)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.dng"


def near(one, other):
    return np.corrcoef(one.astype(float).ravel(), other.astype(float).ravel())[0, 1]


def test_a_raw_picture_without_preview_is_developed(path):
    path.write_bytes(making.dng(PIXELS))
    frame = only(path)
    assert frame.pixels.dtype == np.uint16
    assert (frame.full_shape, frame.bits) == ((240, 320), 16)
    assert near(frame.pixels, PIXELS) > 0.95


def test_a_preview_that_is_large_enough_comes_first(path):
    other = picture(4, 240, 320)  # so that one can tell which was taken
    path.write_bytes(making.dng(PIXELS, making.encoded(other, quality=95)))
    for side in (None, 200, 320):
        frame = only(path, min_side=side)
        assert frame.pixels.dtype == np.uint8
        assert frame.full_shape == (240, 320)
        assert near(frame.pixels, other) > 0.99


def test_a_preview_is_taken_for_a_small_side_alone_where_it_is_small(path):
    small = np.ascontiguousarray(PIXELS[::2, ::2])
    path.write_bytes(making.dng(PIXELS, making.encoded(small)))
    assert only(path, min_side=100).pixels.shape == (120, 160, 3)
    assert only(path, min_side=100).full_shape == (240, 320)
    assert only(path, min_side=200).pixels.dtype == np.uint16
    assert only(path, min_side=None).pixels.dtype == np.uint16


def test_a_preview_of_another_shape_is_not_taken(path):
    path.write_bytes(making.dng(PIXELS, making.encoded(picture(4, 320, 320))))
    assert only(path).pixels.dtype == np.uint16


def test_a_broken_preview_costs_only_itself(path):
    preview = making.encoded(picture(4, 240, 320))
    path.write_bytes(making.dng(PIXELS, preview[:200] + b"\0" * (len(preview) - 200)))
    decoded = decode_file(path, Settings())
    assert decoded.frames
    assert decoded.format == "RAW"
