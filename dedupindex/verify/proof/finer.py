"""A second look at a finer grid, where the first one leaves a doubt.

On the grid of the first look the fine texture of a large picture is averaged out: what was erased from a wall or from
cloth leaves a difference there that is too faint to count, and in pixels of the files it is plain. Most pairs leave
nothing of that kind, so the finer look, which costs four times as much, is taken of few.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from dedupindex.records import Outcome, Proof
from dedupindex.verify.proof.comparison import prove
from dedupindex.verify.proof.picture import GRID_SIDE, ProofPicture

FINE_SIDE = 2 * GRID_SIDE  # longest side of the finer grid, pixels
DOUBT = 2.0  # levels: missing fine texture that a finer look is worth
LEAST_GAIN = 1.25  # pixels of both files for one of the grid, below which a finer grid shows no more


def in_doubt(proof: Proof) -> bool:
    """Whether a proof says `same`, fine texture is missing somewhere, and both files have finer pixels.

    Parameters
    ----------
    proof : Proof

    Returns
    -------
    bool
    """
    finer = min(proof.scale_a, proof.scale_b) >= LEAST_GAIN
    return proof.outcome is Outcome.SAME and finer and (proof.measures.doubt or 0.0) > DOUBT


def prove_closely(
    a: ProofPicture,
    b: ProofPicture,
    matrix: NDArray[np.float64],
    finer: Callable[[], tuple[ProofPicture, ProofPicture] | None],
) -> Proof:
    """Compare two pictures, and again at a finer grid where the first comparison leaves a doubt.

    Parameters
    ----------
    a, b : ProofPicture
        Decoded at the sides that `sides_for` gives, or finer.
    matrix : (2, 3) float64
        Full-frame (x, y, 1) pixel indices of b to those of a.
    finer : callable
        Returns both pictures decoded for a grid of `FINE_SIDE`; None where they cannot be read any more. Called only
        where it is needed.

    Returns
    -------
    Proof
        The finer one only where it says `edited` and the missing texture stands out more there: that all else is the
        same is proven already, and of the fine pixels of two scans or two encodings one cannot ask as much.

    Raises
    ------
    ValueError
        The matrix is no invertible map.
    """
    proof = prove(a, b, matrix)
    if not in_doubt(proof):
        return proof
    pictures = finer()
    if pictures is None:
        return proof
    second = prove(*pictures, np.array(proof.matrix), side=FINE_SIDE)
    clearer = (second.measures.doubt or 0.0) > (proof.measures.doubt or 0.0)
    return second if clearer and second.outcome is Outcome.EDITED else proof
