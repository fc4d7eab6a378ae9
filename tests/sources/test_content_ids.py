import os
import random
import struct

import pytest
from PIL import Image

from dedupindex.groups.unit_files import UnitFinder
from dedupindex.sources import content_ids
from dedupindex.sources.content_ids import content_id

ONE = "7B6F1C52-9A0E-4A7D-8F53-0C2E7D1A9B11"


def atom(kind: bytes, *parts: bytes) -> bytes:
    data = b"".join(parts)
    return struct.pack(">I4s", 8 + len(data), kind) + data


def movie(identifier: str | None, *, version: bytes = b"", wide: bool = False) -> bytes:
    """A movie of no frames with Apple's keys; *version* stands first in a `meta` atom of MP4."""
    names = [b"com.apple.quicktime.make", b"com.apple.quicktime.content.identifier"]
    values = ["Apple", identifier]
    keys = atom(b"keys", struct.pack(">II", 0, 2), *(atom(b"mdta", name) for name in names))
    items = [
        atom(struct.pack(">I", number), atom(b"data", struct.pack(">II", 1, 0), value.encode()))
        for number, value in enumerate(values, 1)
        if value is not None
    ]
    meta = atom(b"meta", version, atom(b"hdlr", b"\0" * 24), keys, atom(b"ilst", *items))
    frames = b"\0" * 5000
    media = struct.pack(">I4sQ", 1, b"mdat", 16 + len(frames)) + frames if wide else atom(b"mdat", frames)
    return atom(b"ftyp", b"qt  ") + media + atom(b"moov", atom(b"mvhd", b"\0" * 100), meta)


def maker_note(identifier: str) -> bytes:
    """Apple's maker note with two fields."""
    text = identifier.encode() + b"\0"
    head = b"Apple iOS\0\0\1MM" + struct.pack(">H", 2)
    offset = len(head) + 2 * 12 + 4
    fields = struct.pack(">HHII", 0x0001, 9, 1, 14) + struct.pack(">HHII", 0x0011, 2, len(text), offset)
    return head + fields + b"\0" * 4 + text


def jpeg(path, identifier: str | None):
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    exif[0x0110] = "iPhone"
    if identifier is not None:
        exif.get_ifd(0x8769)[0x927C] = maker_note(identifier)
    Image.new("RGB", (40, 30)).save(path, exif=exif)
    return path


@pytest.mark.parametrize("version", [b"", b"\0" * 4])
@pytest.mark.parametrize("wide", [False, True])
def test_of_a_video(tmp_path, version, wide):
    path = tmp_path / "a.mov"
    path.write_bytes(movie(ONE, version=version, wide=wide))
    assert content_id(path) == ONE
    path.write_bytes(movie(None, version=version, wide=wide))
    assert content_id(path) == ""


def test_of_a_picture(tmp_path):
    assert content_id(jpeg(tmp_path / "a.jpg", ONE)) == ONE
    assert content_id(jpeg(tmp_path / "b.jpg", None)) == ""


def test_of_what_is_neither(tmp_path, monkeypatch):
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty.mov").touch()
    (tmp_path / "real.mov").write_bytes(movie(ONE))
    (tmp_path / "link.mov").symlink_to("real.mov")
    os.mkfifo(tmp_path / "pipe.mov")
    for name in ("folder", "empty.mov", "link.mov", "pipe.mov", "gone.mov"):
        assert content_id(tmp_path / name) == ""
    monkeypatch.setattr(content_ids, "LARGEST_VIDEO", 100)
    assert content_id(tmp_path / "real.mov") == ""


def test_any_bytes(tmp_path):
    rng, path = random.Random(5), tmp_path / "x.mov"
    goods = [movie(ONE), movie(ONE, wide=True), jpeg(tmp_path / "a.jpg", ONE).read_bytes()]
    for _ in range(300):
        data = bytearray(rng.choice(goods))
        for _ in range(rng.randrange(1, 6)):
            data[rng.randrange(len(data))] = rng.choice((0, 1, 255, rng.randrange(256)))
        path.write_bytes(data[: rng.choice((len(data), rng.randrange(len(data))))])
        assert len(content_id(path)) <= 100


def test_a_live_photo_of_two_names_is_one_unit(tmp_path):
    picture = jpeg(tmp_path / "holiday.jpg", ONE)
    jpeg(tmp_path / "other.jpg", ONE[::-1])
    (tmp_path / "IMG_0042.MOV").write_bytes(movie(ONE))
    (tmp_path / "clip.mov").write_bytes(movie(None))
    finder = UnitFinder()
    assert [companion.path.name for companion in finder.companions(picture)] == ["IMG_0042.MOV"]
    assert finder.owners(tmp_path / "IMG_0042.MOV") == (picture,)
    assert finder.owners(tmp_path / "clip.mov") == ()
    assert finder.companions(tmp_path / "other.jpg") == ()
