from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dedupindex.errors import Reason
from dedupindex.records import FoundFile
from dedupindex.sources import diagnose, format_of, is_candidate
from dedupindex.sources.sniff import sniff


@pytest.mark.parametrize(
    ("pillow", "ours"),
    [
        ("JPEG", "JPEG"),
        ("PNG", "PNG"),
        ("GIF", "GIF"),
        ("WEBP", "WEBP"),
        ("AVIF", "AVIF"),
        ("TIFF", "TIFF"),
        ("BMP", "BMP"),
        ("DIB", "BMP"),
        ("JPEG2000", "JPEG2000"),
        ("PPM", "PPM"),
        ("ICO", "ICO"),
        ("PCX", "PCX"),
        ("SGI", "SGI"),
        ("DDS", "DDS"),
        ("XBM", "XBM"),
    ],
)
def test_formats_by_their_bytes(pillow: str, ours: str) -> None:
    stream = io.BytesIO()
    Image.new("1" if pillow == "XBM" else "RGB", (20, 30)).save(stream, pillow)
    assert sniff(stream.getvalue()[:512]) == ours


def test_names_help_where_bytes_do_not() -> None:
    stream = io.BytesIO()
    Image.new("RGB", (20, 30)).save(stream, "TGA")
    assert sniff(stream.getvalue()) is None
    assert format_of(stream.getvalue(), Path("x.TGA")) == "TGA"
    assert format_of(b"\x89PNG\r\n\x1a\n", Path("x.tga")) == "PNG"
    archive = io.BytesIO()
    np.savez(archive, np.zeros((3, 3)))
    assert format_of(archive.getvalue(), Path("x.npz")) == "NPZ"
    assert format_of(archive.getvalue(), Path("x.zip")) is None
    assert format_of(b"II*\0rest", Path("x.dng")) == "RAW"
    assert format_of(b"II*\0" + b"\0" * 124 + b"DICM", Path("x")) == "DICOM"


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (b"", Reason.EMPTY),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00", Reason.GIT_LFS_POINTER),
        (b"\n <!DOCTYPE html><html><body>404", Reason.HTML),
        (b"<html lang='en'>", Reason.HTML),
        (b"\0\x05\x16\x07\0\x02\0\0Mac OS X", Reason.APPLEDOUBLE),
        (b"PK\x03\x04....", Reason.NOT_AN_IMAGE),
        (b"\x7fELF", Reason.NOT_AN_IMAGE),
        (b"\0" * 100, Reason.DAMAGED),
        (b"hello", Reason.NOT_AN_IMAGE),
    ],
)
def test_what_is_no_image_has_a_reason(head: bytes, reason: Reason) -> None:
    assert sniff(head) is None
    found, text = diagnose(head)
    assert found is reason
    assert text


def test_svg_is_an_image_that_is_not_read() -> None:
    assert sniff(b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg">') == "SVG"


def test_candidates(tmp_path: Path) -> None:
    def found(name: str, data: bytes, *, explicit: bool = False) -> FoundFile:
        path = tmp_path / name
        path.write_bytes(data)
        return FoundFile(path, len(data), 0, 0, explicit)

    notes = found("notes.txt", b"hello")
    assert not is_candidate(notes)
    assert is_candidate(found("notes2.txt", b"hello", explicit=True))
    assert is_candidate(found("empty.jpg", b""))
    assert not is_candidate(found("empty.txt", b""))
    assert is_candidate(found("no_suffix", b"\x89PNG\r\n\x1a\n"))
    assert is_candidate(notes, b"GIF89a")
    assert is_candidate(FoundFile(tmp_path / "gone", 1, 0, 0))  # cannot be read: decode_file says why
