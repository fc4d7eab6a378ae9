"""Features of the photographic negative of a picture, made from the features of the picture alone.

A negative has the same keypoints: their gradients all point the other way, which turns each one's own direction by
half a turn, and with it the window it is described in. So its SIFT descriptor is the same one with the 4 x 4 cells in
reverse, and its code a product of matrices away. The thumbnail, colours and histograms are inverted, the spectrum and
the directions of edges stay; the descriptor is put together from these anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from dedupindex.features import descriptor, layout
from dedupindex.features.model import CODE_SCALE, encode_codes, load_model
from dedupindex.features.resampling import resample
from dedupindex.records import CodeArray, Features, FloatArray, Keypoints

ENOUGH_KEYPOINTS = 25  # with fewer, a negative cannot be told from another smooth picture


def has_negative(features: Features) -> bool:
    """Whether the negative of a picture can be told from unrelated pictures."""
    return not features.low_information and len(features.keypoints) >= ENOUGH_KEYPOINTS


def negative(features: Features) -> Features:
    """Features of the negative.

    Parameters
    ----------
    features : Features

    Returns
    -------
    Features
        Without a digest of pixels; the perceptual hashes have all bits the other way.
    """
    keypoints = _keypoints(features.keypoints)
    return replace(
        features,
        thumbnail=255 - features.thumbnail,
        colour=np.where(_seen(features)[..., None], 255 - features.colour, 0).astype(np.uint8),
        histogram=features.histogram[:, ::-1],
        hashes={name: bytes(255 - byte for byte in bits) for name, bits in features.hashes.items()},
        keypoints=keypoints,
        descriptor=_descriptors([features], [keypoints.codes])[0],
        pixel_sha256=b"",
    )


class Negatives:
    """Negatives of pictures, each made once, because a picture is compared with many that look unlike it."""

    def __init__(self) -> None:
        self._made: dict[int, tuple[Features, Features]] = {}

    def of(self, features: Features) -> Features:
        """`negative` of these very features."""
        known = self._made.get(id(features))  # the entry keeps the picture, so that no other one gets its id
        if known is None:
            known = self._made[id(features)] = (features, negative(features))
        return known[1]


def negative_probes(pictures: Sequence[Features]) -> list[FloatArray]:
    """Search probes of the negatives of pictures: each as it is, then mirrored.

    Parameters
    ----------
    pictures : sequence of Features

    Returns
    -------
    list of (2, 384) float32
        Unit length; (0, 384) for a picture without one (`has_negative`).
    """
    by_picture = [np.empty((0, descriptor.DESCRIPTOR_DIMENSIONS), np.float32)] * len(pictures)
    with_one, descriptors = negative_descriptors(pictures)
    if with_one:
        plain = descriptor.unit(descriptors)
        mirrored = descriptor.normalise_rows(plain @ load_model().mirror)
        for number, *rows in zip(with_one, plain, mirrored, strict=True):
            by_picture[number] = np.stack(rows)
    return by_picture


def negative_descriptors(pictures: Sequence[Features]) -> tuple[list[int], CodeArray]:
    """Numbers of the pictures that have a negative (`has_negative`), and its descriptors, (N, 384) int8."""
    with_one = [number for number, picture in enumerate(pictures) if has_negative(picture)]
    inverted = [pictures[number] for number in with_one]
    codes = [negative_codes(picture.keypoints.codes) for picture in inverted]
    return with_one, _descriptors(inverted, codes)


def negative_codes(codes: CodeArray) -> CodeArray:
    """Keypoint codes of the negative, (K, C) int8, but for what the PCA had dropped of them."""
    matrix, offset = _action()
    return encode_codes(codes.astype(np.float32) @ matrix / CODE_SCALE + offset)


@lru_cache(maxsize=1)
def _action() -> tuple[FloatArray, FloatArray]:
    """How a code (C,) changes: the matrix (C, C) and what is added."""
    model = load_model()
    order = reversed_cells()
    matrix = np.asarray(model.local_basis[order].T @ model.local_basis, np.float32)
    return matrix, np.asarray((model.local_mean[order] - model.local_mean) @ model.local_basis, np.float32)


def reversed_cells() -> NDArray[np.intp]:
    """Order in which the 128 numbers of a SIFT descriptor stand for the negative, ((row * 4) + column) * 8 + angle."""
    return np.arange(128).reshape(4, 4, 8)[::-1, ::-1].ravel()


def _keypoints(keypoints: Keypoints) -> Keypoints:
    turned = np.mod(keypoints.angle + np.float32(np.pi), np.float32(2 * np.pi))
    return replace(keypoints, angle=turned, codes=negative_codes(keypoints.codes))


def _descriptors(pictures: Sequence[Features], codes: Sequence[CodeArray]) -> CodeArray:
    """Descriptors (N, 384) int8 of the negatives of pictures, from these and the negatives' keypoint codes."""
    if not pictures:
        return np.empty((0, descriptor.DESCRIPTOR_DIMENSIONS), np.int8)
    vectors = np.concatenate([descriptor.fuse_global(_blocks(picture)) for picture in pictures])
    return descriptor.assemble(vectors, codes, load_model())


def _blocks(picture: Features) -> dict[str, FloatArray]:
    luminance = (255 - picture.thumbnail[None]).astype(np.float32) / np.float32(255)
    square, share = layout.squares(luminance, picture.mask[None].astype(np.float32))
    levels = np.repeat(picture.histogram[None, :, ::-1], 8, axis=2) / np.float32(8)  # 32 bins of 8 levels
    colours = np.moveaxis(255 - picture.colour, 2, 0)[None].astype(np.float32) / np.float32(255)
    return {
        "dct": layout.dct_block(square, share),
        "spectrum": layout.spectrum_block(picture.spectrum[None]),
        "histogram": layout.histogram_block(levels),
        "orientation": layout.orientation_block(square, share),
        "colour": layout.colour_block(colours, _seen(picture)[None].astype(np.float32)),
    }


def _seen(picture: Features) -> NDArray[np.bool_]:
    """Where the colour thumbnail shows the picture: it is black under the mask."""
    whole = bool(picture.mask.all())
    shape = picture.colour.shape[:2]
    return np.ones(shape, bool) if whole else resample(picture.mask.astype(np.float32), shape) > 0
