"""Find the quantisation steps of one JPEG in the coefficients of another picture: it was made from that JPEG.

Rounding to the steps of a JPEG leaves the coefficients of its blocks at multiples of these steps. They stay near them
when the picture is saved again with finer steps, or without loss, or when only its tone or a place in it is changed
(Farid 2009, doi:10.1109/TIFS.2008.2012215). Where the pixels of two pictures correspond one to one, the coefficients
of each are therefore compared with the steps of the other one.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from dedupindex.records import ByteArray, FloatArray, Mask
from dedupindex.verify.keypoint_registration import invert
from dedupindex.verify.proof.picture import ProofPicture
from dedupindex.verify.proof.tone import curve_of, joint_histogram

BLOCK = 8  # side of a JPEG's blocks, pixels
FREQUENCIES = ((0, 1), (1, 0), (1, 1), (0, 2), (2, 0), (2, 1), (1, 2), (0, 3), (3, 0), (2, 2), (3, 1), (1, 3))
LEAST_STEP = 2  # levels: finer steps are lost in the rounding of pixels
LEAST_LEVEL = 1.5  # steps: smaller coefficients are near 0 whatever was done
LEAST_COEFFICIENTS = 300
MOST_CHANCE = 0.4  # where chance alone gives more, a frequency tells nothing
WHOLE = 0.45  # pixels by which a map may leave whole pixels anywhere
ELSEWHERE = 4  # pixels down and to the right at which the blocks do not fall on those of the file
CLIPPED = 3  # levels from black and white within which a block may be clipped

Matrix = NDArray[np.float64]


def lattices(a: ProofPicture, b: ProofPicture, matrix: Matrix, sign: float = 1.0) -> dict[str, float]:
    """How near each picture's coefficients lie to multiples of the other one's steps, in the other one's blocks.

    Parameters
    ----------
    a, b : ProofPicture
    matrix : (2, 3) float64
        Full-frame (x, y, 1) pixel indices of b to those of a.
    sign : float
        -1 for negatives.

    Returns
    -------
    dict of str to float
        ``lattice_a``: of the coefficients of b on the steps of a, mean cosine of their phase beyond that by chance;
        1 = all at multiples, 0 = as by chance. Likewise ``lattice_b``. Missing where the pixels do not correspond one
        to one (shifts by whole pixels, quarter turns and mirroring do), where a picture was decoded reduced, and where
        it is no JPEG.
    """
    if any(picture.luminance.shape != picture.full_shape for picture in (a, b)):
        return {}
    fits = {}
    for side, own, other, there in (("a", a, b, matrix), ("b", b, a, invert(matrix))):
        moved = _exactly(other, there, own.full_shape) if own.quantisation else None
        table = other.quantisation[0] if other.quantisation else None
        value = None if moved is None else _lattice(own, *moved, sign, table)
        if value is not None:
            fits[f"lattice_{side}"] = value
    return fits


def _exactly(picture: ProofPicture, matrix: Matrix, shape: tuple[int, int]) -> tuple[ByteArray, Mask] | None:
    """A picture on the pixels of another one without interpolation, and where it lies; None where that cannot be."""
    linear = np.rint(matrix[:, :2])
    if np.abs(linear).sum() != 2 or abs(np.linalg.det(linear)) != 1:
        return None
    rows, columns = picture.luminance.shape
    corners = np.array([[x, y, 1] for x in (0, columns - 1) for y in (0, rows - 1)], np.float64)
    centre = corners.mean(0)
    whole = np.column_stack([linear, np.rint(matrix @ centre - linear @ centre[:2])])
    if np.abs(corners @ (matrix - whole).T).max() > WHOLE:
        return None
    size = shape[::-1]
    valid = np.ones((rows, columns), np.uint8) if picture.mask is None else picture.mask.astype(np.uint8)
    moved = cv2.warpAffine(picture.luminance, whole, size, flags=cv2.INTER_NEAREST)
    return np.asarray(moved, np.uint8), np.asarray(cv2.warpAffine(valid, whole, size, flags=cv2.INTER_NEAREST), bool)


def _lattice(
    own: ProofPicture, other: ByteArray, mask: Mask, sign: float, table: tuple[int, ...] | None
) -> float | None:
    """Mean cosine of the phases of the other picture's coefficients beyond chance; None where there are too few.

    Chance is what the same picture gives with its blocks laid elsewhere, rounded to its own steps (`table`): these
    alone may favour some multiples of the steps that are looked for.
    """
    curve = curve_of(joint_histogram(other, own.luminance, mask), sign).levels
    steps = _steps(own.quantisation[0])
    toned = _coefficients(other, mask, curve)
    part = np.s_[ELSEWHERE:, ELSEWHERE:]
    elsewhere = _coefficients(other[part], mask[part], np.arange(256, dtype=np.float32))
    gains = (
        np.sqrt(np.square(toned).mean(0) / np.maximum(np.square(elsewhere).mean(0), 1e-6))
        if len(toned) and len(elsewhere)
        else None
    )
    tables = () if table is None else (_steps(table), _steps(table).T)  # turned by a quarter too
    signs, weights = [], []
    for v, u in FREQUENCIES:
        phase = _phase(toned[:, v, u], steps[v, u])
        if phase is None or gains is None:
            continue
        chance = 0.0
        for rounded in tables:  # the file's own steps, scaled as its tone is
            values = np.rint(elsewhere[:, v, u] / rounded[v, u]) * rounded[v, u] * gains[v, u]
            chance = max(chance, _phase(values, steps[v, u]) or 0.0)
        if chance < MOST_CHANCE:
            signs.append(phase - chance)
            weights.append(np.sqrt(np.count_nonzero(np.abs(toned[:, v, u]) > LEAST_LEVEL * steps[v, u])))
    return float(np.average(signs, weights=weights)) if signs else None


def _steps(table: tuple[int, ...]) -> NDArray[np.float64]:
    return np.array(table, np.float64).reshape(BLOCK, BLOCK)


def _coefficients(picture: ByteArray, mask: Mask, curve: FloatArray) -> FloatArray:
    """Coefficients of the blocks that are valid and not clipped, (N, 8, 8), after a tone curve."""
    rows, columns = (size - size % BLOCK for size in picture.shape)
    inside = _blocks(mask[:rows, :columns]).all((1, 2))
    levels = _blocks(picture[:rows, :columns])[inside]
    if len(levels):
        levels = levels[(levels.min((1, 2)) >= CLIPPED) & (levels.max((1, 2)) <= 255 - CLIPPED)]
    return _cosine_transform(curve[levels])


def _phase(values: NDArray[np.floating], step: float) -> float | None:
    """Mean cosine of the phase of coefficients on a step; None where there are too few."""
    values = values[np.abs(values) > LEAST_LEVEL * step]
    if step < LEAST_STEP or len(values) < LEAST_COEFFICIENTS:
        return None
    return float(np.cos(2 * np.pi / step * values).mean())


def _blocks(plane: NDArray[np.generic]) -> NDArray[np.generic]:
    """A plane as (N, 8, 8) blocks."""
    rows, columns = plane.shape[0] // BLOCK, plane.shape[1] // BLOCK
    return plane.reshape(rows, BLOCK, columns, BLOCK).swapaxes(1, 2).reshape(-1, BLOCK, BLOCK)


def _cosine_transform(blocks: FloatArray) -> FloatArray:
    """Orthonormal two-dimensional discrete cosine transform of (N, 8, 8) blocks."""
    number = np.arange(BLOCK)
    basis = np.cos(np.pi / (2 * BLOCK) * (2 * number[None, :] + 1) * number[:, None]) * np.sqrt(2 / BLOCK)
    basis[0] /= np.sqrt(2)
    basis = basis.astype(np.float32)
    return np.asarray(basis @ blocks @ basis.T, np.float32)
