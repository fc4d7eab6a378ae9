"""TIFF through tifffile, which keeps 16 and 32 bits, floats, stacks and no-data; plain 8-bit pages through Pillow.

What becomes a frame: every page of the main chain that is neither an overview nor a mask (such a mask page, as GDAL
writes it, masks the page before it). A page of 3 or 4 interleaved samples, or of a colour space, is one colour frame
of its first three; a second or fourth sample that is marked as alpha goes into the mask; any other number of samples
(and separate planes without a colour space) gives one frame a band. ImageJ's and tifffile's stacks with one directory
give one frame a plane.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dedupindex.errors import ReadError, Reason, UnsupportedImageError
from dedupindex.records import Frame, Mask
from dedupindex.sources import rasters
from dedupindex.sources.content import (
    DecodedContent,
    Source,
    check_frame,
    check_total,
    choose_frames,
    frames_of_stack,
    make_frame,
    part_of,
    with_stack_range,
)
from dedupindex.sources.directories import check_directories
from dedupindex.sources.pictures import pillow_limits, read_frame, read_picture, upright
from dedupindex.sources.quiet import native_stderr
from dedupindex.sources.reasons import words_of

Array = NDArray[Any]

# photometric interpretations (TIFF 6.0, tag 262)
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _CMYK, _YCBCR, _CIELAB = 0, 1, 2, 3, 5, 6, 8
_COLOUR = frozenset((_RGB, _CMYK, _YCBCR, _CIELAB, 9, 10))
_ALPHA = frozenset((1, 2))  # associated, unassociated
_MASK_PAGE = 4  # bit of NewSubfileType (tag 254)
_LOSSY = frozenset((6, 7, 22610, 34892, 33003, 33004, 33005, 34712, 50001, 50002))  # JPEG, JPEG 2000, WebP, JPEG XL
_KEEPS_DEPTH = ("I;16", "I;16L", "I;16B", "I;16N", "I", "F")  # Pillow modes
_SUB_IFDS = (34665, 34853)  # Exif, GPS
_NOT_EXIF = frozenset((*range(254, 300), *range(317, 348), 530, 531, 532, 33550, 33922, 34264, 34735, 34736, 34737))


@dataclass(frozen=True, slots=True)
class _Page:
    """A page that shows something, with its place in the chain and the mask page that follows it."""

    chain: int
    page: Any
    mask_page: Any
    no_data: tuple[float, ...]

    @property
    def planes(self) -> int:
        """Frames that the page gives."""
        return max(1, int(self.page.imagedepth)) * (1 if _one_picture(self.page) else int(self.page.samplesperpixel))


def read_tiff(source: Source) -> DecodedContent:
    """Decode a TIFF or BigTIFF file.

    Raises
    ------
    ReadError
        Named limits, frames and codecs; what the libraries raise passes through.
    """
    import tifffile  # slow to import: only for files that need it

    check_directories(source)
    stream = io.BytesIO(source.data)
    try:
        # is_ome, is_mmstack and is_ndtiff would follow the names of further files that the metadata name; is_scanimage
        # would make up as many pages as fit into the file, without looking for them
        file = tifffile.TiffFile(stream, is_ome=False, is_mmstack=False, is_ndtiff=False, is_scanimage=False)
    except Exception as error:
        source.note(f"tifffile: {words_of(error)}")
        return read_picture(source, "TIFF")
    with closing(stream), file:  # pages refer to one another: without an end the bytes would outlive them
        try:
            pages, stacked = _survey(source, file)
        except ReadError:
            raise
        except Exception as error:
            source.note(f"tifffile: {words_of(error)}")
            return read_picture(source, "TIFF")
        if stacked is not None:
            return _read_contiguous(source, pages[0], stacked)
        return _read_pages(source, pages)


def _survey(source: Source, file: Any) -> tuple[list[_Page], Any]:
    """The pages that show something, and the series of a stack that has only one directory."""
    chain: list[Any] = list(file.pages)  # `check_directories` has bounded it
    shown = [i for i, page in enumerate(chain) if not page.is_reduced and not int(page.subfiletype) & _MASK_PAGE]
    if not shown:
        shown = list(range(len(chain)))
    pages = []
    for i in shown:
        page: Any = chain[i]
        after: Any = chain[i + 1] if i + 1 < len(chain) else page
        masks = int(after.subfiletype) & _MASK_PAGE and not after.is_reduced and after is not page
        same = masks and (after.imagelength, after.imagewidth) == (page.imagelength, page.imagewidth)
        tag = page.tags.get(rasters.GDAL_NODATA)
        pages.append(_Page(i, page, after if same else None, () if tag is None else rasters.gdal_no_data(tag.value)))
    if not pages:
        raise ReadError(source.path, Reason.DAMAGED, "no pages")
    if len(chain) == 1 and (file.is_imagej or file.is_shaped) and chain[0].compression == 1:
        series = file.series[0]
        if series.axes[-2:] == "YX" and series.size > chain[0].size and series.dtype == chain[0].dtype:
            return pages, series
    return pages, None


def _read_contiguous(source: Source, first: _Page, series: Any) -> DecodedContent:
    """A stack behind one directory (ImageJ, tifffile): views into the file's bytes."""
    page = first.page
    height, width = series.shape[-2:]
    check_frame(source, height, width, series.dtype.itemsize)
    count = series.size // (height * width)
    numbers = choose_frames(source, count, stack=True)
    start = int(page.dataoffsets[0])
    if start + series.size * series.dtype.itemsize > len(source.data):
        raise ReadError(source.path, Reason.TRUNCATED, f"{count} frames are announced and the file ends before")
    order = series.dtype.newbyteorder(page.parent.byteorder)
    stack = np.frombuffer(source.data, order, series.size, start).reshape(count, height, width)
    limits = rasters.stack_range(stack, rasters.validity(stack, no_data=(*source.settings.no_data, *first.no_data)))
    chosen = stack if len(numbers) == count else stack[list(numbers)]
    frames = frames_of_stack(
        source, chosen, numbers, no_data=first.no_data, bits=int(page.bitspersample), stack_range=limits
    )
    return DecodedContent("TIFF", tuple(frames), count, _count_tags(page), lossless=True)


