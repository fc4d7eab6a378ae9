"""The vector that goes into the index: global features and aggregated keypoints, fused, projected, int8.

VLAD: Jegou et al. 2010, doi:10.1109/CVPR.2010.5540039, with intra-normalisation (Arandjelovic and Zisserman 2013,
doi:10.1109/CVPR.2013.207).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dedupindex.features.layout import signed_root
from dedupindex.features.model import CODE_SCALE, GLOBAL_DIMENSIONS, VLAD_DIMENSIONS, Model, load_model
from dedupindex.records import CodeArray, Features, FloatArray

DESCRIPTOR_DIMENSIONS = 384
BLOCK_WEIGHTS = {"dct": 1.0, "spectrum": 1.0, "histogram": 0.6, "orientation": 1.0, "colour": 0.7}
VLAD_WEIGHT = 1.5  # relative to the unit-length global part; much more loses blurred and noisy copies
VLAD_FULL = 40  # keypoints from which the aggregate has its full weight
COLUMNS_AT_ONCE = 48  # of a projection: these stay in the processor's cache from one picture to the next
TINY = 24  # pixels; frames with no side above this have no keypoints
# Smallest cosines of candidates that have global features alone, where unrelated pictures are near one another: chosen,
# between copies that are lost and strangers to compare. `tests.tools.fit_radius` counts the copies within them.
TINY_REACH = 0.8  # of tiny frames
SMALL, SMALL_REACH = 48, 0.47  # pixels, and of such pictures with few keypoints: a shift by 2 of 32 pixels costs most
POOR_REACH = 0.5  # of other pictures with few keypoints
FAST_REACH = 0.72  # of all pictures in the fast profile
# Pixels up to which a picture may be a reduced copy that shows less than is described of its original; then keypoints
# alone do not bring a turned copy near it, so all orientations are searched for, within a cosine of `TURNED_REACH`.
TURNED_SIDE, TURNED_REACH = 256, 0.22
FEW_KEYPOINTS = 12  # with fewer, all eight orientations of a picture are searched for


def normalise_rows(vectors: FloatArray) -> FloatArray:
    """Bring rows to unit length; rows of zeros stay."""
    lengths = np.sqrt(np.add.reduce(vectors * vectors, axis=-1, keepdims=True))
    if lengths.size and lengths.min() > 1e-12:  # nearly always
        return np.asarray(vectors / lengths, np.float32)
    return np.asarray(np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 1e-12), np.float32)


def fuse_global(blocks: dict[str, FloatArray]) -> FloatArray:
    """Weight and join the unit-length global blocks.

    Parameters
    ----------
    blocks : mapping of block name to (N, d) float32

    Returns
    -------
    (N, 644) float32
        Unit length.
    """
    parts = [weight * normalise_rows(blocks[name]) for name, weight in BLOCK_WEIGHTS.items()]
    return normalise_rows(np.concatenate(parts, axis=1))


def vlad(codes: CodeArray, words: FloatArray) -> FloatArray:
    """Aggregate keypoint codes: residuals to their nearest word, summed, signed root, each word to unit length.

    Parameters
    ----------
    codes : (K, C) int8
    words : (W, VLAD_DIMENSIONS) float32

    Returns
    -------
    (W * VLAD_DIMENSIONS,) float32
        Length at most 1, less where keypoints are few.
    """
    aggregate: FloatArray = aggregates([codes], words)[0]
    return aggregate


def aggregates(codes: Sequence[CodeArray], words: FloatArray) -> FloatArray:
    """`vlad` of many pictures, (N, W * VLAD_DIMENSIONS), in less time than one by one."""
    counts = np.array([len(local) for local in codes])
    points = np.concatenate(codes)[:, :VLAD_DIMENSIONS].astype(np.float32) / CODE_SCALE
    reach = 0.5 * (words**2).sum(1)
    # Of each picture alone: in one product the last bits of a row may depend on the number of rows.
    own = np.split(points, np.cumsum(counts)[:-1])
    nearest = np.concatenate([np.argmax(of_one @ words.T - reach, axis=1) for of_one in own])
    word = np.repeat(np.arange(len(codes)) * len(words), counts) + nearest
    sums = np.zeros(len(codes) * len(words) * VLAD_DIMENSIONS, np.float32)
    places = word[:, None] * VLAD_DIMENSIONS + np.arange(VLAD_DIMENSIONS)
    np.add.at(sums, places.ravel(), (points - words[nearest]).ravel())  # many times as fast as for rows
    spread = normalise_rows(signed_root(sums.reshape(-1, VLAD_DIMENSIONS)))
    weights = np.minimum(1.0, counts / VLAD_FULL) ** 0.5
    whole = normalise_rows(spread.reshape(len(codes), -1))
    return np.asarray(whole * weights.astype(np.float32)[:, None], np.float32)


def fuse(global_part: FloatArray, aggregate: FloatArray) -> FloatArray:
    """Join unit-length global vectors (N, 644) with aggregates (N, A) and bring them to unit length."""
    return normalise_rows(np.concatenate([global_part, VLAD_WEIGHT * aggregate], axis=1))


def project(fused: FloatArray, model: Model) -> CodeArray:
    """Project fused vectors (N, D) to int8 descriptors (N, 384), each with its largest number at +-127."""
    return _codes(_row_by_row(fused - model.mean, model.projection))


def project_global(global_part: FloatArray, model: Model) -> CodeArray:
    """`project` of global parts (N, 644) without keypoints: the rows for those are not needed."""
    return _codes(_row_by_row(global_part, model.projection[:GLOBAL_DIMENSIONS]) - model.projected_mean)


def assemble(global_part: FloatArray, codes: Sequence[CodeArray], model: Model) -> CodeArray:
    """Descriptors of pictures from their fused global blocks and their keypoint codes.

    Parameters
    ----------
    global_part : (N, 644) float32
        From `fuse_global`.
    codes : sequence of (K, C) int8
        Of N pictures.
    model : Model

    Returns
    -------
    (N, 384) int8
    """
    bare = np.array([not len(local) for local in codes], np.bool_)
    result: CodeArray = np.empty((len(codes), model.projection.shape[1]), np.int8)
    if bare.any():
        result[bare] = project_global(global_part[bare], model)
    if not bare.all():
        local_part = aggregates([local for local in codes if len(local)], model.words)
        result[~bare] = project(fuse(global_part[~bare], local_part), model)
    return result


def _row_by_row(vectors: FloatArray, matrix: FloatArray) -> FloatArray:
    # In one product the last bits of a row depend on the number of rows, on most processors. A picture's descriptor
    # must not depend on the batch in which it was described.
    products = np.empty((len(vectors), matrix.shape[1]), np.float32)
    for start in range(0, matrix.shape[1], COLUMNS_AT_ONCE):
        part = np.s_[start : start + COLUMNS_AT_ONCE]
        np.matmul(vectors[:, None, :], matrix[:, part], out=products[:, None, part])
    return products


def _codes(vectors: FloatArray) -> CodeArray:
    largest = np.maximum(np.abs(vectors).max(1, keepdims=True), 1e-12)
    result: CodeArray = np.rint(vectors * (127 / largest)).astype(np.int8)
    return result


def unit(descriptors: NDArray[np.integer]) -> FloatArray:
    """Bring int8 descriptors (N, 384) to unit-length float32."""
    return normalise_rows(descriptors.astype(np.float32))


@dataclass(frozen=True, slots=True)
class Aim:
    """What is searched for when copies of a picture are.

    Attributes
    ----------
    descriptor : (384,) int8
    probes : int
        How many orientations of it: 2, 8, or 0 for a low-information picture.
    reach : float
        Smallest cosine at which another picture can be a copy (`reach`).
    turned : bool
        Besides two probes, the other orientations are searched for within `TURNED_REACH`.
    """

    descriptor: CodeArray
    probes: int
    reach: float
    turned: bool = False


def aim(features: Features, profile: str = "default") -> Aim:
    """What is searched for when copies of a picture with these features are."""
    count = 0 if features.low_information else probes_wanted(len(features.keypoints))
    return Aim(features.descriptor, count, reach(features, profile), is_turned(count, features.box))


def is_turned(probes: int, box: tuple[int, int, int, int]) -> bool:
    """Whether a picture with so many probes and this content box in its frame is small enough for `Aim.turned`."""
    return probes == 2 and max(box[2:]) <= TURNED_SIDE


def probes(aims: Sequence[Aim]) -> list[FloatArray]:
    """Search probes of pictures: each as it is, mirrored, and turned where there are too few keypoints.

    Parameters
    ----------
    aims : sequence of Aim

    Returns
    -------
    list of (P, 384) float32
        Unit length, as many as each aim has.
    """
    rows = [np.zeros((0, DESCRIPTOR_DIMENSIONS), np.float32)] * len(aims)
    wanted = np.array([one.probes for one in aims])
    for count in set(wanted[wanted > 0].tolist()):
        alike = np.flatnonzero(wanted == count).tolist()
        turned = orientations(np.stack([aims[number].descriptor for number in alike]), count)
        for place, number in enumerate(alike):
            rows[number] = np.ascontiguousarray(turned[:, place])
    return rows


def turned_probes(aims: Sequence[Aim]) -> list[FloatArray]:
    """Search probes of the orientations that `probes` leaves out, of the pictures that are `Aim.turned`.

    Parameters
    ----------
    aims : sequence of Aim

    Returns
    -------
    list of (6 or 0, 384) float32
        Unit length.
    """
    rows = [np.zeros((0, DESCRIPTOR_DIMENSIONS), np.float32)] * len(aims)
    chosen = [number for number, one in enumerate(aims) if one.turned]
    if chosen:
        turned = orientations(np.stack([aims[number].descriptor for number in chosen]), 8)
        for place, number in enumerate(chosen):
            rows[number] = np.ascontiguousarray(turned[2:, place])
    return rows


def probes_wanted(keypoints: int) -> int:
    """How many probes a picture with so many keypoints needs: itself and mirrored, or all eight orientations."""
    return 8 if keypoints < FEW_KEYPOINTS else 2


def orientations(descriptors: CodeArray, count: int) -> FloatArray:
    """Unit-length vectors (count, N, 384) of descriptors (N, 384): as they are, mirrored, then with quarter turns."""
    turned = _turned(unit(descriptors), count // 2 - 1)
    return normalise_rows(turned).reshape(count, len(descriptors), -1)


def orientation_cosines(a: Features, b: Features, quarters: int = 3) -> FloatArray:
    """Cosine of *a* and each orientation of *b*: turned by 0, 1 ... *quarters* quarters, then the same mirrored.

    Parameters
    ----------
    a, b : Features
        Only their descriptors are used.
    quarters : int
        Most quarter turns, 0..3.

    Returns
    -------
    (2 + 2 quarters,) float32
        -1..1, in the order of `dedupindex.verify.orientations.eight_orientations`.
    """
    cosines: FloatArray = turned_vectors(b, quarters) @ unit(a.descriptor[None])[0]
    return cosines


def turned_vectors(features: Features, quarters: int = 3) -> FloatArray:
    """Unit-length vectors (2 + 2 quarters, 384) of the orientations of a picture, in the order of their cosines."""
    turned = normalise_rows(_turned(unit(features.descriptor[None]), quarters))
    return np.concatenate([turned[::2], turned[1::2]])


def _turned(vectors: FloatArray, quarters: int) -> FloatArray:
    """Vectors (N, D) and their mirror images, then both by each number of quarter turns: (N (2 + 2 quarters), D)."""
    model = load_model()
    orientations = [vectors, vectors @ model.mirror]
    for _ in range(quarters):  # a quarter turn = mirror, then transpose
        orientations += [
            np.asarray(orientation @ model.mirror @ model.transpose, np.float32) for orientation in orientations[-2:]
        ]
    return np.concatenate(orientations)


def reach(features: Features, profile: str = "default") -> float:
    """Smallest cosine at which another picture can be a copy of this one; -1 where the search radius alone decides.

    Pictures without keypoints lie in a small part of the space, where unrelated ones are near each other. In the fast
    profile no picture has keypoints, and copies are nearer to one another.
    """
    return reach_of(max(features.mask.shape), len(features.keypoints), profile)


def reach_of(side: int, keypoints: int, profile: str = "default") -> float:
    """`reach` of a picture by its size and its number of keypoints.

    Parameters
    ----------
    side : int
        Longest side of its thumbnail, pixels.
    keypoints : int
        How many it has.
    profile : {"default", "fast", "pieces"}
        `Settings.profile`.

    Returns
    -------
    float
        Smallest cosine of a copy that is worth a candidate, -1..1; -1 = no such limit.
    """
    if side <= TINY:
        return TINY_REACH
    if keypoints >= FEW_KEYPOINTS:
        return -1.0
    if profile == "fast":
        return FAST_REACH
    return SMALL_REACH if side <= SMALL else POOR_REACH
