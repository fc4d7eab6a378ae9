"""Features to bytes and back: the compact, exact form in the database.

A blob is a zlib-compressed or raw little-endian array whose shape follows from the blob itself. Thumbnails are stored
as differences between neighbours, compressed by runs and Huffman codes alone: photographs have no longer repetitions,
so this is smaller and faster than full compression. Positions are stored as 1/65535 of the longest side, keypoint
scales and the spectrum as float16. `Features` are rounded to that before they are first used (`rounded`), so that a
picture read from a file and the same one from the database compare alike.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from dedupindex.features.descriptor import DESCRIPTOR_DIMENSIONS, Aim, is_turned, probes_wanted, reach_of
from dedupindex.features.piece_entries import PICTURE, pack_pieces, unpack_pieces
from dedupindex.records import ByteArray, CodeArray, Features, FloatArray, Keypoints, Look, Mask
from dedupindex.records.pictures import SHAPE_BYTES

POSITION_STEPS = 65535
LOOK = ("thumbnail", "colour", "frame")
HASHES = ("phash", "dhash", "ahash", "whash")
FRAME_FORMAT = "<?6i32s"
HISTOGRAM_SHAPE = (3, 32)
SPECTRUM_SHAPE = (23, 12)


def pack(features: Features) -> dict[str, bytes]:
    """Pack features, one blob a feature name."""
    points = features.keypoints
    height, width = features.thumbnail.shape
    more = {} if features.pieces is None else pack_pieces(features.pieces)
    return more | {
        "thumbnail": struct.pack("<HH", height, width) + _deflated(_picture_bytes(features)),
        "colour": struct.pack("<HH", *features.colour.shape[:2]) + features.colour.tobytes(),
        "histogram": np.rint(features.histogram * 65535).astype("<u2").tobytes(),
        "spectrum": features.spectrum.astype("<f2").tobytes(),
        "hashes": b"".join(features.hashes.get(name, b"") for name in HASHES),
        "keypoints": struct.pack("<H", points.codes.shape[1])
        + np.rint(points.position * POSITION_STEPS).astype("<u2").tobytes()
        + points.scale.astype("<f2").tobytes()
        + points.angle.astype("<f2").tobytes()
        + points.codes.tobytes(),
        "descriptor": features.descriptor.tobytes(),
        "frame": struct.pack(
            FRAME_FORMAT, features.low_information, *features.box, *features.full_shape, features.pixel_sha256
        ),
    }


def unpack(parts: Mapping[str, bytes]) -> Features:
    """Unpack what `pack` made; `Features.pieces` only where its parts are among *parts*.

    Raises
    ------
    KeyError
        A feature is missing.
    ValueError
        A blob is damaged.
    """
    with _damage_told():
        return _unpack(parts)


def _unpack(parts: Mapping[str, bytes]) -> Features:
    look = _unpack_look(parts)
    low_information, *_, digest = struct.unpack(FRAME_FORMAT, parts["frame"])
    hashed, descriptor = parts["hashes"], descriptor_of(parts)
    if len(hashed) not in (0, 8 * len(HASHES)):
        raise ValueError(f"damaged feature blob: hashes of {len(hashed)} bytes")
    return Features(
        thumbnail=look.thumbnail,
        mask=look.mask,
        colour=look.colour,
        histogram=(np.frombuffer(parts["histogram"], "<u2").reshape(HISTOGRAM_SHAPE) / 65535).astype(np.float32),
        spectrum=np.frombuffer(parts["spectrum"], "<f2").reshape(SPECTRUM_SHAPE).astype(np.float32),
        hashes={name: hashed[8 * i : 8 * i + 8] for i, name in enumerate(HASHES)} if hashed else {},
        keypoints=_unpack_keypoints(parts["keypoints"]),
        descriptor=descriptor,
        low_information=bool(low_information),
        box=look.box,
        full_shape=look.full_shape,
        pixel_sha256=digest,
        pieces=unpack_pieces(parts) if PICTURE in parts else None,
    )


def unpack_look(parts: Mapping[str, bytes]) -> Look:
    """Unpack what shows a picture to people, from its features `LOOK`.

    Raises
    ------
    KeyError
        A feature is missing.
    ValueError
        A blob is damaged.
    """
    with _damage_told():
        return _unpack_look(parts)


@contextmanager
def _damage_told() -> Iterator[None]:
    try:
        yield
    except (zlib.error, struct.error) as error:
        raise ValueError(f"damaged feature blob: {error}") from error


def _unpack_look(parts: Mapping[str, bytes]) -> Look:
    pixels, mask = _unpack_thumbnail(parts["thumbnail"])
    _, top, left, box_height, box_width, full_height, full_width, _ = struct.unpack(FRAME_FORMAT, parts["frame"])
    rows, columns = struct.unpack_from("<HH", parts["colour"])
    colour = np.frombuffer(parts["colour"], np.uint8, offset=4).reshape(rows, columns, 3)
    return Look(pixels, mask, colour, (top, left, box_height, box_width), (full_height, full_width))


def shows_picture(parts: Mapping[str, bytes]) -> bool:
    """Whether packed features hold a thumbnail; a database that keeps hashes only has its shape alone."""
    return len(parts.get("thumbnail", b"")) > SHAPE_BYTES


def with_black_picture(parts: Mapping[str, bytes]) -> dict[str, bytes]:
    """Packed features with a black picture of the shape that is known, so that the others can be unpacked."""
    height, width = thumbnail_shape(parts["thumbnail"])
    rows, columns = thumbnail_shape(parts["colour"])
    return dict(parts) | {
        "thumbnail": parts["thumbnail"][:SHAPE_BYTES] + _deflated(bytes(height * width)),
        "colour": parts["colour"][:SHAPE_BYTES] + bytes(3 * rows * columns),
    }


def thumbnail_shape(blob: bytes) -> tuple[int, int]:
    """Height and width of a packed thumbnail, from its first four bytes.

    Raises
    ------
    ValueError
        The blob is damaged.
    """
    if len(blob) < 4:
        raise ValueError("damaged feature blob: a thumbnail without a shape")
    height, width = struct.unpack_from("<HH", blob)
    return height, width


def descriptor_of(parts: Mapping[str, bytes]) -> CodeArray:
    """The descriptor (384,) int8 among packed features.

    Raises
    ------
    ValueError
        The blob is damaged.
    """
    descriptor = np.frombuffer(parts["descriptor"], np.int8)
    if len(descriptor) != DESCRIPTOR_DIMENSIONS:
        raise ValueError(f"damaged feature blob: descriptor of {len(descriptor)} numbers")
    return descriptor


def packed_aim(parts: Mapping[str, bytes], profile: str = "default") -> Aim:
    """`aim` from the packed features ``descriptor``, ``keypoints``, ``frame``, and the head of ``thumbnail``.

    Raises
    ------
    KeyError, ValueError
        A feature is missing or damaged.
    """
    with _damage_told():
        low_information, top, left, height, width, *_ = struct.unpack(FRAME_FORMAT, parts["frame"])
    keypoints = len(keypoint_table(parts["keypoints"])[0])
    side = max(thumbnail_shape(parts["thumbnail"]))
    count = 0 if low_information else probes_wanted(keypoints)
    turned = is_turned(count, (top, left, height, width))
    return Aim(descriptor_of(parts), count, reach_of(side, keypoints, profile), turned)


def rounded(features: Features) -> Features:
    """Features as they come back from the database."""
    return unpack(pack(features))


def _picture_bytes(features: Features) -> bytes:
    mask = b"" if features.mask.all() else np.packbits(features.mask.ravel()).tobytes()
    picture = features.thumbnail
    down = picture.copy()
    down[1:] -= picture[:-1]  # modulo 256
    across = down.copy()
    across[:, 1:] -= down[:, :-1]
    return across.tobytes() + mask


def _deflated(data: bytes) -> bytes:
    deflater = zlib.compressobj(1, strategy=zlib.Z_RLE)
    return deflater.compress(data) + deflater.flush()


def _unpack_thumbnail(blob: bytes) -> tuple[ByteArray, Mask]:
    height, width = struct.unpack_from("<HH", blob)
    size = height * width
    inflater = zlib.decompressobj()
    raw = inflater.decompress(blob[4:])
    if not inflater.eof or inflater.unused_data or len(raw) not in (size, size + (size + 7) // 8):
        raise ValueError(f"damaged feature blob: a thumbnail of {height} x {width} pixels in {len(raw)} bytes")
    bits = np.frombuffer(raw, np.uint8, offset=size)
    mask = np.unpackbits(bits, count=size).astype(bool) if bits.size else np.ones(size, bool)
    across = np.frombuffer(raw, np.uint8, size).reshape(height, width)
    picture = np.add.accumulate(np.add.accumulate(across, axis=1, dtype=np.uint8), axis=0, dtype=np.uint8)
    return picture, mask.reshape(height, width)


def keypoint_table(
    blob: bytes,
) -> tuple[CodeArray, NDArray[np.uint16], NDArray[np.float16], NDArray[np.float16]]:
    """Packed keypoints as they lie in their blob: codes (K, C), positions (K, 2), scales (K,), angles (K,).

    Raises
    ------
    ValueError
        The blob is damaged.
    """
    if len(blob) < 2:
        raise ValueError("damaged feature blob: keypoints without a width")
    (width,) = struct.unpack_from("<H", blob)
    count, rest = divmod(len(blob) - 2, 8 + width)
    if rest:
        raise ValueError(f"damaged feature blob: keypoints of {width} numbers in {len(blob)} bytes")
    position = np.frombuffer(blob, "<u2", 2 * count, 2).reshape(count, 2)
    scale = np.frombuffer(blob, "<f2", count, 2 + 4 * count)
    angle = np.frombuffer(blob, "<f2", count, 2 + 6 * count)
    codes = np.frombuffer(blob, np.int8, count * width, 2 + 8 * count).reshape(count, width)
    return codes, position, scale, angle


def _unpack_keypoints(blob: bytes) -> Keypoints:
    codes, steps, scale, angle = keypoint_table(blob)
    position: FloatArray = (steps.astype(np.float64) / POSITION_STEPS).astype(np.float32)
    return Keypoints(position, scale.astype(np.float32), angle.astype(np.float32), codes)
