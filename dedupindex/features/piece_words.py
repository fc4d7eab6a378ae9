"""Words and signatures of local features: what the pieces index files a keypoint under.

A keypoint's code is assigned to the nearest of some thousand words (k-means centres), and a signature of 64 bits says
on which side of the word it lies along 64 random axes: Hamming embedding (Jegou, Douze, Schmid 2008,
doi:10.1007/978-3-540-88682-2_24). Words, axes and weights come from `tests.tools.fit_pieces`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib import resources
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dedupindex.records import CodeArray, FloatArray
from dedupindex.versions import WORDS_FILE, digest_of

WORDS = 4_096
Signatures = NDArray[np.uint64]
WordIds = NDArray[np.uint16]


@dataclass(frozen=True)
class PieceWords:
    """Fitted parameters.

    Attributes
    ----------
    centres : (W, 64) float32
        In the units of `PieceKeypoints.codes`.
    axes : (64, 64) float32
        Orthonormal columns.
    weights : (W,) float32
        Inverse document frequency of each word, by pictures: log(pictures / pictures with the word).
    digest : str
        Of the file, 16 hexadecimal digits.
    """

    centres: FloatArray
    axes: FloatArray
    weights: FloatArray
    digest: str

    @cached_property
    def turned(self) -> FloatArray:
        """(W, 64) float32: the centres along the axes."""
        along: FloatArray = self.centres @ self.axes
        return along

    @cached_property
    def half_energy(self) -> FloatArray:
        """(W,) float32: half of each centre's squared length."""
        energy: FloatArray = (self.centres * self.centres).sum(1) / 2
        return energy


@lru_cache(maxsize=1)
def load_words() -> PieceWords:
    """Load the words that ship with the package."""
    return parse_words((resources.files("dedupindex.features") / WORDS_FILE).read_bytes())


def parse_words(data: bytes) -> PieceWords:
    """Read words from the bytes of their file."""
    with np.load(BytesIO(data)) as parts:
        return PieceWords(
            parts["centres"].astype(np.float32),
            parts["axes"].astype(np.float32),
            parts["weights"].astype(np.float32),
            digest_of(data),
        )


def save_words(path: Path, words: PieceWords) -> None:
    """Write words, centres as int8."""
    np.savez_compressed(
        path,
        centres=np.clip(np.rint(words.centres), -127, 127).astype(np.int8),
        axes=words.axes.astype(np.float16),
        weights=words.weights.astype(np.float16),
    )


def assign(codes: CodeArray, words: PieceWords, count: int = 1) -> WordIds:
    """The nearest words of each code.

    Parameters
    ----------
    codes : (K, 64) int8
    words : PieceWords
    count : int
        Words a code.

    Returns
    -------
    (K, count) uint16
        Nearest first.
    """
    away = words.half_energy - codes.astype(np.float32) @ words.centres.T
    near: WordIds = np.empty((len(codes), count), np.uint16)
    rows = np.arange(len(codes))
    for column in range(count):  # a few passes are quicker than a partial sort
        near[:, column] = away.argmin(1)
        away[rows, near[:, column]] = np.inf
    return near


def signatures(codes: CodeArray, assigned: WordIds, words: PieceWords) -> Signatures:
    """Signatures of codes relative to words.

    Parameters
    ----------
    codes : (K, 64) int8
    assigned : (K, n) uint16
    words : PieceWords

    Returns
    -------
    (K, n) uint64
    """
    turned = codes.astype(np.float32) @ words.axes
    bits = turned[:, None, :] > words.turned[assigned]
    packed = np.packbits(bits, axis=-1, bitorder="little")
    return np.ascontiguousarray(packed).view("<u8")[..., 0]
