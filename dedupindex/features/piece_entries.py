"""Entries of the pieces index: 16 bytes a keypoint, and how they are stored with an image.

The stored features of a picture are ``piece_entries`` (an array of `ENTRY`), ``piece_codes`` (near-doubles and codes of
the same keypoints) and ``piece_picture`` (the luminance picture as JPEG, and its mask).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from dedupindex.features import piece_words
from dedupindex.records import ByteArray, CodeArray, FloatArray, Mask
from dedupindex.records.pictures import PieceFeatures, PieceKeypoints
from dedupindex.versions import PIECE_QUALITY

ENTRIES, CODES, PICTURE = "piece_entries", "piece_codes", "piece_picture"
NAMES = (ENTRIES, CODES, PICTURE)  # of the stored features
ENTRY = np.dtype([("signature", "<u8"), ("word", "<u2"), ("angle", "u1"), ("scale", "u1"), ("y", "<u2"), ("x", "<u2")])
ANGLES = 256  # steps of a full turn
SCALE_STEPS = 16  # steps an octave; 0 is a diameter of one pixel
PLACE_STEPS = 64  # steps a pixel
CODE_LENGTH = 64
Entries = NDArray[np.void]


def pack_pieces(features: PieceFeatures) -> dict[str, bytes]:
    """Pack what pieces are found by, one blob a feature name."""
    points = features.keypoints
    height, width = features.picture.shape
    good, encoded = cv2.imencode(".jpg", features.picture, [cv2.IMWRITE_JPEG_QUALITY, PIECE_QUALITY])
    if not good:
        raise RuntimeError(f"OpenCV could not encode a picture of {height} x {width} pixels")
    hidden = b"" if features.mask.all() else zlib.compress(np.packbits(features.mask.ravel()).tobytes(), 1)
    return {
        ENTRIES: entries_of(points).tobytes(),
        CODES: points.doubles.tobytes() + points.codes.tobytes(),
        PICTURE: struct.pack("<HHI", height, width, len(hidden)) + hidden + encoded.tobytes(),
    }


def entries_of(points: PieceKeypoints) -> Entries:
    """Entries (K,) of keypoints, for the index."""
    words = piece_words.load_words()
    assigned = piece_words.assign(points.codes, words)
    table = np.zeros(len(points), ENTRY)
    table["word"] = assigned[:, 0]
    table["signature"] = piece_words.signatures(points.codes, assigned, words)[:, 0]
    table["angle"] = np.rint(points.angle * (ANGLES / (2 * np.pi))).astype(np.int64) % ANGLES
    table["scale"] = np.clip(np.rint(np.log2(np.maximum(points.scale, 1)) * SCALE_STEPS), 0, 255)
    steps = np.clip(np.rint(points.position * PLACE_STEPS), 0, 65535)
    table["y"], table["x"] = steps[:, 0], steps[:, 1]
    return table


def unpack_pieces(parts: Mapping[str, bytes]) -> PieceFeatures:
    """Unpack what `pack_pieces` made.

    Raises
    ------
    KeyError
        A feature is missing.
    ValueError
        A blob is damaged.
    """
    picture, mask = unpack_picture(parts[PICTURE])
    return PieceFeatures(unpack_keypoints(parts), picture, mask)


def unpack_entries(blob: bytes) -> Entries:
    """Entries (K,) from their blob.

    Raises
    ------
    ValueError
        The blob is damaged.
    """
    if len(blob) % ENTRY.itemsize:
        raise ValueError(f"damaged feature blob: entries in {len(blob)} bytes")
    entries = np.frombuffer(blob, ENTRY)
    if len(entries) and int(entries["word"].max()) >= piece_words.WORDS:
        raise ValueError("damaged feature blob: an entry under a word that does not exist")
    return entries


def unpack_keypoints(parts: Mapping[str, bytes]) -> PieceKeypoints:
    """Keypoints from the features ``piece_entries`` and ``piece_codes``.

    Raises
    ------
    KeyError, ValueError
        A feature is missing or damaged.
    """
    entries, blob = unpack_entries(parts[ENTRIES]), parts[CODES]
    count = len(entries)
    if len(blob) != count * (CODE_LENGTH + 1):
        raise ValueError(f"damaged feature blob: codes of {count} keypoints in {len(blob)} bytes")
    codes: CodeArray = np.frombuffer(blob, np.int8, offset=count).reshape(count, CODE_LENGTH)
    position = np.stack([entries["y"], entries["x"]], axis=1).astype(np.float32) / np.float32(PLACE_STEPS)
    return PieceKeypoints(
        position, scales_of(entries["scale"]), angles_of(entries["angle"]), codes, np.frombuffer(blob, np.uint8, count)
    )


def unpack_picture(blob: bytes) -> tuple[ByteArray, Mask]:
    """The stored picture (h, w) and its mask.

    Raises
    ------
    ValueError
        The blob is damaged.
    """
    try:
        height, width, hidden = struct.unpack_from("<HHI", blob)
        bits = zlib.decompress(blob[8 : 8 + hidden]) if hidden else b""
    except (struct.error, zlib.error) as error:
        raise ValueError(f"damaged feature blob: {error}") from error
    decoded = cv2.imdecode(np.frombuffer(blob, np.uint8, offset=8 + hidden), cv2.IMREAD_GRAYSCALE)
    if decoded is None or decoded.shape != (height, width) or len(bits) not in (0, (height * width + 7) // 8):
        raise ValueError(f"damaged feature blob: a picture of {height} x {width} pixels")
    mask = np.unpackbits(np.frombuffer(bits, np.uint8), count=height * width).astype(bool) if bits else None
    whole = np.ones((height, width), bool)
    return np.asarray(decoded, np.uint8), whole if mask is None else mask.reshape(height, width)


def scales_of(steps: ByteArray) -> FloatArray:
    """Diameters in pixels from their steps."""
    diameters: FloatArray = np.exp2(steps.astype(np.float32) / np.float32(SCALE_STEPS))
    return diameters


def angles_of(steps: ByteArray) -> FloatArray:
    """Angles in radians from their steps."""
    return steps.astype(np.float32) * np.float32(2 * np.pi / ANGLES)
