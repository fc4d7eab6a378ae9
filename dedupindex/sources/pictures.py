"""Pictures through Pillow, from an explicit list of formats: native depth, upright, alpha taken out into the mask."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    IcoImagePlugin,
    Image,
    ImageCms,
    Jpeg2KImagePlugin,
    JpegImagePlugin,
    MpoImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TgaImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from dedupindex.errors import ReadError, Reason, UnsupportedImageError
from dedupindex.records import Frame, Mask
from dedupindex.sources import rasters
from dedupindex.sources.content import (
    DecodedContent,
    Source,
    check_decoder,
    check_frame,
    check_total,
    choose_frames,
    make_frame,
)
from dedupindex.sources.deep import deep_bits, read_deep
from dedupindex.sources.directories import check_directories
from dedupindex.sources.quiet import native_stderr
from dedupindex.sources.readers.gif import check_gif
from dedupindex.sources.reasons import words_of
from dedupindex.sources.transparency import without_alpha

_ = (  # imported for what they register: otherwise the first unusual file makes Pillow load every plugin it has
    AvifImagePlugin, BmpImagePlugin, GifImagePlugin, IcoImagePlugin, Jpeg2KImagePlugin, MpoImagePlugin,
    PngImagePlugin, PpmImagePlugin, TgaImagePlugin, TiffImagePlugin, WebPImagePlugin,
)  # fmt: skip

# Our format name -> the Pillow plugins that may open it. EPS (runs a program), WMF, PSD and others never.
PLUGINS: dict[str, tuple[str, ...]] = {
    "JPEG": ("JPEG",),  # which makes an MPO of one with further pictures
    "PNG": ("PNG",),
    "WEBP": ("WEBP",),
    "AVIF": ("AVIF",),
    "GIF": ("GIF",),
    "TIFF": ("TIFF",),
    "BMP": ("BMP", "DIB"),
    "JPEG2000": ("JPEG2000",),
    "PPM": ("PPM",),
    "ICO": ("ICO",),
    "TGA": ("TGA",),
    "HEIF": ("HEIF",),
}
STOOD_FOR = frozenset(("GIF", "PNG", "WEBP", "AVIF"))  # animations of which one frame is described by default
BLANK = 0.03  # of the range of the samples: the most that differs within a blank frame, after lossy compression too
MOST_BLANK = 64  # frames at the beginning that may be blank; further ones are not looked at
_LOSSLESS = frozenset(("PNG", "BMP", "TIFF", "PPM", "ICO", "TGA"))
_ANIMATED = frozenset(("GIF", "PNG", "WEBP", "AVIF", "TIFF", "MPO", "HEIF"))
_SAMPLE_BYTES = {"I": 4, "F": 4, "I;16": 2, "I;16B": 2, "I;16L": 2, "I;16N": 2}
_DECODER_BYTES = {"WEBP": 12}  # a pixel: two canvases and the frame, with alpha; Pillow's copies come on top
_ORIENTATION = 0x0112
_SUB_IFDS = (0x8769, 0x8825)  # Exif, GPS
_LEAST_APNG_FRAME = 38  # bytes: a chunk fcTL
_LEAST_SHORT_SIDE = 32  # pixels: a reduced JPEG stays at least that high

Array = NDArray[Any]


def read_picture(source: Source, format: str) -> DecodedContent:
    """Decode a picture that Pillow reads.

    Parameters
    ----------
    source : Source
    format : str
        A key of `PLUGINS`.

    Raises
    ------
    ReadError
        Limits and missing frames; what Pillow itself raises passes through, and `decode_file` translates it.
    """
    if format == "HEIF":
        _register_heif(source)
    if format == "TIFF":
        check_directories(source)
    elif format == "GIF":
        check_gif(source)
    with (
        pillow_limits(source.settings.max_pixels),
        _opened(source, format) as image,
    ):
        width, height = image.size
        pixel_bytes = len(image.getbands()) * (2 if deep_bits(source.data) else _SAMPLE_BYTES.get(image.mode, 1))
        check_frame(source, height, width, pixel_bytes)
        check_decoder(source, height, width, _DECODER_BYTES.get(format, 0))
        count = count_frames(source, image)
        numbers = choose_frames(source, count, stack=False)
        check_total(source, len(numbers) * height * width * pixel_bytes)
        frames: list[Frame] = []
        for number in numbers:
            try:
                frames.append(read_frame(source, image, number))
            except (ReadError, Exception) as error:
                if not frames:
                    raise
                source.note(f"frame {number} and later ones cannot be read: {words_of(error)}")
                break
        if len(numbers) == 1 < count and numbers[0] == 0 and format in STOOD_FOR and not source.exact:
            frames = [_first_with_content(source, image, frames[0], count)]
        return DecodedContent(
            format,
            tuple(frames),
            count,
            count_metadata(source, image),
            _is_lossless(source, format),
            quantisation=_quantisation(image),
        )


def is_blank(frame: Frame) -> bool:
    """Whether a frame shows one tone and nothing else, as animations that fade in begin."""
    values = frame.pixels[frame.mask]
    if not values.size:
        return True
    return float(np.ptp(values, axis=0).max()) <= BLANK * sample_range(values.dtype)


def sample_range(dtype: np.dtype[Any]) -> float:
    """Largest value of samples of a type; 1 for floats."""
    return float(np.iinfo(dtype).max) if dtype.kind in "iu" else 1.0


def _first_with_content(source: Source, image: Image.Image, first: Frame, count: int) -> Frame:
    """The frame that stands for an animation: the first one that shows something, as its frame 0."""
    frame, number = first, 0
    while is_blank(frame):
        number += 1
        if number >= min(count, MOST_BLANK):
            return first
        try:
            frame = read_frame(source, image, number)
        except (ReadError, Exception):
            return first
    return replace(frame, number=0)


def _opened(source: Source, format: str) -> Image.Image:
    """The picture with its header read. Pillow keeps to itself what is wrong with one; its plugin is asked again."""
    try:
        return Image.open(io.BytesIO(source.data), formats=PLUGINS[format])
    except UnidentifiedImageError:
        with Image.OPEN[PLUGINS[format][0]][0](io.BytesIO(source.data), ""):
            raise


@contextmanager
def pillow_limits(max_pixels: int) -> Iterator[None]:
    """Replace Pillow's pixel limit, which raises only at twice its number, by ours for a while."""
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = max_pixels
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def read_frame(source: Source, image: Image.Image, number: int) -> Frame:
    """Decode one frame of an open picture: seek, reduce, load, map, turn upright.

    Parameters
    ----------
    source : Source
        The file's bytes and the settings.
    image : PIL.Image.Image
        Opened from them, not loaded.
    number : int
        Frame number, from 0.

    Returns
    -------
    Frame

    Raises
    ------
    LimitExceededError
        It is larger than the settings allow.
    Exception
        Whatever Pillow raises; `decode_file` translates it.
    """
    if number:
        image.seek(number)
        check_frame(source, image.size[1], image.size[0], len(image.getbands()) * _SAMPLE_BYTES.get(image.mode, 1))
    height, width = image.size[1], image.size[0]
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        image.decodermaxblock = len(source.data)  # all at once: copying parts is slower
        if number == 0 and source.min_side is not None:
            _reduce(image, source.min_side)
    if image.format == "TIFF":  # Pillow turns TIFF itself as it loads
        with native_stderr(source.notes):
            image.load()
        height, width, orientation = image.size[1], image.size[0], 1
    else:
        image.load()
        orientation = read_orientation(source, image)
    if image.size[0] * image.size[1] > height * width:  # the frame is not what the header said (ICO)
        height, width = image.size[1], image.size[0]
        check_frame(source, height, width, len(image.getbands()))
    if deep := 0 if number else deep_bits(source.data):
        pixels, mask = read_deep(source, deep, image.getbands())
        mask, bits = rasters.both(mask, _transparent(image, pixels)), deep
    else:
        pixels, mask, bits = to_array(image)
    if orientation != 1:
        pixels = upright(pixels, orientation)
        mask = None if mask is None else upright(mask, orientation)
    full = (width, height) if orientation >= 5 else (height, width)
    return make_frame(source, pixels, number, mask=mask, full_shape=full, bits=bits)


