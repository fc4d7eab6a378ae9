"""Rotation and scale of one picture against another, from the log-polar magnitudes of their spectra.

Reddy and Chatterji 1996, doi:10.1109/83.506761: rotation and scale of a picture become shifts of the log-polar
magnitude of its spectrum; the high-pass before that is essential. What is needed of a picture is made once (`Polar`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from dedupindex.features.layout import standardise
from dedupindex.records import ByteArray, Features, FloatArray, Mask

SPECTRUM_SIDE = 128
ANGLES, RADII = 180, 96
SMALLEST, LARGEST = 4.0, 60.0  # cycles a side between which the log-polar grid runs
STEP = float(np.log(LARGEST / SMALLEST)) / (RADII - 1)  # of the logarithm of the radius
REACH = int(np.log(3.0) / STEP)  # radii: enlargements of up to three times
PEAKS = 2
NEAR_ANGLES, NEAR_RADII = 6, 4  # around a peak, where no other one is looked for
LOCAL = 13  # angles: what changes more slowly along them is taken from a spectrum that is compared with another one
# Correlation of two such spectra, at their peak, below which a rotation is not proposed. Of 131 copies that are
# confirmed by such a rotation the least has .22, the hundredth part .28; of cells and photographs nine in ten have less
# than .25.
LIKE = 0.17


@dataclass(frozen=True)
class Polar:
    """The log-polar spectrum of a picture.

    Attributes
    ----------
    spectrum : (ANGLES, RADII) float32
        High-passed magnitudes, mean 0.
    """

    spectrum: FloatArray

    @cached_property
    def transform(self) -> NDArray[np.complex64]:
        """(ANGLES, RADII + 1) transform of the spectrum, padded to twice its radii."""
        from scipy import fft  # slow to import: only when it is used

        transform: NDArray[np.complex64] = fft.rfft2(self.spectrum, (ANGLES, 2 * RADII))
        return transform

    @cached_property
    def local(self) -> FloatArray:
        """(ANGLES, RADII) what is left without the spectrum's course along the radius, and without slow changes.

        All spectra have the first in common, and all photographs much of the second.
        """
        left = self.spectrum - self.spectrum.mean(0)
        half = LOCAL // 2
        around = np.concatenate([left[-half:], left, left[:half]])  # half a turn later comes the same
        left = left - np.asarray(cv2.blur(around, (1, LOCAL)))[half:-half]
        spread = left.std(0)
        return np.asarray(left / np.maximum(spread + 1e-3 * left.std(), 1e-9), np.float32)

    @cached_property
    def energy(self) -> FloatArray:
        """(RADII,) sum of the squares of `local` along the angles."""
        return np.asarray(np.einsum("ij,ij->j", self.local, self.local))


@dataclass(frozen=True, slots=True)
class Turn:
    """A rotation and a scale that bring one picture to another.

    Attributes
    ----------
    radians : float
        0..pi; half a turn more gives the same spectrum.
    scale : float
    like : float
        Correlation of the spectra, as `Polar.local` has them, that remains under it, -1..1.
    """

    radians: float
    scale: float
    like: float


def polar_of(features: Features) -> Polar:
    """The log-polar spectrum of a picture."""
    return Polar(_log_polar_spectrum(features.thumbnail, features.mask))


def turns(base: Polar, other: Polar, mirrored: bool) -> list[Turn]:
    """The best rotations and scales that turn *other* into *base*, best first.

    Parameters
    ----------
    base, other : Polar
    mirrored : bool
        Mirror *other*, left to right, before that. The angles of its spectrum run the other way then.

    Returns
    -------
    list of Turn
        `PEAKS` of them.
    """
    from scipy import fft  # slow to import: only when it is used

    transform = other.transform[_BACKWARDS] if mirrored else other.transform
    surface = np.asarray(fft.irfft2(base.transform * np.conj(transform), (ANGLES, 2 * RADII)), np.float32)
    # shifts of -REACH to REACH radii
    surface = np.concatenate([surface[:, -REACH:], surface[:, : REACH + 1]], axis=1)
    best = []
    for _ in range(PEAKS):
        row, column = divmod(int(surface.argmax()), surface.shape[1])
        shift = column - REACH
        # a picture enlarged by s has its spectrum shrunk by s
        radians, scale = row * np.pi / ANGLES, float(np.exp(-shift * STEP))
        best.append(Turn(radians, scale, _likeness(base, other, row, shift, mirrored)))
        near = np.arange(row - NEAR_ANGLES, row + NEAR_ANGLES + 1) % ANGLES
        surface[near, max(0, column - NEAR_RADII) : column + NEAR_RADII + 1] = -np.inf
    return best


def _likeness(base: Polar, other: Polar, row: int, shift: int, mirrored: bool) -> float:
    """Correlation of two spectra, the other one turned by *row* angles and shifted by *shift* radii."""
    here = slice(max(0, shift), RADII + min(0, shift))
    there = slice(max(0, -shift), RADII - max(0, shift))
    order = (np.arange(ANGLES) - row) % ANGLES
    turned = other.local[_BACKWARDS[order] if mirrored else order, there]
    energy = float(base.energy[here].sum()) * float(other.energy[there].sum())
    return float(np.einsum("ij,ij->", base.local[:, here], turned)) / float(max(energy, 1e-12) ** 0.5)


_BACKWARDS = -np.arange(ANGLES) % ANGLES


def _high_pass() -> FloatArray:
    """(SPECTRUM_SIDE, SPECTRUM_SIDE / 2 + 1) factor that takes low frequencies away; along the rows centred."""
    wave = np.cos(np.pi * np.linspace(-0.5, 0.5, SPECTRUM_SIDE))
    valley = np.outer(wave, np.r_[wave[SPECTRUM_SIDE // 2 :], wave[0]])
    return np.asarray((1 - valley) * (2 - valley), np.float32)


def _polar_grid() -> tuple[FloatArray, FloatArray]:
    """(ANGLES, RADII) columns and rows of half a spectrum: frequencies down along the columns, across centred."""
    angle = np.linspace(0, np.pi, ANGLES, endpoint=False)[:, None]
    radius = SMALLEST * (LARGEST / SMALLEST) ** (np.arange(RADII) / (RADII - 1))
    return (np.sin(angle) * radius).astype(np.float32), (SPECTRUM_SIDE / 2 + np.cos(angle) * radius).astype(np.float32)


_HIGH_PASS, _POLAR = _high_pass(), _polar_grid()


def _log_polar_spectrum(picture: ByteArray, mask: Mask) -> FloatArray:
    """Return (ANGLES, RADII) high-passed magnitudes of the picture in the middle of a zero square."""
    from scipy import fft  # slow to import: only when it is used

    height, width = mask.shape
    window = np.outer(np.hanning(height + 2)[1:-1], np.hanning(width + 2)[1:-1])
    weight = (mask * window).astype(np.float32)
    level = standardise(picture.astype(np.float32)[None], weight[None])[0]
    # transposed, so that the half that a real transform leaves out is the upper one, which the angles do not reach
    square = np.zeros((SPECTRUM_SIDE, SPECTRUM_SIDE), np.float32)
    top, left = (SPECTRUM_SIDE - height) // 2, (SPECTRUM_SIDE - width) // 2
    square[left : left + width, top : top + height] = (level * weight).T
    spectrum = fft.fftshift(np.abs(fft.rfft2(square)), axes=0)
    passed = np.asarray(np.log1p(spectrum) * _HIGH_PASS, np.float32)
    polar = np.asarray(cv2.remap(passed, *_POLAR, cv2.INTER_LINEAR))
    return np.asarray(polar - polar.mean(), np.float32)