def _read_pages(source: Source, pages: list[_Page]) -> DecodedContent:
    total, size, largest = 0, 0.0, 0.0
    for each in pages:
        page = each.page
        pixel_bytes = max(1, (page.dtype.itemsize if page.dtype is not None else 1)) * int(page.samplesperpixel)
        check_frame(source, int(page.imagelength), int(page.imagewidth), pixel_bytes)
        total += each.planes
        bytes_here = float(page.imagelength) * page.imagewidth * max(1, page.imagedepth) * pixel_bytes
        size, largest = size + bytes_here, max(largest, bytes_here)
    wanted, part = choose_frames(source, total, stack=True), 0
    if source.settings.scaling == "stack":  # one frame of a stack still needs the range of all
        numbers: Sequence[int] = range(total)
    else:
        wanted, part = part_of(source, wanted, largest)
        numbers = wanted
    if len(numbers) > 1 and not part:
        check_total(source, size)
    frames: list[Frame] = []
    lossless = all(int(each.page.compression) not in _LOSSY for each in pages)
    start, metadata = 0, _count_tags(pages[0].page)
    with pillow_limits(source.settings.max_pixels), _LazyPillow(source) as pillow:
        for each in pages:
            mine = range(start, start + each.planes)
            start += each.planes
            if not any(n in numbers for n in mine) if len(numbers) < total else False:
                continue
            try:
                frames += [f for f in _read_page(source, each, mine[0], pillow) if f.number in numbers]
            except Exception as error:
                if total == 1 or source.wanted is not None:
                    raise
                source.note(f"frame {mine[0]} cannot be read: {words_of(error)}")
                failure = error
    if not frames:
        raise failure
    frames = with_stack_range(frames)
    return DecodedContent("TIFF", tuple(f for f in frames if f.number in wanted), total, metadata, lossless, part)


