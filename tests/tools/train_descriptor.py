"""Train the model that ships with the package: ``python -m tests.tools.train_descriptor FOLDER [--output FILE]``.

Any folder of a few thousand varied pictures will do, each is seen in attacked versions too. The result is the same for
the same pictures, seed, library versions and features. A manifest is written beside it.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from threadpoolctl import threadpool_limits

from dedupindex.errors import ReadError
from dedupindex.evaluation.attacks import ATTACKS, attack
from dedupindex.features import descriptor, keypoints, thumbnail
from dedupindex.features.describe import KEYPOINT_SIDE, describe_wholes
from dedupindex.features.model import (
    CODE_SCALE,
    VLAD_DIMENSIONS,
    Model,
    dihedral_global,
    encode_codes,
    mirror_vlad,
    save_model,
)
from dedupindex.features.symmetry import SignedPermutation, identity, mirror_sift
from dedupindex.prepare.pipeline import prepare
from dedupindex.records import ByteArray, FloatArray, Frame
from dedupindex.settings import Settings
from dedupindex.sources import decode_file
from tests.tools.manifest import (
    COMMANDS,
    SHIPPED,
    Manifest,
    file_digest,
    folder_digest,
    libraries,
    seen_versions,
    write_manifest,
)

CODE_DIMENSIONS = 64
WORDS = 64
SAMPLED = 40  # local descriptors a picture that the local PCA and the codebook see
SHRINKAGE = 1.0  # of the mean variance within copies, added to that of every axis; 0.3 to 10 lose about as many copies
GAIN = -0.15  # power of an axis's ratio of variances that scales it; between -0.1 and -0.2 fewest copies are lost
STRENGTHS = (0.5, 1.2)
CROPS = ("crop", "window")  # every second copy: what is lost outside a radius is nearly always a part of a picture
CROP_STRENGTHS = (0.7, 1.3)

RawParts = tuple[FloatArray, FloatArray]
"""Of one picture: its global part (644,) float32, its descriptors (K, 128) float32."""


def raw_parts(picture: ByteArray) -> RawParts:
    """Describe one RGB picture before any model.

    Parameters
    ----------
    picture : (H, W, 3) uint8

    Returns
    -------
    global_part : (644,) float32
    descriptors : (K, 128) float32
    """
    frame = Frame(picture, np.ones(picture.shape[:2], bool), full_shape=picture.shape[:2])
    prepared = prepare(frame, Settings())
    wholes = describe_wholes((prepared,))
    small, mask = thumbnail.reduce(wholes.stretched[0], prepared.mask, KEYPOINT_SIDE)
    return wholes.vectors[0], keypoints.extract(small, mask).descriptors


def _describe_file(task: tuple[Path, int, int]) -> list[RawParts]:
    """Describe a file's picture and `copies` attacked versions of it; nothing where it cannot be read."""
    path, seed, copies = task
    cv2.setNumThreads(1)
    try:
        frame = decode_file(path, Settings()).frames[0]
    except ReadError:
        return []
    if frame.pixels.dtype != np.uint8 or min(frame.pixels.shape[:2]) < 48:
        return []
    grey = frame.pixels.ndim == 2
    picture = np.asarray(np.repeat(frame.pixels[..., None], 3, axis=2) if grey else frame.pixels, np.uint8)
    random = np.random.default_rng(seed)
    result = [raw_parts(picture)]
    for number in range(copies):
        if number % 2:
            chain, strengths = str(random.choice(CROPS)), CROP_STRENGTHS
        else:
            several = random.choice(list(ATTACKS), size=1 + (random.random() < 0.3), replace=False)
            chain, strengths = "+".join(several), STRENGTHS
        result.append(raw_parts(attack(chain, picture, random.uniform(*strengths), random)))
    return result