def count_frames(source: Source, image: Image.Image) -> int:
    """True number of frames; 1, with a note, where counting them fails."""
    if image.format not in _ANIMATED:
        return 1
    try:
        count = max(1, int(getattr(image, "n_frames", 1)))
        if image.format == "PNG" and count > 1 + len(source.data) // _LEAST_APNG_FRAME:
            source.note(
                f"the header announces {count:,} frames, for which the file has no room; only the first is read"
            )
            return 1
        return count
    except Exception as error:
        source.note(f"frames cannot be counted: {words_of(error)}")
        return 1


def to_array(image: Image.Image) -> tuple[Array, Mask | None, int]:
    """Samples of a loaded picture.

    Returns
    -------
    pixels : (H, W) or (H, W, 3) array
        Palettes, CMYK, YCbCr, HSV and Lab become RGB; a palette of greys becomes grey; 1-bit becomes 0 and 255.
    mask : (H, W) bool or None
        False where alpha is 0 (`without_alpha`) or the pixel has the colour that the file calls transparent.
    bits : int
        The samples' range is 0 .. 2**bits - 1 (integers).
    """
    mode = image.mode
    if mode in ("L", "RGB") and "transparency" not in image.info:
        return np.asarray(image), None, 8
    if mode in ("P", "PA"):
        return _from_palette(image)
    if mode in ("RGBA", "LA", "RGBa", "La"):
        whole = image.convert({"RGBa": "RGBA", "La": "LA"}[mode]) if mode in ("RGBa", "La") else image
        samples = np.asarray(whole)
        colour = samples[..., :3] if samples.shape[2] == 4 else samples[..., 0]
        return *without_alpha(colour, samples[..., -1], 255), 8
    if mode == "1":
        plain = np.asarray(image.convert("L"))
        return plain, _transparent(image, plain), 8
    if mode.startswith("I;16"):
        deep = rasters.native(np.asarray(image))
        return deep, _transparent(image, deep), 16
    if mode == "I":
        wide = np.asarray(image)
        if image.format in ("PPM", "PNG"):  # 16-bit samples that Pillow holds in 32
            wide = wide.astype(np.uint16)
            return wide, _transparent(image, wide), 16
        return wide, None, 32
    if mode == "F":
        return np.asarray(image), None, 32
    if mode in ("L", "RGB"):
        plain = np.asarray(image)
        return plain, _transparent(image, plain), 8
    if mode == "LAB":
        return _from_lab(image), None, 8
    return np.asarray(image.convert("RGB")), None, 8


