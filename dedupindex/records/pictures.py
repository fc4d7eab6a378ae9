"""Pictures on their way from a file to features: decoded frames, prepared frames, keypoints, features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dedupindex.records.arrays import AnyArray, ByteArray, CodeArray, FloatArray, Mask

SHAPE_BYTES = 4  # height and width, before the pixels of a packed thumbnail


@dataclass(frozen=True, slots=True)
class Frame:
    """One 2-D picture as it was decoded: native depth, upright, with its mask.

    Attributes
    ----------
    pixels : (H, W) or (H, W, 3) array
        uint8, uint16, uint32, int16, int32, float32 or float64 in native byte order. Palettes are mapped, alpha is
        taken out into the mask. May be a view into a stack.
    mask : (H, W) bool
        True = valid.
    number : int
        Frame number in its file, from 0.
    full_shape : (int, int)
        (H, W) of the frame in the file, upright; larger than ``pixels.shape`` when a JPEG was decoded reduced.
    bits : int
        Significant bits a sample as the file says (8, 12, 16, 32, ...).
    stack_range : (float, float) or None
        Valid minimum and maximum over the whole stack, where the source is a stack.
    fills : tuple of float
        Values of large constant areas that the mask leaves out though the file did not declare them.
    """

    pixels: AnyArray
    mask: Mask
    number: int = 0
    full_shape: tuple[int, int] = (0, 0)
    bits: int = 8
    stack_range: tuple[float, float] | None = None
    fills: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class DecodedFile:
    """Result of reading a file once: identity, frames and warnings.

    ``frames`` is what the options asked for; ``frame_count`` is how many the file has.
    """

    path: Path
    sha256: bytes  # of the file's bytes, the very bytes that were decoded
    size: int
    mtime_ns: int
    inode: int
    format: str  # "JPEG", "PNG", "TIFF", "NPY", "FITS", ...
    frames: tuple[Frame, ...]
    frame_count: int = 1
    warnings: tuple[str, ...] = ()
    metadata_count: int = 0  # number of EXIF fields: more = richer, for keep rules
    lossless: bool = False
    part: int = 0  # frames a reading, where only a part of a large stack was decoded; else 0
    quantisation: tuple[tuple[int, ...], ...] = ()  # of a JPEG: 64 steps a table, row by row, luminance first
    numbers: tuple[int, ...] = ()  # of all frames, where they are others than 0, 1, 2, ... (documents, videos)


@dataclass(frozen=True, slots=True)
class PreparedFrame:
    """A frame brought to one scale: trimmed, luminance in [0, 1], small, with its mask.

    Attributes
    ----------
    luminance : (h, w) float32, 0..1
        Longest side at most ``settings.working_side``; values under the mask are 0 and mean nothing.
    colour : (h, w, 3) float32, 0..1, or None
        RGB at the same size; None for single-channel frames.
    mask : (h, w) bool
        True = valid.
    box : (top, left, height, width)
        The part of the upright full-resolution frame (pixels) that ``luminance`` shows: what is left after trimming.
    full_shape : (int, int)
        (H, W) of the upright frame in the file.
    valid_share : float
        Share of valid pixels of the whole frame before trimming, 0..1.
    low_information : bool
        Constant, nearly empty or nearly all masked: never matches by appearance.
    scaling : str
        The scaling policy that was applied, and what fills were masked, for people: ``"dtype 0..255"``,
        ``"percentile 12..913, areas of 0 masked"``.
    pixel_sha256 : bytes
        Digest of the decoded pixels (native depth), shape and mask.
    """

    luminance: FloatArray
    colour: FloatArray | None
    mask: Mask
    box: tuple[int, int, int, int]
    full_shape: tuple[int, int]
    valid_share: float
    low_information: bool
    scaling: str
    pixel_sha256: bytes
    bits: int = 8
    channels: int = 1


@dataclass(frozen=True, slots=True)
class Keypoints:
    """Local features of a prepared frame, strongest first.

    Attributes
    ----------
    position : (K, 2) float32
        (y, x) in units of the prepared frame's longest side, 0..1; pixel centres at (i + .5) / side.
    scale : (K,) float32
        Diameter in the same unit.
    angle : (K,) float32
        Orientation in radians, 0..2 pi, as OpenCV counts it (clockwise in image coordinates).
    codes : (K, 64) int8
        RootSIFT, centred, rotated by a mirror-symmetric PCA, scaled to int8.
    """

    position: FloatArray
    scale: FloatArray
    angle: FloatArray
    codes: CodeArray

    def __len__(self) -> int:
        return len(self.scale)


@dataclass(frozen=True, slots=True)
class PieceKeypoints:
    """Keypoints of a picture that pieces are found by, in its own pixels.

    Attributes
    ----------
    position : (K, 2) float32
        (y, x), continuous: the centre of the first pixel is (.5, .5).
    scale : (K,) float32
        Diameter, pixels.
    angle : (K,) float32
        Radians, 0..2 pi, clockwise in image coordinates.
    codes : (K, 64) int8
        As `Keypoints.codes`.
    doubles : (K,) uint8
        Near-doubles elsewhere in the same picture; 255 = that many or more.
    """

    position: FloatArray
    scale: FloatArray
    angle: FloatArray
    codes: CodeArray
    doubles: ByteArray

    def __len__(self) -> int:
        return len(self.scale)


@dataclass(frozen=True, slots=True)
class PieceFeatures:
    """What pieces are found and confirmed by; only with the profile ``pieces``.

    Attributes
    ----------
    keypoints : PieceKeypoints
        Of *picture*.
    picture : (h, w) uint8
        Luminance of the prepared frame, longest side at most 512, valid range stretched to 0..255.
    mask : (h, w) bool
        Of it.
    """

    keypoints: PieceKeypoints
    picture: ByteArray
    mask: Mask


@dataclass(frozen=True, slots=True)
class Features:
    """Every feature of one prepared frame; later stages need nothing else of it.

    Attributes
    ----------
    thumbnail : (h, w) uint8
        Luminance, longest side at most 128, valid range stretched to 0..255.
    mask : (h, w) bool
        Of the thumbnail.
    colour : (H, W, 3) uint8
        Small colour picture (longest side at most 32); grey frames have three equal channels.
    histogram : (3, 32) float32
        RGB histogram of the valid pixels, each channel sums to 1.
    spectrum : (23, 12) float32
        Log-magnitude of the FFT of the windowed square thumbnail: fy = -11..11 (rows), fx = 0..11 cycles a side.
    hashes : mapping of name to 8 bytes
        phash, dhash, ahash, whash (64 bits each).
    keypoints : Keypoints
    descriptor : (384,) int8
        The vector that goes into the index; all zero for low-information frames, which are not indexed.
    pieces : PieceFeatures or None
        None with other profiles than ``pieces``, for low-information frames, and where they were not loaded.
    """

    thumbnail: ByteArray
    mask: Mask
    colour: ByteArray
    histogram: FloatArray
    spectrum: FloatArray
    hashes: Mapping[str, bytes]
    keypoints: Keypoints
    descriptor: CodeArray
    low_information: bool = False
    box: tuple[int, int, int, int] = (0, 0, 0, 0)  # what of the full frame the features describe: top, left, h, w
    full_shape: tuple[int, int] = (0, 0)
    pixel_sha256: bytes = b""
    pieces: PieceFeatures | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """Those of the `Features` of a frame that serve to display it; same attributes."""

    thumbnail: ByteArray
    mask: Mask
    colour: ByteArray
    box: tuple[int, int, int, int]
    full_shape: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A reduced picture of a whole upright frame.

    Attributes
    ----------
    pixels : (h, w) or (h, w, 3) uint8
    mask : (h, w) bool
        True = valid.
    """

    pixels: ByteArray
    mask: Mask


