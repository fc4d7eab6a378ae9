"""Loops and counts of TIFF directories: told before a library follows them."""

from __future__ import annotations

import io
import struct
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dedupindex.errors import LimitExceededError, ReadError, Reason
from dedupindex.index import Index
from dedupindex.settings import Settings
from dedupindex.sources import decode_file
from dedupindex.sources.content import Source
from dedupindex.sources.directories import check_directories
from tests.sources.reading import PLAIN, fails, noise

SUB_IFDS = 330


def chain(
    links: list[int], below: dict[int, list[int]] | None = None, *, big: bool = False, order: str = "<", side: int = 8
) -> bytes:
    """A TIFF of grey pages of one strip.

    `links[i]` is the page that comes after page i, -1 = none; page 0 is the first. `below[i]` are the pages in SubIFDs
    of page i.
    """
    below = below or {}
    head, entry, offset = ("Q", "HHQQ", "Q") if big else ("H", "HHII", "I")
    sizes = [8 + len(below.get(i, ())) for i in range(len(links))]  # tags of each page
    lengths = [struct.calcsize(order + head + offset) + n * struct.calcsize(order + entry) for n in sizes]
    start = 16 + side * side
    places = [start + sum(lengths[:i]) for i in range(len(links))]
    arrays = start + sum(lengths)  # of SubIFDs
    data = b"II" if order == "<" else b"MM"
    data += struct.pack(order + "HHHQ", 43, 8, 0, places[0]) if big else struct.pack(order + "HI", 42, places[0])
    data = data.ljust(16, b"\0") + noise(side, side).tobytes()
    tail = b""
    for i, link in enumerate(links):
        tags = [(256, 4, 1, side), (257, 4, 1, side), (258, 4, 1, 8), (259, 4, 1, 1), (262, 4, 1, 1), (273, 4, 1, 16)]
        tags += [(278, 4, 1, side), (279, 4, 1, side * side)]
        if i in below:
            offsets = [places[j] for j in below[i]]
            value = offsets[0] if len(offsets) == 1 else arrays + len(tail)
            tags.append((SUB_IFDS, 16 if big else 4, len(offsets), value))
            tail += struct.pack(f"{order}{len(offsets)}{offset}", *offsets) if len(offsets) > 1 else b""
        page = struct.pack(order + head, len(tags))
        for tag, kind, count, value in tags:
            if kind == 4 and big and order == ">":
                value <<= 32
            page += struct.pack(order + entry, tag, kind, count, value)
        page += struct.pack(order + offset, 0 if link < 0 else places[link])
        data += page.ljust(lengths[i], b"\0")
    return data + tail


def ring(length: int) -> list[int]:
    return [*range(1, length), 0]


LOOPS = {
    "chain of 1": ([0], {}),
    "chain of 2": (ring(2), {}),
    "chain of 5": (ring(5), {}),
    "chain into its middle": ([1, 2, 3, 1], {}),
    "SubIFD is its own page": ([-1], {0: [0]}),
    "SubIFDs of 2": ([-1, -1], {0: [1], 1: [0]}),
    "SubIFDs of 5": ([-1] * 6, {0: [1], 1: [2], 2: [3], 3: [4], 4: [5], 5: [1]}),
    "chain of a SubIFD": ([-1, 2, 1], {0: [1]}),
    "one of several SubIFDs": ([-1, -1, -1, -1], {0: [1, 2, 3], 3: [0]}),
}


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("name", LOOPS)
def test_loops_are_refused_at_once(tmp_path: Path, name: str, order: str, big: bool) -> None:
    links, below = LOOPS[name]
    path = tmp_path / "a.tif"
    path.write_bytes(chain(links, below, big=big, order=order))
    began = time.monotonic()
    error = fails(path, Reason.DAMAGED)
    assert time.monotonic() - began < 0.5
    assert "points to itself" in error.detail or "are a loop of" in error.detail
    assert str(PLAIN.max_frames) not in error.detail.replace(",", "")


