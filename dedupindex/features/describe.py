"""A prepared frame in, every feature out; frames of one shape some at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from dedupindex.features import descriptor, hashes, keypoints, layout, piece_keypoints, thumbnail
from dedupindex.features.model import encode_codes, load_model
from dedupindex.prepare import reduce_area
from dedupindex.records import ByteArray, CodeArray, Features, FloatArray, Keypoints, Mask, PreparedFrame
from dedupindex.records.pictures import PieceFeatures
from dedupindex.settings import WORKING_SIDE, Settings

_Number = TypeVar("_Number", bound=np.generic)
KEYPOINT_SIDE = 192  # longest side on which keypoints are sought, pixels
HISTOGRAM_BINS = 32  # of the stored histogram
FRAMES_AT_ONCE = 64  # whose reduced pictures go through NumPy together
PIXELS_AT_ONCE = 200_000  # of frames that go through NumPy together: their planes stay in the cache


def describe(prepared: PreparedFrame, settings: Settings) -> Features:
    """Describe one frame.

    Parameters
    ----------
    prepared : PreparedFrame
    settings : Settings
        ``profile == "fast"`` leaves keypoints and hashes out, ``"pieces"`` adds what pieces are found by.

    Returns
    -------
    Features
    """
    return describe_stack((prepared,), settings)[0]


def describe_stack(prepared: Sequence[PreparedFrame], settings: Settings) -> list[Features]:
    """Describe many frames; those of one shape go through NumPy together, with the same result in less time."""
    if settings.profile == "pieces":
        whole = describe_stack([_reduced(frame) for frame in prepared], replace(settings, profile="default"))
        return [replace(one, pieces=_pieces(frame)) for one, frame in zip(whole, prepared, strict=True)]
    alike: dict[tuple[tuple[int, ...], bool, bool], list[int]] = {}
    for number, frame in enumerate(prepared):
        alike.setdefault((frame.mask.shape, frame.colour is None, bool(frame.mask.all())), []).append(number)
    described: dict[int, Features] = {}
    order: list[int] = []
    begun: list[_Begun] = []
    for (shape, *_), numbers in alike.items():
        count = max(1, PIXELS_AT_ONCE // math.prod(shape))
        for start in range(0, len(numbers), count):
            chunk = numbers[start : start + count]
            begun.append(_begin([prepared[number] for number in chunk], settings))
            order += chunk
            if len(order) >= FRAMES_AT_ONCE:
                described.update(zip(order, _finish(begun, settings), strict=True))
                order, begun = [], []
    if begun:
        described.update(zip(order, _finish(begun, settings), strict=True))
    return [described[number] for number in range(len(prepared))]


@dataclass(frozen=True, slots=True)
class Wholes:
    """What is described of N whole frames of one shape before any model.

    Attributes
    ----------
    stretched : list of (H, W) uint8
    thumbnails, masks : lists of (h, w) uint8 and bool
    levels : (N, 3, 256) float32
        Colour histograms.
    spectra : (N, 23, 12) float32
    planes : (N, 1 or 3, H, W) float32
        Colours, 0..1; one where they are all alike.
    vectors : (N, 644) float32
        The global blocks, fused.
    """

    stretched: list[ByteArray]
    thumbnails: list[ByteArray]
    masks: list[Mask]
    levels: FloatArray
    spectra: FloatArray
    planes: FloatArray
    vectors: FloatArray


def describe_wholes(frames: Sequence[PreparedFrame]) -> Wholes:
    """Describe frames of one shape as wholes: everything but keypoints."""
    seen = _see(frames)
    spectra, vectors = _global_part(seen.reduced, seen.levels)
    return Wholes(seen.stretched, seen.thumbnails, seen.masks, seen.levels, spectra, seen.planes, vectors)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is made of N whole frames of one shape; then their shape does not matter any longer."""

    stretched: list[ByteArray]
    thumbnails: list[ByteArray]
    masks: list[Mask]
    levels: FloatArray
    planes: FloatArray
    reduced: layout.Reduced


@dataclass(frozen=True, slots=True)
class _Begun:
    """Frames of one shape of which nothing is left to do but what goes faster for many, of whatever shapes, at once."""

    frames: Sequence[PreparedFrame]
    thumbnails: list[ByteArray]
    masks: list[Mask]
    colours: list[ByteArray]
    levels: FloatArray
    reduced: layout.Reduced
    searched: list[tuple[ByteArray, Mask]]  # what keypoints are sought in; empty where they are not


def _see(frames: Sequence[PreparedFrame]) -> _Seen:
    stretched = [thumbnail.stretch(frame.luminance, frame.mask) for frame in frames]
    small = [
        thumbnail.reduce(picture, frame.mask, thumbnail.SIDE) for picture, frame in zip(stretched, frames, strict=True)
    ]
    luminance = _stacked([picture for picture, _ in small]).astype(np.float32) / np.float32(255)
    weights = _weights([mask for _, mask in small])
    planes = _planes(frames)
    colours = np.broadcast_to(planes, (len(frames), 3, *planes.shape[2:]))
    colour_weights = _weights([frame.mask for frame in frames])
    return _Seen(
        stretched,
        [picture for picture, _ in small],
        [mask for _, mask in small],
        layout.level_counts(colours, colour_weights),
        planes,
        layout.reduce_to_fixed(luminance, weights, colours, colour_weights),
    )


