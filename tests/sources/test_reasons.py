"""What is said of files that cannot be read: reasons in words, never the names of Python's exceptions."""

from __future__ import annotations

import builtins
import io
import os
import re
import struct
from pathlib import Path

import pytest
from PIL import UnidentifiedImageError

from dedupindex.errors import DedupIndexError, ReadError, Reason, SettingsError, said
from dedupindex.settings import Settings
from dedupindex.sources import decode_file
from dedupindex.sources.reasons import plain, read_error, words_of
from tests.sources.mutants import SEEDS, mutants, picture
from tests.sources.reading import PLAIN, fails

MUTANTS = 30  # of each format
NAMES = [name for name, kind in vars(builtins).items() if isinstance(kind, type) and issubclass(kind, BaseException)]
NO_WORDS = re.compile(
    rf"\b({'|'.join(NAMES)}|[A-Z]\w+(?:Error|Exception|Warning)|struct\.error)\b"
    r"|Errno|Traceback|0x[0-9a-f]{6}|report this"
)


def told(path: Path, data: bytes) -> tuple[Reason | None, list[str]]:
    """What is said of a file with these bytes."""
    path.write_bytes(data)
    os.utime(path, (1e9 + 0.5, 1e9 + 0.5))  # files that have just been written are waited for
    return what_is_said(path)


def what_is_said(path: Path) -> tuple[Reason | None, list[str]]:
    try:
        return None, list(decode_file(path, Settings(all_frames=True, mask_pattern="")).warnings)
    except ReadError as error:
        return error.reason, [error.detail]


def is_in_words(reason: Reason | None, said_of_it: list[str]) -> bool:
    return reason is not Reason.INTERNAL and all(words and not NO_WORDS.search(words) for words in said_of_it)


@pytest.mark.parametrize("kind", SEEDS)
def test_no_message_on_a_mutant_names_an_exception(tmp_path: Path, kind: str) -> None:
    ending, make = SEEDS[kind]
    seed = make()
    assert told(tmp_path / f"a.{ending}", seed)[0] is None
    found = [told(tmp_path / f"a.{ending}", data) for data in mutants(seed, MUTANTS)]
    assert [one for one in found if not is_in_words(*one)] == []
    assert sum(reason is not None for reason, _ in found) >= MUTANTS // 10  # else the mutants are no test


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


def test_what_a_decoder_needs_is_limited_too(tmp_path: Path) -> None:
    """That of WebP holds two canvases besides the frame: five times the picture with all copies."""
    picture().resize((300, 300)).save(tmp_path / "a.webp")
    picture().resize((300, 300)).save(tmp_path / "a.png")
    tight = Settings(max_frame_bytes=300 * 300 * 12 - 1)
    assert "max_frame_bytes" in fails(tmp_path / "a.webp", Reason.TOO_LARGE, tight).detail
    assert decode_file(tmp_path / "a.png", tight).frame_count == 1
    assert decode_file(tmp_path / "a.webp", Settings(max_frame_bytes=300 * 300 * 12)).frame_count == 1


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
