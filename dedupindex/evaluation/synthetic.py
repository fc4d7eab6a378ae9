"""Collections of any size without files, for measuring: made-up images, varied from real ones, with planted copies.

A *pool* of real features is varied. Descriptors are drawn so that about as many unrelated pairs are within a radius as
among photographs. Keypoint codes, thumbnails, colours and histograms are those of a pool member. The keypoints of an
image have other positions than the member's, so that unrelated images do not register; those of a copy have the
positions of its original. Everything follows from the seed and the number of the image: filling in several steps gives
the same.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from dedupindex.execution.progress import SILENT, Progress
from dedupindex.features import DESCRIPTOR_DIMENSIONS, pack, unit, unpack
from dedupindex.features.packing import shows_picture
from dedupindex.records import CodeArray, Features, FloatArray, Keypoints
from dedupindex.settings import Settings
from dedupindex.store import catalog, catalog_images, catalog_locations
from dedupindex.store.database import Database
from dedupindex.store.rows import FileState, NewImage
from dedupindex.versions import versions

Ids = NDArray[np.int64]
BLOCK = 1_000  # images made at once; copies of a block have their originals in one other block, or in their own
FOLDER = Path("/synthetic")
SHARE = 0.5  # most of a descriptor's length that comes from its pool member
NEAREST_COPY, FURTHEST_COPY = 0.95, 0.45  # cosine of a copy and its original
VARIANTS = 4  # rolled thumbnails a pool member
ENOUGH = 200  # pool members; with fewer, the spread of descriptors is a fixed one
LEAN_KEYPOINTS, LEAN_SIDE = 32, 48
_COPY = -2  # marks an image that is to be a copy
POSITION_JITTER, CODE_JITTER = 60, 6.0  # of a copy's keypoints: 1/65535 of the side, int8 steps


@dataclass(frozen=True, slots=True)
class Filled:
    """What `fill` added: images, copies among them, bytes of features."""

    images: int
    copies: int
    feature_bytes: int


@dataclass(frozen=True, slots=True)
class _Member:
    """A pool picture: its features, plain and packed, and its thumbnail in several variants."""

    features: Features
    parts: dict[str, bytes]
    thumbnails: tuple[bytes, ...]


@dataclass(frozen=True, eq=False)
class PicturePool:
    """Real pictures' features, ready to be varied."""

    members: tuple[_Member, ...]
    themes: FloatArray  # (P, 384) unit length: what descriptors are drawn around
    spread: FloatArray  # (384,) standard deviation of a unit-length descriptor


@dataclass(frozen=True, slots=True)
class _Block:
    """The random part of a block of images."""

    descriptors: CodeArray
    member: NDArray[np.int64]
    variant: NDArray[np.int64]
    seeds: NDArray[np.int64]
    original: NDArray[np.int64]  # number of the image that each one copies; -1 = none


def make_picture_pool(pictures: Sequence[Features], *, lean: bool = False) -> PicturePool:
    """Prepare real features for variation.

    Parameters
    ----------
    pictures : sequence of Features
        A few hundred; those with too little information are left out.
    lean : bool
        Keep 32 keypoints and a 48-pixel thumbnail only: less space, and cheaper to verify than real images.

    Returns
    -------
    PicturePool

    Raises
    ------
    ValueError
        Fewer than two are left.
    """
    useful = [_lean(picture) if lean else picture for picture in pictures if not picture.low_information]
    if len(useful) < 2:
        raise ValueError(f"a pool needs at least 2 pictures that show something, not {len(useful)}")
    vectors = unit(np.stack([picture.descriptor for picture in useful]))
    if len(useful) >= ENOUGH:
        spread = vectors.std(0)
    else:  # fitted to photographs
        spread = np.maximum(0.107 * np.arange(1, DESCRIPTOR_DIMENSIONS + 1, dtype=np.float32) ** -0.15, 0.046)
    return PicturePool(tuple(_member(picture) for picture in useful), vectors, np.asarray(spread, np.float32))