def _global_part(reduced: layout.Reduced, levels: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Spectra (N, 23, 12) and the fused global blocks (N, 644)."""
    square, share = layout.standardise(reduced.square, reduced.square_share), reduced.square_share
    spectra = layout.spectrum_of(reduced.window, reduced.window_share)
    blocks = {
        "dct": layout.dct_block(square, share),
        "spectrum": layout.spectrum_block(spectra),
        "histogram": layout.histogram_block(levels),
        "orientation": layout.orientation_block(square, share),
        "colour": layout.colours_of(reduced.cells, reduced.cells_share),
    }
    return spectra, descriptor.fuse_global(blocks)


def _begin(frames: Sequence[PreparedFrame], settings: Settings) -> _Begun:
    """Do all for frames of one shape that depends on their shape."""
    seen = _see(frames)
    colours = [thumbnail.small_colour(planes, frame.mask) for planes, frame in zip(seen.planes, frames, strict=True)]
    fast = settings.profile == "fast"
    searched = [
        thumbnail.reduce(picture, frame.mask, KEYPOINT_SIDE)
        for picture, frame in zip(seen.stretched, frames, strict=True)
        if not fast
    ]
    return _Begun(frames, seen.thumbnails, seen.masks, colours, seen.levels, seen.reduced, searched)


def _finish(begun: Sequence[_Begun], settings: Settings) -> list[Features]:
    """Features of all frames, one after the other."""
    frames = [frame for part in begun for frame in part.frames]
    thumbnails = [picture for part in begun for picture in part.thumbnails]
    masks = [mask for part in begun for mask in part.masks]
    colours = [picture for part in begun for picture in part.colours]
    fast = settings.profile == "fast"
    if fast:
        points = [_no_keypoints()] * len(frames)
    else:
        points = _keypoints([searched for part in begun for searched in part.searched])
    levels = np.concatenate([part.levels for part in begun])
    spectra, vectors = _global_part(layout.Reduced.join([part.reduced for part in begun]), levels)
    histograms = levels.reshape(len(frames), 3, HISTOGRAM_BINS, -1).sum(3)
    descriptors = descriptor.assemble(vectors, [keypoints_of_one.codes for keypoints_of_one in points], load_model())
    descriptors[[frame.low_information for frame in frames]] = 0
    return [
        Features(
            thumbnail=thumbnails[i],
            mask=masks[i],
            colour=colours[i],
            histogram=histograms[i],
            spectrum=spectra[i],
            hashes={} if fast else hashes.perceptual_hashes(thumbnails[i], masks[i]),
            keypoints=points[i],
            descriptor=descriptors[i],
            low_information=frame.low_information,
            box=frame.box,
            full_shape=frame.full_shape,
            pixel_sha256=frame.pixel_sha256,
        )
        for i, frame in enumerate(frames)
    ]


def _reduced(frame: PreparedFrame) -> PreparedFrame:
    """The frame at the size that features of whole pictures are made at."""
    side = WORKING_SIDE["default"]
    if max(frame.mask.shape) <= side:
        return frame
    mask = None if frame.mask.all() else frame.mask
    luminance, valid = reduce_area(frame.luminance, mask, side)
    colour = None if frame.colour is None else reduce_area(frame.colour, mask, side)[0]
    return replace(frame, luminance=luminance, colour=colour, mask=valid)


def _pieces(frame: PreparedFrame) -> PieceFeatures | None:
    """What pieces are found by; None for pictures that show next to nothing."""
    if frame.low_information:
        return None
    picture = thumbnail.stretch(frame.luminance, frame.mask)
    return PieceFeatures(piece_keypoints.extract(picture, frame.mask), picture, frame.mask)


def _stacked(arrays: Sequence[NDArray[_Number]]) -> NDArray[_Number]:
    """`numpy.stack`, without a copy of a single one."""
    return arrays[0][None] if len(arrays) == 1 else np.stack(arrays)


def _weights(masks: Sequence[Mask]) -> FloatArray | None:
    """Masks (h, w) as weights (N, h, w); None where everything is valid."""
    if all(mask.all() for mask in masks):
        return None
    return np.stack(masks).astype(np.float32)


def _planes(frames: Sequence[PreparedFrame]) -> FloatArray:
    """Colours (N, 3, H, W) of frames of one shape, or their luminance (N, 1, H, W)."""
    if frames[0].colour is None:
        return np.ascontiguousarray(_stacked([frame.luminance[None] for frame in frames]))
    planes = np.empty((len(frames), 3, *frames[0].mask.shape), np.float32)
    for frame, apart in zip(frames, planes, strict=True):
        if frame.colour is not None:
            cv2.split(np.ascontiguousarray(frame.colour, np.float32), list(apart))  # faster than by NumPy
    return planes


def _keypoints(searched: Sequence[tuple[ByteArray, Mask]]) -> list[Keypoints]:
    """Keypoints of pictures with their masks."""
    local = keypoints.extract_all([picture for picture, _ in searched], [mask for _, mask in searched])
    model = load_model()
    # Of each picture alone: in one product the last bits of a row may depend on the number of rows.
    coefficients = [(one.descriptors - model.local_mean) @ model.local_basis for one in local]
    codes = encode_codes(np.concatenate(coefficients))
    ends = np.cumsum([len(one.position) for one in local])
    return [
        Keypoints(one.position, one.scale, one.angle, codes[end - len(one.position) : end])
        for one, end in zip(local, ends.tolist(), strict=True)
    ]


@lru_cache(maxsize=1)
def _no_keypoints() -> Keypoints:
    codes: CodeArray = np.zeros((0, load_model().local_basis.shape[1]), np.int8)
    return Keypoints(np.zeros((0, 2), np.float32), np.zeros(0, np.float32), np.zeros(0, np.float32), codes)
