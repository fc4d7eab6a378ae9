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
from scipy.linalg import eigh

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
POWER = 0.25  # of the eigenvalue: the PCA's standard deviations are whitened half-way
MAX_STRENGTH = 1.2


def raw_parts(picture: ByteArray) -> tuple[FloatArray, FloatArray]:
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


def _describe_file(task: tuple[Path, int, int]) -> list[tuple[FloatArray, FloatArray]]:
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
    for _ in range(copies):
        chain = "+".join(random.choice(list(ATTACKS), size=1 + (random.random() < 0.3), replace=False))
        result.append(raw_parts(attack(chain, picture, random.uniform(0.5, MAX_STRENGTH), random)))
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


def symmetric_pca(fused: FloatArray, actions: Sequence[SignedPermutation]) -> tuple[FloatArray, FloatArray]:
    """Fit a partly whitened PCA that commutes with the group of `actions`.

    Parameters
    ----------
    fused : (N, D) float32
    actions : sequence of SignedPermutation
        The whole group.

    Returns
    -------
    mean : (D,) float32
    projection : (D, 384) float32
    """
    mean = np.mean([action.apply(fused.mean(0)) for action in actions], axis=0)
    centred = fused - mean
    covariance = (centred.T @ centred / len(centred)).astype(np.float64)
    total = np.zeros_like(covariance)
    for action in actions:
        total += covariance[np.ix_(action.order, action.order)] * np.outer(action.sign, action.sign)
    size = len(total)
    values, vectors = eigh(total / len(actions), subset_by_index=(size - descriptor.DESCRIPTOR_DIMENSIONS, size - 1))
    projection = vectors[:, ::-1] / values[::-1] ** POWER
    return mean.astype(np.float32), projection.astype(np.float32)


def train(parts: Sequence[tuple[FloatArray, FloatArray]], seed: int) -> Model:
    """Fit every part of the model.

    Parameters
    ----------
    parts : sequence of (global_part, descriptors)
        From `raw_parts`.
    seed : int
    """
    random = np.random.default_rng(seed)
    sample = np.concatenate([d[random.permutation(len(d))[:SAMPLED]] for _, d in parts])
    mean, basis, parity = local_pca(sample)
    points = encode_codes((sample - mean) @ basis)[:, :VLAD_DIMENSIONS].astype(np.float32) / CODE_SCALE
    words = codebook(points, parity[:VLAD_DIMENSIONS], random)
    aggregates = np.stack([descriptor.vlad(encode_codes((d - mean) @ basis), words) for _, d in parts])
    fused = descriptor.fuse(np.stack([g for g, _ in parts]), aggregates)
    still, flipped = identity(words.size), mirror_vlad(WORDS, parity)
    actions = [
        SignedPermutation.join(action, still if i < 4 else flipped) for i, action in enumerate(dihedral_global())
    ]
    fused_mean, projection = symmetric_pca(fused, actions)
    return Model(mean, basis, parity, words, fused_mean, projection, "")


def kept_variance(parts: Sequence[tuple[FloatArray, FloatArray]], model: Model) -> float:
    """Share of the variance of the fused vectors that lies in the axes of the descriptor, 0..1."""
    aggregates = np.stack(
        [descriptor.vlad(encode_codes((d - model.local_mean) @ model.local_basis), model.words) for _, d in parts]
    )
    centred = descriptor.fuse(np.stack([g for g, _ in parts]), aggregates) - model.mean
    axes = model.projection / np.linalg.norm(model.projection, axis=0)
    return float(((centred @ axes) ** 2).sum() / (centred**2).sum())


def gather(folder: Path, copies: int, seed: int) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Describe all pictures below `folder`, each with attacked copies, in two processes."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    tasks = ((path, seed + i, copies) for i, path in enumerate(files))
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        yield from itertools.chain.from_iterable(pool.map(_describe_file, tasks, chunksize=16))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--output", type=Path, default=SHIPPED["model"])
    parser.add_argument("--copies", type=int, default=2, help="attacked versions a picture")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    parts = list(gather(arguments.folder, arguments.copies, arguments.seed))
    print(f"{len(parts)} pictures described")
    model = train(parts, arguments.seed)
    save_model(arguments.output, model)
    manifest = Manifest(
        file_digest(arguments.output),
        f"{COMMANDS['model']} --copies {arguments.copies} --seed {arguments.seed}",
        {"pictures": folder_digest(arguments.folder)},
        arguments.seed,
        seen_versions("model"),
        {"pictures described": len(parts), "descriptor variance kept": round(kept_variance(parts, model), 4)},
        libraries=libraries(),
    )
    write_manifest(arguments.output, manifest)
    print(f"{arguments.output}: {arguments.output.stat().st_size} bytes")


if __name__ == "__main__":
    main()
