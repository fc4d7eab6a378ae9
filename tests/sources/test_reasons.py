"""What is said of files that cannot be read: reasons in words, never the names of Python's exceptions."""

from __future__ import annotations

import builtins
import io
import os
import re
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, UnidentifiedImageError

from dedupindex.errors import DedupIndexError, ReadError, Reason, SettingsError, said
from dedupindex.settings import Settings
from dedupindex.sources import decode_file
from dedupindex.sources.reasons import plain, read_error, words_of
from tests.sources.reading import PLAIN, fails

MUTANTS = 70  # of each format
NAMES = [name for name, kind in vars(builtins).items() if isinstance(kind, type) and issubclass(kind, BaseException)]
NO_WORDS = re.compile(
    rf"\b({'|'.join(NAMES)}|[A-Z]\w+(?:Error|Exception|Warning)|struct\.error)\b"
    r"|Errno|Traceback|0x[0-9a-f]{6}|report this"
)


def picture() -> Image.Image:
    y, x = np.mgrid[:24, :32]
    samples = np.stack([x * 8, y * 10, (x * y) % 256], axis=-1).astype(np.uint8)
    return Image.fromarray(samples)


def seeds() -> dict[str, bytes]:
    made = {}
    options = {"JPEG": {"exif": exif()}, "TIFF": {"compression": "tiff_lzw"}, "GIF": {"save_all": True}}
    for kind in ("JPEG", "PNG", "GIF", "TIFF", "WEBP", "BMP"):
        stream = io.BytesIO()
        more = {"append_images": [picture().rotate(90)]} if kind == "GIF" else {}
        picture().save(stream, kind, **options.get(kind, {}), **more)
        made[kind] = stream.getvalue()
    stream = io.BytesIO()
    picture().save(stream, "MPO", save_all=True, append_images=[picture().rotate(180)])
    return {**made, "MPO": stream.getvalue()}


def exif() -> Image.Exif:
    tags = Image.Exif()
    tags[0x010F], tags[0x0112] = "a camera", 6
    return tags


def mutants(data: bytes) -> Iterator[bytes]:
    """The same ones every time: bytes changed, runs of them removed, repeated or emptied, the end cut off."""
    rng = np.random.default_rng(len(data))
    for number in range(MUTANTS):
        changed = bytearray(data)
        # half of them in the header, where most of what a decoder believes stands
        reach = min(len(data), 80) if number % 2 else len(data)
        for _ in range(int(rng.integers(1, 4))):
            at, length = int(rng.integers(2, reach)), int(rng.integers(1, 12))
            match int(rng.integers(5)):
                case 0 | 1:
                    changed[at % len(changed)] = int(rng.integers(256))
                case 2:
                    changed[at : at + length] = rng.bytes(length)
                case 3:
                    del changed[at : at + length]
                case _:
                    changed[at:at] = changed[at : at + length]
        yield bytes(changed[: int(rng.integers(4, len(changed)))] if number % 7 == 0 else changed)