def local_pca(descriptors: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Fit a PCA of RootSIFT whose axes are even or odd under the mirror.

    Parameters
    ----------
    descriptors : (N, 128) float32

    Returns
    -------
    mean : (128,) float32
    basis : (128, CODE_DIMENSIONS) float32
    parity : (CODE_DIMENSIONS,) float32
        +1 or -1.
    """
    order = mirror_sift()
    mean = (descriptors.mean(0) + descriptors.mean(0)[order]) / 2
    centred = descriptors - mean
    covariance = centred.T @ centred / len(centred)
    covariance = (covariance + covariance[np.ix_(order, order)]) / 2
    mirror = np.eye(128)[order]
    found: list[tuple[float, FloatArray, int]] = []
    for parity in (1, -1):
        half = (np.eye(128) + parity * mirror) / 2  # projector on the even or odd half
        values, vectors = np.linalg.eigh(half @ covariance @ half)
        found += [(value, vectors[:, i], parity) for i, value in enumerate(values) if value > 1e-9]
    found.sort(key=lambda item: -item[0])
    best = found[:CODE_DIMENSIONS]
    basis = np.stack([vector for _, vector, _ in best], axis=1).astype(np.float32)
    return mean.astype(np.float32), basis, np.array([parity for *_, parity in best], np.float32)


def codebook(points: FloatArray, parity: FloatArray, random: np.random.Generator) -> FloatArray:
    """Fit k-means words in mirrored pairs.

    Parameters
    ----------
    points : (N, VLAD_DIMENSIONS) float32
    parity : (VLAD_DIMENSIONS,) float32
    random : numpy.random.Generator

    Returns
    -------
    (WORDS, VLAD_DIMENSIONS) float32
        Word i + WORDS/2 is the mirror image of word i.
    """
    half = points[random.choice(len(points), WORDS // 2, replace=False)].copy()
    for _ in range(40):
        words = np.concatenate([half, half * parity])
        nearest = np.argmax(points @ words.T - 0.5 * (words**2).sum(1), axis=1)
        folded = np.where((nearest >= WORDS // 2)[:, None], points * parity, points)
        sums, counts = np.zeros_like(half), np.bincount(nearest % (WORDS // 2), minlength=WORDS // 2)
        np.add.at(sums, nearest % (WORDS // 2), folded)
        half = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], half)
    return np.concatenate([half, half * parity]).astype(np.float32)


def averaged(vectors: FloatArray, actions: Sequence[SignedPermutation]) -> FloatArray:
    """Covariance (D, D) float64 of centred vectors (N, D), averaged over a whole group of actions."""
    covariance = (vectors.T @ vectors / len(vectors)).astype(np.float64)
    total = np.zeros_like(covariance)
    for action in actions:
        total += covariance[np.ix_(action.order, action.order)] * np.outer(action.sign, action.sign)
    result: FloatArray = total / len(actions)
    return result


def symmetric_discriminant(
    fused: FloatArray, pictures: NDArray[np.intp], actions: Sequence[SignedPermutation]
) -> tuple[FloatArray, FloatArray]:
    """Fit the axes along which pictures differ most and copies of one picture least, and which turn with a picture.

    Linear discriminant analysis (Fisher 1936, doi:10.1111/j.1469-1809.1936.tb02137.x) with a shrunken covariance
    within classes; a class is a picture with its copies. Both covariances are averaged over the group of `actions`, so
    an action maps the space of the axes onto itself.

    Parameters
    ----------
    fused : (N, D) float32
    pictures : (N,) intp
        Number of the picture that each vector shows, 0 ... M - 1.
    actions : sequence of SignedPermutation
        The whole group.

    Returns
    -------
    mean : (D,) float32
    projection : (D, 384) float32
    """
    mean = np.mean([action.apply(fused.mean(0)) for action in actions], axis=0)
    members = np.bincount(pictures)
    centres = np.zeros((len(members), fused.shape[1]))
    np.add.at(centres, pictures, fused.astype(np.float64))
    centres /= members[:, None]
    within = averaged((fused - centres[pictures]).astype(np.float32), actions)
    between = averaged(fused - mean, actions) - within
    size = len(within)
    shrunken = within + SHRINKAGE * np.trace(within) / size * np.eye(size)
    ratios, axes = eigh(between, shrunken, subset_by_index=(size - descriptor.DESCRIPTOR_DIMENSIONS, size - 1))
    ratios, axes = np.maximum(ratios[::-1], 1e-9), axes[:, ::-1]
    axes *= np.sign(axes[np.abs(axes).argmax(0), np.arange(axes.shape[1])])  # of both signs of an axis always the same
    return mean.astype(np.float32), (axes * ratios**GAIN).astype(np.float32)


def fuse_all(parts: Sequence[RawParts], mean: FloatArray, basis: FloatArray, words: FloatArray) -> FloatArray:
    """Fused vectors (N, D) float32 of N pictures, by a local PCA and a codebook."""
    aggregates = [descriptor.vlad(encode_codes((descriptors - mean) @ basis), words) for _, descriptors in parts]
    return descriptor.fuse(np.stack([global_part for global_part, _ in parts]), np.stack(aggregates))


def train(pictures: Sequence[Sequence[RawParts]], seed: int) -> Model:
    """Fit every part of the model.

    Parameters
    ----------
    pictures : sequence of sequences of RawParts
        For each picture, itself and its attacked copies (`gather`).
    seed : int
    """
    random = np.random.default_rng(seed)
    parts = list(itertools.chain.from_iterable(pictures))
    sample = np.concatenate([d[random.permutation(len(d))[:SAMPLED]] for _, d in parts])
    mean, basis, parity = local_pca(sample)
    points = encode_codes((sample - mean) @ basis)[:, :VLAD_DIMENSIONS].astype(np.float32) / CODE_SCALE
    words = codebook(points, parity[:VLAD_DIMENSIONS], random)
    still, flipped = identity(words.size), mirror_vlad(WORDS, parity)
    actions = [
        SignedPermutation.join(action, still if i < 4 else flipped) for i, action in enumerate(dihedral_global())
    ]
    numbers = np.repeat(np.arange(len(pictures)), [len(versions) for versions in pictures])
    fused = fuse_all(parts, mean, basis, words)
    return Model(mean, basis, parity, words, *symmetric_discriminant(fused, numbers, actions), "")


def copies_found(pictures: Sequence[Sequence[RawParts]], model: Model) -> float:
    """Share of the copies that are nearest to their own picture, 0..1; on pictures that the model was fitted on."""
    originals, copies = [versions[0] for versions in pictures], [versions[1:] for versions in pictures]

    def described(parts: Sequence[RawParts]) -> FloatArray:
        fused = fuse_all(parts, model.local_mean, model.local_basis, model.words)
        return descriptor.normalise_rows((fused - model.mean) @ model.projection)

    kept = described(originals)
    right = [(described(own) @ kept.T).argmax(1) == place for place, own in enumerate(copies)]
    return float(np.concatenate(right).mean())


def gather(folder: Path, copies: int, seed: int) -> Iterator[list[RawParts]]:
    """Describe all pictures below `folder`, each followed by its attacked copies, in two processes."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    tasks = ((path, seed + i, copies) for i, path in enumerate(files))
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        yield from filter(None, pool.map(_describe_file, tasks, chunksize=16))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--output", type=Path, default=SHIPPED["model"])
    parser.add_argument("--copies", type=int, default=6, help="attacked versions a picture")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.copies < 1:
        parser.error("--copies has to be at least 1: what differs between copies is learned from them")
    pictures = list(gather(arguments.folder, arguments.copies, arguments.seed))
    described = sum(map(len, pictures))
    print(f"{described} pictures described")
    with threadpool_limits(1):  # the same sums whatever the number of cores
        model = train(pictures, arguments.seed)
    save_model(arguments.output, model)
    figures = {"pictures described": described, "copies nearest to their own picture": copies_found(pictures, model)}
    manifest = Manifest(
        file_digest(arguments.output),
        f"{COMMANDS['model']} --copies {arguments.copies} --seed {arguments.seed}",
        {"pictures": folder_digest(arguments.folder)},
        arguments.seed,
        seen_versions("model"),
        {name: round(figure, 4) for name, figure in figures.items()},
        libraries=libraries(),
    )
    write_manifest(arguments.output, manifest)
    print(f"{arguments.output}: {arguments.output.stat().st_size} bytes")


if __name__ == "__main__":
    main()