@dataclass(frozen=True, slots=True)
class TiledPicture:
    """A whole upright frame in small encoded pieces, at full size and halved again and again.

    Attributes
    ----------
    width, height : int
        Of the frame, pixels.
    side : int
        Longest side of a tile, pixels.
    levels : int
        Level 0 is the full size, each further one half of the one before.
    tiles : mapping of (level, row, column) to bytes
        JPEG where every pixel is valid, else PNG in which pixels without data are transparent.
    kind : str
        Media type of the tiles.
    low, high : float
        Sample values that are shown as black and white; 0 and 255 for 8 bits.
    """

    width: int
    height: int
    side: int
    levels: int
    tiles: Mapping[tuple[int, int, int], bytes]
    kind: str
    low: float
    high: float

    @property
    def bytes(self) -> int:
        """Size of all tiles."""
        return sum(map(len, self.tiles.values()))


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What a file says of how its picture was made; "" or None = nothing.

    Attributes
    ----------
    taken : str
        When it was taken, local time of the camera: ``2024-05-01T12:00:00``.
    camera : str
        Maker and model.
    rating : int or None
        0..5 stars.
    software : str
        The program that wrote it.
    quality : int or None
        Of a JPEG: the quality on the usual scale of 1..100 whose steps come nearest to those of the file.
    """

    taken: str = ""
    camera: str = ""
    rating: int | None = None
    software: str = ""
    quality: int | None = None
