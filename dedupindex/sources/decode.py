"""Read a file once: hash and decode the same bytes, and give every failure a reason."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from PIL import Image

from dedupindex.errors import NoValidPixelsError, ReadError, Reason, UnsupportedImageError
from dedupindex.places import FIRST_PANEL, VIDEOS, absolute, is_local
from dedupindex.records import DecodedFile, FileStatus, FoundFile, Frame
from dedupindex.records.answers import DOCUMENT_FORMATS
from dedupindex.settings import Settings
from dedupindex.sources import tiff
from dedupindex.sources.archives.limits import limits_of
from dedupindex.sources.content import DecodedContent, Reader, Source
from dedupindex.sources.files import parse_address
from dedupindex.sources.panels import panel_frames
from dedupindex.sources.pictures import PLUGINS, read_picture
from dedupindex.sources.quiet import captured
from dedupindex.sources.rasters import mask_path, without_fills
from dedupindex.sources.readers import codecs, pdf, raw, stacks, svg, video
from dedupindex.sources.readers.video import Clip
from dedupindex.sources.reading import exists, read_beginning, read_bytes
from dedupindex.sources.reasons import read_error, words_of
from dedupindex.sources.sniff import HEAD_BYTES, READABLE, diagnose, format_of, sniff

__all__ = ["Clip", "decode_file", "parse_address", "read_clip"]

_VERSION = "4"  # raise it when more files can be read, or for better reasons: those that failed are tried again
_LIBRARIES = ("dedupindex", "pillow", "tifffile", "imagecodecs", "astropy", "pydicom", "pillow-heif", "rawpy", "numpy",
              "py7zr", "zstandard", "pypdfium2", "av", "resvg-py")  # fmt: skip
_LIMITS = ("allow_object_arrays", "max_pixels", "min_pixels", "max_bytes", "max_frames", "max_aspect",
           "max_frame_bytes", "max_ratio", "max_seconds", "worker_memory")  # fmt: skip

_READERS: dict[str, Reader] = {
    "TIFF": tiff.read_tiff,
    "NPY": stacks.read_npy,
    "NPZ": stacks.read_npz,
    "FITS": stacks.read_fits,
    "DICOM": stacks.read_dicom,
    "RAW": raw.read_raw,
    "JPEGXL": codecs.read_jpeg_xl,
    "QOI": codecs.read_qoi,
    "JPEGLS": codecs.read_jpeg_ls,
    "HDR": codecs.read_hdr,
    "EXR": codecs.read_exr,
    "SVG": svg.read_svg,
    "PDF": pdf.read_pdf,
    "VIDEO": video.read_video,
}
BY_PROFILE = 0  # the side that the settings ask for


def decoder_fingerprint(settings: Settings) -> str:
    """Digest of all that decides whether a file can be read: this decoder, the installed libraries, the limits."""
    parts = [_VERSION, *(f"{name} {getattr(settings, name)}" for name in _LIMITS)]
    for name in _LIBRARIES:
        try:
            parts.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def decode_file(
    path: Path,
    settings: Settings,
    *,
    min_side: int | None = BY_PROFILE,
    frame: int | None = None,
    first: int | None = None,
    file: FoundFile | None = None,
    exact: bool = False,
) -> DecodedFile:
    """Read, hash and decode a file.

    The bytes are read once; `sha256` is of exactly the bytes that were decoded. Limits are checked from the headers
    before anything is loaded. Python warnings, log records and native messages become `warnings`. Whatever the
    decoders raise becomes a `ReadError`.

    Parameters
    ----------
    path : Path
        A relative one counts from the current folder.
    settings : Settings
        Limits, no-data, mask file pattern, `all_frames`.
    min_side : int, optional
        A JPEG may be decoded at 1/2, 1/4 or 1/8 as long as its longest side keeps this many pixels; `BY_PROFILE` = as
        many as `Settings.detail_side` (all, where filters are set: their sizes are of full pixels), None = full size.
        `Frame.full_shape` is the true upright size either way.
    frame : int, optional
        Only this frame, counted from 0 (``path#frame=12``); from `FIRST_PANEL` on a panel (``path#panel=1``,
        of a document ``path#page=1&panel=1``).
    first : int, optional
        Only a part of a stack that is too large to be in memory at once, from this frame on; then `DecodedFile.part`
        says how many frames a part has.
    file : FoundFile, optional
        What the walk knows of the file; see `read_bytes`.
    exact : bool
        Frame 0 of an animation itself, not the first frame that shows something in its place.

    Returns
    -------
    DecodedFile
        Frames of stacks (TIFF pages, arrays, FITS, DICOM) all; of animations the first one that shows something, as
        frame 0, unless `all_frames`; with the setting `panels` the panels of a single picture, or of the pages of a
        document, too. Frames without a valid pixel are left out with a warning while others remain.

    Raises
    ------
    UnsupportedImageError
        No image, or of a format that is not allowed or needs an extra.
    LimitExceededError
        Larger than the limits allow.
    NoValidPixelsError
        Every pixel is masked.
    ReadError
        Everything else; `reason` says what.
    """
    notes: list[str] = []
    path = absolute(path) if not is_local(path) else path
    try:
        data, digest, status = _read(path, settings, file)
        side = _side_for(settings) if min_side == BY_PROFILE else min_side
        cut_here = format_of(data[:HEAD_BYTES], path) != "PDF"  # the reader of documents cuts their pages itself
        panel = frame if frame is not None and frame >= FIRST_PANEL and cut_here else None
        wanted = frame if panel is None else None
        source = Source(path, data, settings, side, wanted, first, notes, exact=exact, size=status.size)
        masked = None if file is None else file.masked
        with captured(notes):
            content = _decode(source)
            frames = _masked(source, content, masked)
            if panel is not None or (settings.panels and frame is None):
                content, frames = _with_panels(source, content, frames, masked, panel)
    except ReadError:
        raise
    except Exception as error:
        raise read_error(path, error) from error
    return DecodedFile(
        path=path,
        sha256=digest,
        size=status.size,
        mtime_ns=status.mtime_ns,
        inode=status.inode,
        format=content.format,
        frames=frames,
        frame_count=content.frame_count,
        warnings=tuple(notes),
        metadata_count=content.metadata_count,
        lossless=content.lossless,
        part=content.part,
        quantisation=content.quantisation,
        numbers=content.numbers,
    )


def read_clip(path: Path, settings: Settings, most: int) -> Clip:
    """Small grey pictures of a video at even steps, for laying it on another one.

    Parameters
    ----------
    path : Path
    settings : Settings
        Limits.
    most : int
        Most pictures.

    Returns
    -------
    Clip

    Raises
    ------
    ReadError
        It is no video, or cannot be read.
    """
    notes: list[str] = []
    path = absolute(path) if not is_local(path) else path
    try:
        data, _, status = _read(path, settings, None)
        if sniff(data[:HEAD_BYTES]) != "VIDEO":
            raise UnsupportedImageError(path, *diagnose(data[:HEAD_BYTES]))
        with captured(notes):
            return video.read_looks(Source(path, data, settings, notes=notes, size=status.size), most)
    except ReadError:
        raise
    except Exception as error:
        raise read_error(path, error) from error


def _read(path: Path, settings: Settings, file: FoundFile | None) -> tuple[bytes, bytes, FileStatus]:
    """The bytes of a file, of a large video its first ones; the digest of all; and the state that belongs to them."""
    if path.suffix.lower() in VIDEOS and is_local(path) and (file is None or file.offset is None):
        read = read_beginning(path, settings.max_bytes)
        if read is not None and sniff(read[0][:HEAD_BYTES]) == "VIDEO":
            return read
    data, status = read_bytes(path, settings.max_bytes, file, limits_of(settings))
    return data, hashlib.sha256(data).digest(), FileStatus(len(data), status.mtime_ns, status.inode)


def _decode(source: Source) -> DecodedContent:
    head = source.data[:HEAD_BYTES]
    format = format_of(head, source.path)
    if format is None:
        raise UnsupportedImageError(source.path, *diagnose(head))
    if format not in READABLE:
        detail = f"{format} is none of the formats that are read"
        raise UnsupportedImageError(source.path, Reason.UNSUPPORTED, detail)
    if format in PLUGINS and format not in _READERS:
        return read_picture(source, format)
    return _READERS[format](source)


def _masked(source: Source, content: DecodedContent, masked: bool | None) -> tuple[Frame, ...]:
    """Apply the mask file beside the picture; drop frames without a valid pixel.

    Raises
    ------
    NoValidPixelsError
        No frame has one.
    """
    beside = None if masked is False else mask_path(source.path, source.settings.mask_pattern)
    frames = list(content.frames)
    if beside is not None and (masked or exists(beside)):
        frames = _with_mask_file(source, beside, frames)
    if source.settings.mask_fills:
        frames = _without_fills(source, frames)
    kept: list[Frame] = []
    checked: dict[int, bool] = {}  # frames of a stack share one mask
    for frame in frames:
        any_valid = checked.get(id(frame.mask))
        if any_valid is None:
            any_valid = checked[id(frame.mask)] = bool(frame.mask.any())
        if any_valid:
            kept.append(frame)
    if not kept and not content.part:
        raise NoValidPixelsError(source.path, Reason.NO_VALID_PIXELS, "every pixel is masked")
    if len(kept) < len(frames):
        source.note(f"{len(frames) - len(kept)} of {len(frames)} frames have no valid pixel and are left out")
    return tuple(kept)


def _with_panels(
    source: Source, content: DecodedContent, frames: tuple[Frame, ...], masked: bool | None, wanted: int | None
) -> tuple[DecodedContent, tuple[Frame, ...]]:
    """A file of one picture with its panels as further frames, or the panel that is wanted.

    Raises
    ------
    ReadError
        There is no such panel.
    """
    panels: tuple[Frame, ...] = ()
    if content.frame_count == 1 and len(frames) == 1 and content.format not in DOCUMENT_FORMATS:
        [whole] = frames
        if whole.pixels.shape[:2] != whole.full_shape:  # decoded reduced, where gutters may be lost
            whole = _masked(source, _decode(replace(source, min_side=None)), masked)[0]
        panels = panel_frames(whole)
    numbers = (0, *(frame.number for frame in panels))
    if wanted is not None:
        if wanted not in numbers:
            detail = f"no panel {wanted - FIRST_PANEL + 1}; the picture has {len(panels)}"
            raise ReadError(source.path, Reason.MISSING, detail)
        frames = tuple(frame for frame in panels if frame.number == wanted)
    elif panels:
        frames = (*frames, *panels)
    if not panels:
        return content, frames
    return replace(content, numbers=numbers), frames


def _without_fills(source: Source, frames: list[Frame]) -> list[Frame]:
    """Mask areas that a program filled in without saying so, and say so."""
    masked = [without_fills(frame) for frame in frames]
    filled = [(frame, other) for frame, other in zip(frames, masked, strict=True) if other is not frame]
    if filled:
        values = " or ".join(f"{value:g}" for value in sorted({value for _, other in filled for value in other.fills}))
        share = sum(float(frame.mask.mean() - other.mask.mean()) for frame, other in filled) / len(filled)
        several = f" of {len(filled)} of {len(frames)} frames" if len(frames) > 1 else ""
        source.note(f"{share:.1%}{several} is filled with exactly {values}: taken as no data (mask_fills)")
    return masked


def _with_mask_file(source: Source, beside: Path, frames: list[Frame]) -> list[Frame]:
    """Mask frames by the picture beside the file: valid where it is not 0. It must have the frames' full size."""
    try:
        data, _ = read_bytes(beside, source.settings.max_bytes)
        plain = replace(source.settings, no_data=(), mask_saturated=False)
        inner = Source(beside, data, plain, None, 0, None, source.notes)
        picture = read_picture(inner, format_of(data[:HEAD_BYTES], beside) or "PNG").frames[0]
    except Exception as error:
        source.note(f"the mask file {beside.name} cannot be used: {words_of(error)}")
        return frames
    valid = picture.mask & ((picture.pixels if picture.pixels.ndim == 2 else picture.pixels.max(axis=2)) != 0)
    masked = []
    for frame in frames:
        if valid.shape != frame.full_shape:
            source.note(f"the mask file {beside.name} is {valid.shape} and frame {frame.number} is {frame.full_shape}")
            masked.append(frame)
            continue
        mask = valid
        if frame.pixels.shape[:2] != frame.full_shape:  # reduced: valid where all that went into the pixel is
            size = frame.pixels.shape[1], frame.pixels.shape[0]
            share = Image.fromarray(valid.astype(np.uint8) * np.uint8(255)).resize(size, Image.Resampling.BOX)
            mask = np.asarray(share) == 255
        mask = mask & frame.mask
        masked.append(Frame(frame.pixels, mask, frame.number, frame.full_shape, frame.bits, frame.stack_range))
    return masked


def _side_for(settings: Settings) -> int | None:
    """Longest side that an ingest needs; None = full size, because filters work on full pixels."""
    return None if settings.filters else settings.detail_side
