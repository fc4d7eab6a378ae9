"""What decoders raise, as a reason and words for people. The one place where this is translated.

Decoders say what is wrong with a file in three ways: with a sentence, which is kept or put more plainly; with a
programming error (`KeyError`, `IndexError`), which tells only that the file contradicts itself; and with warnings that
quote either of them.
"""

from __future__ import annotations

import re
import struct
import zlib
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from dedupindex.errors import LimitExceededError, ReadError, Reason, UnsupportedImageError, said

LONGEST_NOTE = 300  # characters
_ENDS = "the file ends before the picture does"
_STREAM = "the compressed picture is damaged"

# What a decoder says (regular expression, any case) -> reason, and words in place of it (None = its own).
_SAYINGS: tuple[tuple[re.Pattern[str], Reason, str | None], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), reason, words)
    for pattern, reason, words in (
        (r"decompression bomb", Reason.TOO_LARGE, None),
        (r"image file is truncated|not enough image data|truncated file read", Reason.TRUNCATED, _ENDS),
        (r"buffer is (too small|smaller|not large enough)", Reason.TRUNCATED, _ENDS),
        (r"unpack(_from)? requires a buffer", Reason.TRUNCATED, "the file ends in the middle of its header"),
        (r"reached eof|unexpected end|cannot reshape array", Reason.TRUNCATED, _ENDS),
        (
            r"unsupported|not supported|not available|unknown compression|imagecodecs|unknown raw mode",
            Reason.UNSUPPORTED,
            None,
        ),
        (r"truncated|not enough|too few|incomplete|less than expected|expected to read", Reason.TRUNCATED, None),
        (r"broken data stream|unrecognized data stream|decoder error -?\d", Reason.DAMAGED, _STREAM),
        (r"cannot load this image|could not create decoder|_BAD_DATA|decompress", Reason.DAMAGED, _STREAM),
        (r"failed to read next frame|codec configuration error", Reason.DAMAGED, _STREAM),
        (r"OpenCV\(", Reason.DAMAGED, _STREAM),
        (r"buffer overrun", Reason.DAMAGED, "the picture has more data than its header announces"),
        (r"tile cannot extend outside", Reason.DAMAGED, "a part of the picture lies outside of it"),
        (r"broken png file|chunk b'", Reason.DAMAGED, "a chunk of the PNG file is damaged"),
        (r"invalid literal for|token too long|invalid token", Reason.DAMAGED, "no number where one must stand"),
        (r"not an? [\w .]+ file|cannot identify", Reason.DAMAGED, "the header cannot be read"),
        (r"cannot be reshaped", Reason.DAMAGED, "a strip or tile has another size than the header announces"),
    )
)

# Errors whose text is for programmers.
_ODD: tuple[tuple[tuple[type[Exception], ...], Reason, str], ...] = (
    ((RecursionError,), Reason.DAMAGED, "its parts are nested too deep"),
    ((struct.error, EOFError), Reason.TRUNCATED, _ENDS),
    ((zlib.error,), Reason.DAMAGED, _STREAM),
    ((UnicodeError,), Reason.DAMAGED, "text in its header cannot be read"),
    ((LookupError,), Reason.DAMAGED, "its header refers to something that is not there"),
    ((ArithmeticError,), Reason.DAMAGED, "a number in its header makes no sense"),
    ((TypeError, AttributeError, AssertionError, NameError, StopIteration), Reason.DAMAGED, "its header is damaged"),
    ((NotImplementedError, ModuleNotFoundError), Reason.UNSUPPORTED, "a kind of file that is not read"),
)
_BOMB = re.compile(r"\((\d+) pixels\) exceeds limit of (\d+)")
_QUOTED = re.compile(r"raised \w+\((['\"])(.*?)\1\)?(?=$|[\s,;.])")  # "raised KeyError('x')"
_OBJECT = re.compile(r"<[\w.]+(?: object at 0x[0-9a-f]+| @\d+|\.[\w.]+)[^<>]*>|<[\w.]+ \d+ @\d+>")
_NAME = re.compile(r"\b(?:\w+\.)*[A-Z]\w*(?:Error|Exception|Warning)\b(?:\(\))?:?")
_HERALD = re.compile(r"^Metadata Warning, ")  # before what Pillow says of tags
_NUMBERED = re.compile(r"\[Errno -?\d+\] ?")


def read_error(path: Path, error: Exception) -> ReadError:
    """The `ReadError` for whatever a decoder raised.

    Parameters
    ----------
    path : Path
    error : Exception

    Returns
    -------
    ReadError
        Its detail names no exception and no object of a library.
    """
    if isinstance(error, ReadError):
        return error
    reason, words = _translated(error)
    if reason is Reason.UNSUPPORTED:
        return UnsupportedImageError(path, reason, words)
    return (LimitExceededError if reason is Reason.TOO_LARGE else ReadError)(path, reason, words)


def words_of(error: Exception) -> str:
    """What is wrong, without a path: for notes on frames and metadata."""
    return error.detail if isinstance(error, ReadError) else _translated(error)[1]


def plain(text: str) -> str:
    """A decoder's sentence on one line, without the names of Python's exceptions and objects."""
    text = _HERALD.sub("", " ".join(text.split()))
    if "Error" in text or "Exception" in text or "Warning" in text or "<" in text or "[Errno" in text:
        text = _QUOTED.sub(r": \2", text)
        text = _OBJECT.sub("", text)
        text = _NAME.sub("", _NUMBERED.sub("", text))
    return " ".join(text.split()).strip(" :").replace(" :", ":")[:LONGEST_NOTE]


def _translated(error: Exception) -> tuple[Reason, str]:
    if isinstance(error, SyntaxError) and isinstance(error.__cause__, Exception):
        error = error.__cause__  # Pillow's cover for what went wrong in a header
    text = str(error.msg) if isinstance(error, SyntaxError) else said(error)
    if isinstance(error, MemoryError):
        return Reason.OUT_OF_MEMORY, "not enough memory"
    if isinstance(error, Image.DecompressionBombError) and (sizes := _BOMB.search(text)):
        return (
            Reason.TOO_LARGE,
            f"{int(sizes[1]):,} pixels; max_pixels is {int(sizes[2]) // 2:,}",
        )  # Pillow raises at twice its limit
    if isinstance(error, UnidentifiedImageError):
        return Reason.DAMAGED, "the header cannot be read"
    for pattern, reason, words in _SAYINGS:
        if pattern.search(text):
            return reason, words or plain(text) or _ENDS
    for kinds, reason, words in _ODD:
        if isinstance(error, kinds):
            return reason, words
    return Reason.DAMAGED, plain(text) or "it cannot be decoded"
