"""The trained model of keypoint codes and descriptors: one small file, made by `tests.tools.train_descriptor`.

Everything in it commutes with mirroring a picture: the local PCA is split into parts that are even and odd under the
mirror, so that the mirrored picture's code is the code with some signs flipped; the words of the codebook stand in
mirrored pairs; and the axes of the descriptor are fitted on all eight orientations of every picture (`symmetry.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib import resources
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dedupindex.features.symmetry import SignedPermutation, identity, mirror_global, transpose_global
from dedupindex.records import CodeArray, FloatArray
from dedupindex.versions import MODEL_FILE, digest_of

CODE_SCALE = 180.0  # int8 steps a unit of RootSIFT after the PCA; coefficients reach about +-.6
GLOBAL_DIMENSIONS = 644
VLAD_DIMENSIONS = 48  # leading numbers of a code that the aggregate uses


@dataclass(frozen=True)
class Model:
    """Trained parameters.

    Attributes
    ----------
    local_mean : (128,) float32
    local_basis : (128, C) float32
        Orthonormal columns, each even or odd under the mirror.
    local_parity : (C,) float32
        +1 even, -1 odd.
    words : (W, VLAD_DIMENSIONS) float32
        Codebook in code space (unscaled); word i and word (i + W/2) mod W are mirror images.
    mean : (D,) float32
        Of the fused vector.
    projection : (D, 384) float32
        Fused vector to descriptor: the axes along which pictures differ most and copies of one picture least.
    digest : str
        Of the model file, 16 hexadecimal digits: part of the fingerprint.
    """

    local_mean: FloatArray
    local_basis: FloatArray
    local_parity: FloatArray
    words: FloatArray
    mean: FloatArray
    projection: FloatArray
    digest: str

    @cached_property
    def projected_mean(self) -> FloatArray:
        """(384,) float32: what the mean of all fused vectors becomes."""
        projected: FloatArray = (self.mean.astype(np.float64) @ self.projection.astype(np.float64)).astype(np.float32)
        return projected

    @cached_property
    def mirror(self) -> FloatArray:
        """(D', D') float32: descriptor of the left-right mirrored picture = descriptor @ mirror."""
        return self._conjugate(SignedPermutation.join(mirror_global(), mirror_vlad(len(self.words), self.local_parity)))

    @cached_property
    def transpose(self) -> FloatArray:
        """(D', D') float32: the same for swapping rows and columns."""
        return self._conjugate(
            SignedPermutation.join(transpose_global(), mirror_vlad(len(self.words), self.local_parity))
        )

    def _conjugate(self, action: SignedPermutation) -> FloatArray:
        # z = (x - m) P; an action A maps the space of the columns of P onto itself, so that on z it is pinv(P) A P
        projection = self.projection.astype(np.float64)
        inverse = np.linalg.solve(projection.T @ projection, projection.T)
        result: FloatArray = (action.apply(inverse) @ projection).astype(np.float32)
        return result


def mirror_vlad(words: int, parity: FloatArray) -> SignedPermutation:
    """Action of the mirror on a flattened (words, VLAD_DIMENSIONS) aggregate: pairs of words swap, odd parts flip."""
    order = np.arange(words * VLAD_DIMENSIONS).reshape(words, VLAD_DIMENSIONS)
    swapped = np.roll(order, words // 2, axis=0)
    return SignedPermutation(swapped.ravel(), np.tile(parity[:VLAD_DIMENSIONS], words).astype(np.float32))


def dihedral_global() -> tuple[SignedPermutation, ...]:
    """Actions of the eight orientations of a square picture on its global blocks, the identity first."""
    mirror, transpose = mirror_global(), transpose_global()
    turn = mirror.then(transpose)
    turns = [identity(len(mirror.order))]
    for _ in range(3):
        turns.append(turns[-1].then(turn))
    return (*turns, *(mirror.then(quarter) for quarter in turns))


def encode_codes(coefficients: NDArray[np.floating]) -> CodeArray:
    """Round PCA coefficients to int8."""
    result: CodeArray = np.clip(np.rint(coefficients * CODE_SCALE), -127, 127).astype(np.int8)
    return result


@lru_cache(maxsize=1)
def load_model() -> Model:
    """Load the model that ships with the package."""
    return parse_model((resources.files("dedupindex.features") / MODEL_FILE).read_bytes())


def parse_model(data: bytes) -> Model:
    """Read a model from the bytes of its file."""
    with np.load(BytesIO(data)) as parts:
        return Model(
            parts["local_mean"].astype(np.float32),
            parts["local_basis"].astype(np.float32),
            parts["local_parity"].astype(np.float32),
            parts["words"].astype(np.float32),
            parts["mean"].astype(np.float32),
            parts["projection"].astype(np.float32) * parts["gains"].astype(np.float32),
            digest_of(data),
        )


def save_model(path: Path, model: Model) -> None:
    """Write a model; the projection is stored as int8 with a gain a column (its rounding is far below its noise)."""
    gains = np.abs(model.projection).max(0) / 127
    np.savez_compressed(
        path,
        local_mean=model.local_mean,
        local_basis=model.local_basis.astype(np.float16),
        local_parity=model.local_parity.astype(np.int8),
        words=model.words.astype(np.float16),
        mean=model.mean.astype(np.float32),
        projection=np.rint(model.projection / gains).astype(np.int8),
        gains=gains.astype(np.float32),
    )