@pytest.mark.parametrize("length", [2, 5])
def test_the_length_of_a_loop_is_told(tmp_path: Path, length: int) -> None:
    (tmp_path / "a.tif").write_bytes(chain(ring(length)))
    assert f"a loop of {length}" in fails(tmp_path / "a.tif", Reason.DAMAGED).detail


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
def test_trees_that_share_directories_are_no_loops(tmp_path: Path, order: str, big: bool) -> None:
    """Two pages may name one thumbnail, and the chain of a SubIFD may lead to a later page."""
    path = tmp_path / "a.tif"
    path.write_bytes(chain([1, -1, -1, 1], {0: [2, 3], 1: [2]}, big=big, order=order))
    assert len(decode_file(path, PLAIN).frames) == 2


def test_loops_are_refused_by_the_library(tmp_path: Path) -> None:
    loop = tmp_path / "a.tif"
    loop.write_bytes(chain(ring(5)))
    Image.fromarray(noise(64, 64)).save(tmp_path / "b.png")
    with Index.open(tmp_path / "x.db", create=True, workers=1) as index:
        index.ingest([tmp_path])
        assert [(f.path.name, f.reason) for f in index.failures()] == [("a.tif", Reason.DAMAGED)]
        began = time.monotonic()
        with pytest.raises(ReadError, match="a loop of 5"):
            list(index.query(loop))
        assert time.monotonic() - began < 0.5


def test_pages_are_counted_before_they_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(*_: object, **__: object) -> None:
        raise AssertionError("read before it was counted")

    monkeypatch.setattr(tifffile, "TiffFile", read)
    path = tmp_path / "a.tif"
    path.write_bytes(chain([*range(1, 50), -1]))
    error = fails(path, Reason.TOO_MANY_FRAMES, Settings(max_frames=10))
    assert isinstance(error, LimitExceededError)
    assert "max_frames is 10" in error.detail


def test_values_that_all_directories_share_are_refused(tmp_path: Path) -> None:
    """Each of 3,000 pages claims the whole file as its description: 1 GB in all."""
    data = bytearray(chain([*range(1, 3000), -1]))
    for place in range(0, 3000):
        at = 16 + 64 + place * 102 + 2 + 4 * 12  # the fifth tag
        struct.pack_into("<HHII", data, at, 270, 2, len(data) - 16, 16)
    (tmp_path / "a.tif").write_bytes(data)
    assert "claim values" in fails(tmp_path / "a.tif", Reason.DAMAGED).detail


@pytest.mark.parametrize("options", [{}, {"bigtiff": True}, {"byteorder": ">"}, {"bigtiff": True, "byteorder": ">"}])
def test_directories_of_real_files_are_counted(options: dict[str, object]) -> None:
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream, **options) as writer:
        for n in range(3):
            writer.write(noise(64, 64, seed=n), photometric="minisblack", subifds=2, metadata=None)
            writer.write(noise(32, 32, seed=n), photometric="minisblack", subfiletype=1)
            writer.write(noise(16, 16, seed=n), photometric="minisblack", subfiletype=1)
    source = Source(Path("a.tif"), stream.getvalue(), PLAIN)
    assert check_directories(source) == 3


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_loop_is_told_exactly_where_there_is_one(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 6))
    pages = st.integers(0, count - 1)
    links = data.draw(st.lists(st.integers(-1, count - 1), min_size=count, max_size=count))
    below = data.draw(st.dictionaries(pages, st.lists(pages, min_size=1, max_size=3), max_size=3))
    source = Source(Path("a.tif"), chain(links, below, big=data.draw(st.booleans())), PLAIN)
    reach = np.zeros((count, count), dtype=bool)  # closure of "refers to"
    for i in range(count):
        for j in [links[i], *below.get(i, ())]:
            if j >= 0:
                reach[i, j] = True
    for k in range(count):
        reach |= reach[:, [k]] & reach[[k], :]
    seen = {0, *np.flatnonzero(reach[0])}
    if any(reach[i, i] for i in seen):
        with pytest.raises(ReadError):
            check_directories(source)
    else:
        assert check_directories(source) >= 1


# ----------------------------------------------------------------------------------- what other containers announce
def gif(frames: int) -> bytes:
    stream = io.BytesIO()
    pictures = [Image.fromarray(noise(8, 8, seed=n)) for n in range(frames)]
    pictures[0].save(stream, "GIF", save_all=True, append_images=pictures[1:], duration=1000)
    return stream.getvalue()