def upright(array: Array, orientation: int) -> Array:
    """Turn (H, W, ...) samples as EXIF orientation 1..8 says; other values change nothing."""
    if orientation in (2, 3):
        array = array[:, ::-1]
    if orientation in (3, 4):
        array = array[::-1]
    if orientation >= 5:
        array = array.swapaxes(0, 1)
        if orientation in (6, 7):
            array = array[:, ::-1]
        if orientation in (7, 8):
            array = array[::-1]
    return np.ascontiguousarray(array)


def read_orientation(source: Source, image: Image.Image) -> int:
    """EXIF orientation 1..8; 1 for anything else, a wrong type or unreadable EXIF (noted)."""
    if image.format != "TIFF" and not _has_exif(image):
        return 1
    try:
        value = image.getexif().get(_ORIENTATION)
    except Exception as error:
        source.note(f"EXIF cannot be read: {words_of(error)}")
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def count_metadata(source: Source, image: Image.Image) -> int:
    """Number of EXIF fields, those of the Exif and GPS directories included."""
    if image.format != "TIFF" and not _has_exif(image):
        return 0
    try:
        exif = image.getexif()
        return len(exif) + sum(len(exif.get_ifd(tag)) for tag in _SUB_IFDS if tag in exif)
    except Exception as error:
        source.note(f"EXIF cannot be read: {words_of(error)}")
        return 0


def _has_exif(image: Image.Image) -> bool:
    info = image.info
    return any(key in info for key in ("exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif"))


def _reduce(image: JpegImagePlugin.JpegImageFile, min_side: int) -> None:
    """Let libjpeg decode at 1/2, 1/4 or 1/8 while the longest side stays at least `min_side`."""
    width, height = image.size
    for factor in (8, 4, 2):
        if -(-max(width, height) // factor) >= min_side and min(width, height) // factor >= _LEAST_SHORT_SIDE:
            image.draft(image.mode, (width // factor, height // factor))
            return


def _from_palette(image: Image.Image) -> tuple[Array, Mask | None, int]:
    if image.mode == "PA" or image.has_transparency_data:
        samples = np.asarray(image.convert("RGBA"))
        colour, valid = without_alpha(samples[..., :3], samples[..., 3], 255)
    else:
        colour, valid = np.asarray(image.convert("RGB")), None
    palette = np.frombuffer(bytes(image.getpalette("RGB") or b""), np.uint8)
    used = palette[: palette.size // 3 * 3].reshape(-1, 3)
    grey = used.size and not np.ptp(used, axis=1).any()
    return np.ascontiguousarray(colour[..., 0] if grey else colour), valid, 8


def _transparent(image: Image.Image, pixels: Array) -> Mask | None:
    """False where a pixel has the one colour that PNG's tRNS chunk calls transparent."""
    value = image.info.get("transparency")
    if isinstance(value, bytes) or value is None:
        return None
    key = np.asarray(value)
    if key.shape != pixels.shape[2:]:
        return None
    if image.mode == "1":
        key = key * 255
    hit = pixels == key
    hit = hit.all(axis=-1) if pixels.ndim == 3 else hit
    return ~hit if hit.any() else None


def _from_lab(image: Image.Image) -> Array:
    transform = ImageCms.buildTransformFromOpenProfiles(
        ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), "LAB", "RGB"
    )
    turned = ImageCms.applyTransform(image, transform)
    return np.asarray(image.getchannel("L") if turned is None else turned)


def _quantisation(image: Image.Image) -> tuple[tuple[int, ...], ...]:
    tables: dict[int, list[int]] = getattr(image, "quantization", None) or {}
    return tuple(tuple(int(step) for step in tables[number]) for number in sorted(tables) if len(tables[number]) == 64)


def _is_lossless(source: Source, format: str) -> bool:
    if format == "WEBP":
        return b"VP8L" in source.data[12:4096] and b"VP8 " not in source.data[12:4096]
    return format in _LOSSLESS


def _register_heif(source: Source) -> None:
    try:
        import pillow_heif
    except ImportError:
        detail = "HEIF needs more packages: install dedupindex with its extra 'heif'"
        raise UnsupportedImageError(source.path, Reason.UNSUPPORTED, detail) from None
    if "HEIF" not in Image.OPEN:
        pillow_heif.register_heif_opener(thumbnails=False)