def fill(
    database: Database,
    settings: Settings,
    pool: PicturePool,
    count: int,
    *,
    copies: float = 0.05,
    seed: int = 0,
    progress: Progress = SILENT,
) -> Filled:
    """Add made-up images after those that are there.

    Parameters
    ----------
    database : Database
    settings : Settings
        Shape the versions of the features.
    pool : PicturePool
    count : int
        Images to add.
    copies : float
        Share of images that are copies of others, 0..1.
    seed : int
        The same for all fillings of one database, or copies will have other originals than their names say.
    progress : Progress

    Returns
    -------
    Filled

    Raises
    ------
    StoreError
        The database cannot be written.
    """
    with database.write() as connection:
        run = catalog.start_run(connection, catalog.RunKind.SYNTHETIC)
        first = int(catalog.get_meta(connection, "synthetic") or 0)
    feature_bytes = planted = 0
    progress.start(count, "synthetic images")
    number = first
    named = versions(settings)
    while number < first + count:
        stop = min(first + count, (number // BLOCK + 1) * BLOCK)
        made = list(_images(pool, seed, copies, number, stop))
        with database.write() as connection:
            ids, _ = catalog_images.put_images(connection, [image for image, _ in made], named, run)
            places = [(FileState(path, 200_000, 0, 0), 0, ids[image.key]) for image, path in made]
            catalog_locations.put_locations(connection, places, run)
            catalog.set_meta(connection, synthetic=str(stop))
        feature_bytes += sum(len(blob) for image, _ in made for blob in image.features.values())
        planted += sum(original_of(path) is not None for _, path in made)
        progress.advance(stop - number)
        number = stop
    progress.finish()
    with database.write() as connection:
        catalog.finish_run(connection, run, {"added": count, "copies": planted})
    return Filled(count, planted, feature_bytes)


def descriptors(
    pool: PicturePool, count: int, *, copies: float = 0.05, seed: int = 0
) -> Iterator[tuple[CodeArray, Ids]]:
    """The descriptors of the images that `fill` would add, in batches.

    Parameters
    ----------
    pool : PicturePool
    count : int
        Images in all.
    copies : float
        Share of images that are copies of others, 0..1.
    seed : int

    Yields
    ------
    codes : (N, 384) int8
    original : (N,) int64
        Number of the image that each one copies; -1 = none.
    """
    for start in range(0, count, BLOCK):
        block, stop = _block(pool, seed, copies, start // BLOCK), min(BLOCK, count - start)
        yield block.descriptors[:stop], block.original[:stop]


def path_of(number: int, original: int = -1) -> Path:
    """The path of a made-up image; its name says which image it is a copy of."""
    return FOLDER / (f"{number:09d}.jpg" if original < 0 else f"{number:09d} copy of {original:09d}.jpg")


def original_of(path: Path) -> int | None:
    """Number of the image of which the one at *path* is a copy, or None."""
    _, separator, original = path.stem.partition(" copy of ")
    return int(original) if separator else None


def group_of(path: Path) -> int:
    """Number of the image, or of the original where it is a copy: the same for all copies of one image."""
    original = original_of(path)
    return int(path.stem) if original is None else original


def _images(pool: PicturePool, seed: int, copies: float, start: int, stop: int) -> Iterator[tuple[NewImage, Path]]:
    number_of_block = start // BLOCK
    block = _block(pool, seed, copies, number_of_block)
    for number in range(start, stop):
        row = number % BLOCK
        original = int(block.original[row])
        base, base_row = block, row
        if original >= 0:
            base, base_row = _block(pool, seed, copies, original // BLOCK), original % BLOCK
        member = pool.members[int(base.member[base_row])]
        parts = dict(member.parts)
        parts["thumbnail"] = member.thumbnails[int(base.variant[base_row])]
        parts["descriptor"] = block.descriptors[row].tobytes()
        points = _moved(member.features.keypoints, int(base.seeds[base_row]))
        parts["keypoints"] = _packed(_jittered(points, int(block.seeds[row])) if original >= 0 else points)
        pixels = hashlib.sha256(f"pixels {seed} {number}".encode()).digest()
        parts["frame"] = parts["frame"][: -len(pixels)] + pixels
        height, width = member.features.full_shape
        yield (
            NewImage(
                sha256=hashlib.sha256(f"file {seed} {number}".encode()).digest(),
                frame=0,
                format="JPEG",
                width=width,
                height=height,
                bits=8,
                channels=3,
                valid_share=1.0,
                low_information=False,
                scaling="synthetic",
                lossless=False,
                metadata_count=0,
                frame_count=1,
                pixel_sha256=pixels,
                features=parts,
            ),
            path_of(number, original),
        )


@lru_cache(maxsize=4)
def _block(pool: PicturePool, seed: int, copies: float, number: int) -> _Block:
    """A block of images; the descriptors of copies are drawn around those of their originals."""
    plain = _plain(pool, seed, copies, number)
    copied = plain.original == _COPY
    rng = np.random.default_rng([seed, number, 1])
    source = int(rng.integers(0, number + 1))
    other = plain if source == number else _plain(pool, seed, copies, source)
    sources = np.flatnonzero(other.original != _COPY)
    if not copied.any() or not len(sources):
        return replace(plain, original=np.full(BLOCK, -1, np.int64))
    chosen = sources[rng.integers(0, len(sources), int(copied.sum()))]
    near = rng.uniform(FURTHEST_COPY, NEAREST_COPY, (len(chosen), 1)).astype(np.float32)
    apart = _rows(rng.standard_normal((len(chosen), DESCRIPTOR_DIMENSIONS), np.float32) * pool.spread)
    descriptors, original = plain.descriptors.copy(), plain.original.copy()
    descriptors[copied] = _codes(near * unit(other.descriptors[chosen]) + np.sqrt(1 - near**2) * apart)
    original[copied] = source * BLOCK + chosen
    return replace(plain, descriptors=descriptors, original=original)


@lru_cache(maxsize=4)
def _plain(pool: PicturePool, seed: int, copies: float, number: int) -> _Block:
    """A block of unrelated images, with those marked that are to become copies."""
    rng = np.random.default_rng([seed, number])
    share = SHARE * rng.random((BLOCK, 1), np.float32)
    noise = _rows(rng.standard_normal((BLOCK, DESCRIPTOR_DIMENSIONS), np.float32) * pool.spread)
    theme = rng.integers(0, len(pool.themes), BLOCK)
    return _Block(
        _codes(np.asarray(share * pool.themes[theme] + np.sqrt(1 - share**2) * noise, np.float32)),
        rng.integers(0, len(pool.members), BLOCK),
        rng.integers(0, VARIANTS, BLOCK),
        rng.integers(0, 2**62, BLOCK),
        np.where(rng.random(BLOCK) < copies, _COPY, -1).astype(np.int64),
    )


def _codes(vectors: NDArray[np.floating]) -> CodeArray:
    codes: CodeArray = np.rint(vectors * (127 / np.abs(vectors).max(1, keepdims=True))).astype(np.int8)
    return codes


def _rows(vectors: FloatArray) -> FloatArray:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def _member(features: Features) -> _Member:
    rng = np.random.default_rng(np.frombuffer(features.pixel_sha256, np.uint32))
    height, width = features.thumbnail.shape
    thumbnails = []
    for _ in range(VARIANTS):
        shift = (int(rng.integers(0, height)), int(rng.integers(0, width)))
        rolled = replace(
            features,
            thumbnail=np.roll(features.thumbnail, shift, (0, 1)),
            mask=np.roll(features.mask, shift, (0, 1)),
        )
        thumbnails.append(pack(rolled)["thumbnail"])
    return _Member(features, pack(features), tuple(thumbnails))


def _moved(points: Keypoints, seed: int) -> Keypoints:
    """The same codes with their positions permuted."""
    order = np.random.default_rng(seed).permutation(len(points.scale))
    return Keypoints(points.position[order], points.scale[order], points.angle[order], points.codes)


def _jittered(points: Keypoints, seed: int) -> Keypoints:
    rng = np.random.default_rng(seed)
    moved = points.position + rng.normal(0, POSITION_JITTER / 65535, points.position.shape)
    codes = np.clip(points.codes + rng.normal(0, CODE_JITTER, points.codes.shape), -127, 127)
    return Keypoints(moved.clip(0, 1).astype(np.float32), points.scale, points.angle, np.rint(codes).astype(np.int8))


def _packed(points: Keypoints) -> bytes:
    return (
        struct.pack("<H", points.codes.shape[1])
        + np.rint(points.position * 65535).astype("<u2").tobytes()
        + points.scale.astype("<f2").tobytes()
        + points.angle.astype("<f2").tobytes()
        + points.codes.tobytes()
    )


def _lean(features: Features) -> Features:
    points = features.keypoints
    first = slice(0, LEAN_KEYPOINTS)
    height, width = features.thumbnail.shape
    factor = min(1.0, LEAN_SIDE / max(height, width))
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return replace(
        features,
        thumbnail=np.asarray(cv2.resize(features.thumbnail, size, interpolation=cv2.INTER_AREA)),
        mask=np.asarray(cv2.resize(features.mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)).astype(bool),
        colour=np.ascontiguousarray(features.colour[::4, ::4]),
        keypoints=Keypoints(points.position[first], points.scale[first], points.angle[first], points.codes[first]),
    )


def stored_pool(database: Database, limit: int) -> list[Features]:
    """Features of the first images of a database, at most *limit*; those with too little information are left out."""
    pictures: list[Features] = []
    with database.read() as connection:
        for image in catalog_images.all_images(connection):
            if len(pictures) == limit:
                break
            if not image.low_information:
                parts = catalog_images.features(connection, [image.id]).get(image.id)
                if parts and shows_picture(parts):
                    pictures.append(unpack(parts))
    return pictures