@pytest.mark.parametrize("all_frames", [False, True])
def test_frames_of_a_gif_are_counted(tmp_path: Path, all_frames: bool) -> None:
    (tmp_path / "a.gif").write_bytes(gif(7))
    assert decode_file(tmp_path / "a.gif", Settings(max_frames=7, all_frames=all_frames)).frame_count == 7
    fails(tmp_path / "a.gif", Reason.TOO_MANY_FRAMES, Settings(max_frames=6, all_frames=all_frames))


def test_a_gif_of_very_many_frames_costs_a_glance(tmp_path: Path) -> None:
    head = b"GIF89a" + struct.pack("<HHBBB", 8, 8, 0x80, 0, 0) + bytes(6)
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 8, 8, 0) + b"\x02\x01\x00\x00"
    (tmp_path / "a.gif").write_bytes(head + frame * 1_000_000)
    began = time.monotonic()
    fails(tmp_path / "a.gif", Reason.TOO_MANY_FRAMES)
    assert time.monotonic() - began < 1


def test_arrays_of_an_archive_are_counted(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", *[noise(4, 4, seed=n) for n in range(5)])
    assert len(decode_file(tmp_path / "a.npz", Settings(max_frames=5)).frames) == 5
    fails(tmp_path / "a.npz", Reason.TOO_MANY_FRAMES, Settings(max_frames=4))


def test_frames_of_many_arrays_are_those_of_each(tmp_path: Path) -> None:
    arrays = [noise(n % 3 + 1, 4, 5, seed=n) for n in range(6)]
    np.savez(tmp_path / "a.npz", **{f"{n}": array for n, array in enumerate(arrays)})
    planes = [plane for array in arrays for plane in array]
    decoded = decode_file(tmp_path / "a.npz", PLAIN)
    assert [frame.number for frame in decoded.frames] == list(range(len(planes)))
    for frame, plane in zip(decoded.frames, planes, strict=True):
        assert np.array_equal(frame.pixels, plane)
        (one,) = decode_file(tmp_path / "a.npz", PLAIN, frame=frame.number).frames
        assert np.array_equal(one.pixels, plane)


def test_extensions_of_fits_are_counted_together(tmp_path: Path) -> None:
    fits = pytest.importorskip("astropy.io.fits")
    units = [fits.PrimaryHDU(), *[fits.ImageHDU(noise(2, 8, 8, seed=n)) for n in range(3)]]
    fits.HDUList(units).writeto(tmp_path / "a.fits")
    assert len(decode_file(tmp_path / "a.fits", Settings(max_frames=6)).frames) == 6
    fails(tmp_path / "a.fits", Reason.TOO_MANY_FRAMES, Settings(max_frames=5))
    # three of 1,024 bytes, counted as 8 bytes a pixel: together too much, none alone
    fails(tmp_path / "a.fits", Reason.TOO_LARGE, Settings(max_bytes=17_280, max_frame_bytes=2_500))


def test_a_header_nested_deep_is_damage(tmp_path: Path) -> None:
    for sign in (b"[", b"-", b"{1:"):
        (tmp_path / "a.npy").write_bytes(
            b"\x93NUMPY\x02\0" + struct.pack("<I", 990_000) + sign * (990_000 // len(sign))
        )
        assert fails(tmp_path / "a.npy", Reason.DAMAGED).detail == "its header describes no array"


def test_sequences_of_dicom_nested_deep_are_damage(tmp_path: Path) -> None:
    pytest.importorskip("pydicom")
    element = struct.pack("<HHI", 0x0008, 0x1140, 0xFFFFFFFF) + struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    syntax = struct.pack("<HH2sH", 2, 0x10, b"UI", 18) + b"1.2.840.10008.1.2\0"
    data = bytes(128) + b"DICM" + struct.pack("<HH2sHI", 2, 0, b"UL", 4, len(syntax)) + syntax + element * 20_000
    (tmp_path / "a.dcm").write_bytes(data)
    fails(tmp_path / "a.dcm", Reason.DAMAGED)
