"""Photographs that ship with scikit-image, made-up scenes, and the shortest way from an array to its features."""

from functools import cache

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter
from skimage import data

from dedupindex.features import rounded
from dedupindex.features.describe import describe
from dedupindex.prepare import prepare
from dedupindex.records import Features, Frame, PreparedFrame
from dedupindex.settings import Settings

SETTINGS = Settings()
PHOTOGRAPHS = ("astronaut", "camera", "coffee", "cat", "rocket", "coins", "immunohistochemistry", "hubble_deep_field")


@cache
def photograph(name: str) -> np.ndarray:
    """(H, W, 3) uint8, longest side at most 640; read-only."""
    picture = getattr(data, name)()
    if picture.ndim == 2:
        picture = np.repeat(picture[..., None], 3, axis=2)
    picture = np.ascontiguousarray(picture[..., :3])
    factor = 640 / max(picture.shape)
    if factor < 1:
        picture = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    picture.setflags(write=False)
    return picture


def smooth(seed: int, shape: tuple[int, int] = (128, 128), sigma: float = 12.0) -> np.ndarray:
    """A smooth random field, (H, W) float32 in 0..1: hardly any keypoint."""
    field = gaussian_filter(np.random.default_rng(seed).normal(size=shape), sigma, mode="reflect")
    return ((field - field.min()) / np.ptp(field)).astype(np.float32)


def grey(values: np.ndarray) -> np.ndarray:
    """0..1 to (H, W) uint8."""
    return np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)


def prepared(pixels: np.ndarray, mask: np.ndarray | None = None, settings: Settings = SETTINGS) -> PreparedFrame:
    valid = np.ones(pixels.shape[:2], bool) if mask is None else mask
    bits = 8 * pixels.dtype.itemsize
    return prepare(Frame(pixels, valid, full_shape=pixels.shape[:2], bits=bits), settings)


def features(pixels: np.ndarray, mask: np.ndarray | None = None, settings: Settings = SETTINGS) -> Features:
    """As they come back from the database."""
    return rounded(describe(prepared(pixels, mask, settings), settings))


@cache
def photograph_features(name: str) -> Features:
    return features(photograph(name))


def plain_prepared(luminance: np.ndarray, mask: np.ndarray | None = None) -> PreparedFrame:
    """A prepared frame of exactly these values, past trimming, scaling and reduction."""
    valid = np.ones(luminance.shape[:2], bool) if mask is None else mask
    height, width = valid.shape
    weights = np.array([0.299, 0.587, 0.114], np.float32)
    colour = luminance.astype(np.float32) if luminance.ndim == 3 else None
    return PreparedFrame(
        luminance=(luminance @ weights if luminance.ndim == 3 else luminance).astype(np.float32),
        colour=colour,
        mask=valid,
        box=(0, 0, height, width),
        full_shape=(height, width),
        valid_share=float(valid.mean()),
        low_information=False,
        scaling="",
        pixel_sha256=bytes(32),
    )


def holes(seed: int, shape: tuple[int, int], share: float = 0.15) -> np.ndarray:
    """A mask with round holes and ragged edges; True = valid."""
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=shape), max(shape) / 25)
    return noise > np.quantile(noise, share)


def same_features(a: Features, b: Features) -> None:
    """Every feature equal, bit by bit."""
    for name in ("thumbnail", "mask", "colour", "histogram", "spectrum", "descriptor"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)
    for name in ("position", "scale", "angle", "codes"):
        np.testing.assert_array_equal(getattr(a.keypoints, name), getattr(b.keypoints, name), err_msg=name)
    assert dict(a.hashes) == dict(b.hashes)
    assert (a.low_information, a.box, a.full_shape) == (b.low_information, b.box, b.full_shape)
