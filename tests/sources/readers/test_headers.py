import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedupindex.sources.readers.headers import (
    exr_header,
    hdr_header,
    is_lossless_jpeg_xl,
    jpeg_ls_header,
    jpeg_xl_header,
    qoi_header,
)
from tests.amounts import examples
from tests.pictures import picture
from tests.sources.readers import making

pytest.importorskip("imagecodecs")

SIDES = st.integers(1, 700)


@given(SIDES, SIDES, st.booleans())
@examples(25)
def test_headers_say_how_large_a_picture_is(height, width, grey):
    pixels = np.zeros((height, width) if grey else (height, width, 3), np.uint8)
    sizes = [jpeg_xl_header(making.jpeg_xl(pixels)), jpeg_ls_header(making.jpeg_ls(pixels))]
    sizes.append(hdr_header(making.hdr(np.zeros((height, width, 3))))[0])
    if not grey:
        sizes.append(qoi_header(making.qoi(pixels)))
    assert {(size.height, size.width) for size in sizes if size is not None} == {(height, width)}
    assert None not in sizes


@pytest.mark.parametrize("size", [(8, 8), (256, 256), (240, 320), (480, 320), (1080, 1920), (100, 120), (513, 7)])
def test_jpeg_xl_writes_sizes_in_several_ways(size):
    for container in (False, True):
        data = making.jpeg_xl(np.zeros(size, np.uint8), usecontainer=container)
        header = jpeg_xl_header(data)
        assert (header.height, header.width) == size


def test_lossless_jpeg_xl_is_told_from_lossy():
    codecs = pytest.importorskip("imagecodecs")
    rng = np.random.default_rng(0)
    for size, kind in (((240, 320, 3), np.uint8), ((77, 50), np.uint16)):
        pixels = rng.integers(0, np.iinfo(kind).max, size, kind)
        assert is_lossless_jpeg_xl(making.jpeg_xl(pixels))
        assert is_lossless_jpeg_xl(making.jpeg_xl(pixels, usecontainer=True))
        assert not is_lossless_jpeg_xl(bytes(codecs.jpegxl_encode(pixels, distance=1.0)))
    assert not is_lossless_jpeg_xl(bytes(codecs.jpegxl_encode_jpeg(making.encoded(picture(1)))))


def test_exr_header():
    pytest.importorskip("av")
    header = exr_header(making.exr(np.zeros((30, 41, 3), np.float32)))
    assert (header.height, header.width, header.channels, header.bits) == (30, 41, 3, 32)


@pytest.mark.parametrize("read", [jpeg_xl_header, hdr_header, exr_header])
@given(data=st.binary(max_size=200))
@settings(max_examples=60, deadline=None)
def test_other_bytes_are_no_header(read, data):
    with pytest.raises(ValueError, match=r"."):
        read(b"x" + data)


def test_other_jpegs_are_no_jpeg_ls():
    assert jpeg_ls_header(making.encoded(np.zeros((8, 8, 3), np.uint8))) is None
    assert jpeg_ls_header(b"\xff\xd8\xff") is None