@pytest.mark.parametrize("kind", seeds())
def test_no_message_on_a_mutant_names_an_exception(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a.{kind.lower()}"
    failed = 0
    for data in mutants(seeds()[kind]):
        path.write_bytes(data)
        os.utime(path, (1e9 + 0.5, 1e9 + 0.5))  # files that have just been written are waited for
        reason = None
        try:
            told = list(decode_file(path, Settings(all_frames=True)).warnings)
        except ReadError as error:
            failed, reason, told = failed + 1, error.reason, [error.detail]
        assert reason is not Reason.INTERNAL
        for words in told:
            assert words
            assert not NO_WORDS.search(words), words
    assert failed >= MUTANTS // 10  # else the mutants are no test


@pytest.mark.parametrize("rest", [b" garbage", b"\xe2\x00\x10MPF\x00garbage", b"\xff\xff\xff", b"\xd8\xff"])
def test_a_broken_jpeg_is_told_by_what_is_broken(tmp_path: Path, rest: bytes) -> None:
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff" + rest)
    with pytest.raises(ReadError) as caught:
        decode_file(tmp_path / "a.jpg", PLAIN)
    assert "MPO" not in caught.value.detail
    assert not NO_WORDS.search(caught.value.detail)


def test_the_limit_that_is_named_is_the_one_that_is_set(tmp_path: Path) -> None:
    stream = io.BytesIO()
    picture().resize((300, 300)).save(stream, "GIF")
    (tmp_path / "a.gif").write_bytes(stream.getvalue())
    assert "max_pixels is 1,000" in fails(tmp_path / "a.gif", Reason.TOO_LARGE, Settings(max_pixels=1000)).detail


def chained() -> SyntaxError:
    error = SyntaxError("'MPO'")
    error.__cause__ = KeyError("MPO")
    return error


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (KeyError("MPO"), Reason.DAMAGED),
        (chained(), Reason.DAMAGED),
        (IndexError("list index out of range"), Reason.DAMAGED),
        (AttributeError("'NoneType' object has no attribute 'x'"), Reason.DAMAGED),
        (RecursionError("maximum recursion depth exceeded"), Reason.DAMAGED),
        (ZeroDivisionError("division by zero"), Reason.DAMAGED),
        (UnicodeDecodeError("ascii", b"\xff", 0, 1, "ordinal not in range"), Reason.DAMAGED),
        (struct.error("unpack requires a buffer of 4 bytes"), Reason.TRUNCATED),
        (EOFError(), Reason.TRUNCATED),
        (OSError("image file is truncated (3 bytes not processed)"), Reason.TRUNCATED),
        (OSError("broken data stream when reading image file"), Reason.DAMAGED),
        (UnidentifiedImageError("cannot identify image file <_io.BytesIO object at 0x7f>"), Reason.DAMAGED),
        (NotImplementedError(), Reason.UNSUPPORTED),
        (ValueError("unsupported BMP"), Reason.UNSUPPORTED),
        (MemoryError(), Reason.OUT_OF_MEMORY),
        (ValueError(), Reason.DAMAGED),
        (RuntimeError("no frame 3"), Reason.DAMAGED),
    ],
)
def test_errors_of_decoders_become_reasons(error: Exception, reason: Reason) -> None:
    named = read_error(Path("a"), error)
    assert named.reason is reason
    assert named.detail
    assert not NO_WORDS.search(named.detail)
    assert "NoneType" not in named.detail
    assert words_of(error) == named.detail == words_of(named)


def test_a_decoders_own_sentence_is_kept() -> None:
    assert words_of(ValueError("Marker length\ntoo small")) == "Marker length too small"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<TiffTag.fromfile> raised TiffFileError('<tifffile.TiffTag 273 @20> invalid value offset 9')", "offset 9"),
        ("EXIF: KeyError: 'MPO'", "EXIF: 'MPO'"),
        ("[Errno 2] No such file", "No such file"),
        ("a < b and c > d", "a < b and c > d"),
        ("an Error of measurement", "an Error of measurement"),
    ],
)
def test_quoted_exceptions_are_taken_out(text: str, words: str) -> None:
    assert words in plain(text)
    assert not NO_WORDS.search(plain(text))


def test_what_the_system_says_has_no_number(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="Errno") as caught:
        (tmp_path / "no").read_bytes()
    assert said(caught.value) == f"{tmp_path}/no: no such file or directory"
    with pytest.raises(OSError, match="Errno") as caught:
        (tmp_path / "no").rename(tmp_path / "other")
    assert said(caught.value) == f"{tmp_path}/no -> {tmp_path}/other: no such file or directory"
    assert said(SettingsError("a")) == "a"
    assert said(DedupIndexError()) == ""
    assert said(OSError(28, "No space left on device")) == "no space left on device"