class _LazyPillow:
    """The same file opened by Pillow, when the first page needs it."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.stream: io.BytesIO | None = None
        self.image: Image.Image | None = None

    def __enter__(self) -> _LazyPillow:
        return self

    def __exit__(self, *_: object) -> None:
        for opened in (self.image, self.stream):
            if opened is not None:
                opened.close()

    def open(self) -> Image.Image:
        if self.image is None:
            self.stream = io.BytesIO(self.source.data)
            self.image = Image.open(self.stream, formats=("TIFF",))
        return self.image


def _read_page(source: Source, each: _Page, first: int, pillow: _LazyPillow) -> list[Frame]:
    """Frames of one page, by the library that loses nothing."""
    if _suits_pillow(each):
        try:
            pillow.open()
        except Exception as error:
            source.note(f"Pillow: {words_of(error)}")
        else:
            return [_by_pillow(source, each, first, pillow)]
    try:
        return _by_tifffile(source, each, first)
    except ReadError:
        raise
    except Exception as error:
        if each.planes > 1 or not _lacks_codec(error):
            raise
        return [_by_pillow(source, each, first, pillow)]


def _suits_pillow(each: _Page) -> bool:
    """8 bits or fewer, in a layout and colour space that Pillow maps without loss."""
    page = each.page
    samples, photometric = int(page.samplesperpixel), int(page.photometric)
    if int(page.bitspersample) > 8 or int(page.sampleformat) not in (1, 4) or page.imagedepth > 1:
        return False
    if each.no_data and photometric != _BLACK_IS_ZERO and photometric != _RGB:
        return False  # the sentinel is a palette index, which Pillow maps away
    if samples == 2:
        return _has_alpha(page)
    if photometric in (_BLACK_IS_ZERO, _WHITE_IS_ZERO):
        return samples == 1
    return samples <= 4


def _by_pillow(source: Source, each: _Page, number: int, pillow: _LazyPillow) -> Frame:
    image = pillow.open()
    image.seek(each.chain)
    page = each.page
    depth = int(page.bitspersample)
    if depth > 8 and image.mode not in _KEEPS_DEPTH:
        detail = f"{depth}-bit {page.compression!r} needs imagecodecs: install dedupindex with its extra 'science'"
        raise UnsupportedImageError(source.path, Reason.UNSUPPORTED, detail)
    frame = read_frame(source, image, 0)  # 0: it already stands at its page
    pixels: Array = frame.pixels
    if depth == 32 and int(page.sampleformat) == 1 and pixels.dtype == np.int32:
        pixels = pixels.view(np.uint32)  # Pillow has no unsigned 32-bit mode
    mask = rasters.both(frame.mask, _mask_of_page(source, each, frame.mask.shape))
    return make_frame(source, pixels, number, mask=mask, no_data=each.no_data, bits=frame.bits)


def _by_tifffile(source: Source, each: _Page, first: int) -> list[Frame]:
    page = each.page
    _check_segments(source, page)
    with native_stderr(source.notes):
        samples = page.asarray(squeeze=False, maxworkers=1)  # (separate samples, depth, H, W, interleaved samples)
    samples = rasters.native(samples, source.note)
    separate, depth, _, _, interleaved = samples.shape
    planes = np.moveaxis(samples, 0, -2).reshape(*samples.shape[1:4], separate * interleaved)
    bits = (
        min(int(page.bitspersample), planes.dtype.itemsize * 8)
        if planes.dtype.kind in "iu"
        else planes.dtype.itemsize * 8
    )
    orientation = _orientation(page)
    frames: list[Frame] = []
    for plane in planes if depth > 1 else planes[:1]:
        alpha: Mask | None = None
        if _one_picture(page):
            if _has_alpha(page) and plane.shape[-1] in (2, 4):
                alpha = plane[..., -1] != 0
            sentinel = rasters.validity(plane[np.newaxis, ..., :3], no_data=each.no_data)
            alpha = rasters.both(alpha, None if sentinel is None else sentinel[0])
            pictures = [_coloured(source, page, plane, bits)]
            sentinels: tuple[float, ...] = ()
        else:
            pictures = [(np.ascontiguousarray(plane[..., band]), bits) for band in range(plane.shape[-1])]
            sentinels = each.no_data
        for pixels, depth_bits in pictures:
            mask = alpha
            if orientation != 1:
                pixels = upright(pixels, orientation)
                mask = None if mask is None else upright(mask, orientation)
            mask = rasters.both(mask, _mask_of_page(source, each, pixels.shape[:2]))
            number = first + len(frames)
            frames.append(make_frame(source, pixels, number, mask=mask, no_data=sentinels, bits=depth_bits))
    return frames


def _coloured(source: Source, page: Any, plane: Array, bits: int) -> tuple[Array, int]:
    """(H, W, samples) of one picture as grey or RGB, with its significant bits."""
    photometric, samples = int(page.photometric), plane.shape[-1]
    unsigned = plane.dtype.kind == "u"
    top = (1 << bits) - 1
    if photometric == _PALETTE and page.colormap is not None and samples == 1 and unsigned:
        table = np.asarray(page.colormap).T  # (2**bits, 3) uint16
        short = not (table % 257).any()
        table = (table // 257).astype(np.uint8) if short else table
        colour = table[np.minimum(plane[..., 0], len(table) - 1)]
        grey = not np.ptp(table, axis=1).any()
        return np.ascontiguousarray(colour[..., 0] if grey else colour), 8 if short else 16
    if photometric == _CMYK and samples >= 4 and unsigned:
        ink = plane[..., :4].astype(np.float64)
        light = (top - ink[..., :3]) * (top - ink[..., 3:]) / top
        return np.rint(light).astype(plane.dtype), bits
    if photometric in (_CIELAB, 9, 10) and samples >= 3:
        source.note("deep Lab samples: lightness alone is used")
        return np.ascontiguousarray(plane[..., 0]), bits
    if photometric == _YCBCR and samples >= 3:
        source.note("deep YCbCr samples: luma alone is used")
        return np.ascontiguousarray(plane[..., 0]), bits
    if samples >= 3:
        return np.ascontiguousarray(plane[..., :3]), bits
    grey_plane = np.ascontiguousarray(plane[..., 0])
    if photometric == _WHITE_IS_ZERO and unsigned:
        grey_plane = (top - grey_plane).astype(plane.dtype)
    return grey_plane, bits


def _one_picture(page: Any) -> bool:
    """Whether the samples of a page are one picture (grey, colour, with alpha) and not bands."""
    samples = int(page.samplesperpixel)
    if samples == 1 or (samples == 2 and _has_alpha(page)):
        return True
    if samples >= 3 and int(page.photometric) in _COLOUR:
        return True
    return samples in (3, 4) and int(page.planarconfig) == 1


def _has_alpha(page: Any) -> bool:
    extra = [int(kind) for kind in page.extrasamples or ()]
    return bool(extra) and extra[-1] in _ALPHA


def _mask_of_page(source: Source, each: _Page, shape: tuple[int, ...]) -> Mask | None:
    if each.mask_page is None:
        return None
    try:
        valid: Mask = np.asarray(each.mask_page.asarray(maxworkers=1)) != 0
    except Exception as error:
        source.note(f"the mask page cannot be read: {words_of(error)}")
        return None
    orientation = _orientation(each.page)
    valid = upright(valid, orientation) if orientation != 1 else valid
    return valid if valid.shape == shape else None


def _orientation(page: Any) -> int:
    tag = page.tags.get(274)
    value = 1 if tag is None else tag.value
    return int(value) if isinstance(value, int) and 1 <= value <= 8 else 1


def _check_segments(source: Source, page: Any) -> None:
    """Strips and tiles must lie inside the file: tifffile would fill what is missing with zeros.

    Raises
    ------
    ReadError
        Truncated.
    """
    end = len(source.data)
    if int(page.compression) == 1 and page.is_contiguous:
        missing = int(page.dataoffsets[0]) + int(page.nbytes) > end
    else:
        missing = any(
            int(start) + int(size) > end
            for start, size in zip(page.dataoffsets, page.databytecounts, strict=False)
            if size
        )
    if missing or not page.dataoffsets:
        raise ReadError(source.path, Reason.TRUNCATED, "strips or tiles lie beyond the end of the file")


def _lacks_codec(error: Exception) -> bool:
    return "imagecodecs" in str(error) or isinstance(error, NotImplementedError)


def _count_tags(page: Any) -> int:
    """Tags that describe (camera, author, time), without those that only lay out the raster."""
    inner = sum(len(tag.value) for tag in page.tags.values() if tag.code in _SUB_IFDS and isinstance(tag.value, dict))
    return inner + sum(tag.code not in _NOT_EXIF for tag in page.tags.values())
