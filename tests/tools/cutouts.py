"""Objects cut out on one colour: many with nearly one outline and other surfaces, so that the outline tells nothing."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator
from scipy.ndimage import gaussian_filter

from dedupindex.records import ByteArray, FloatArray, Mask

WAVES = 5  # of an outline: its distance from the middle as a Fourier series of the angle


def outline(random: Generator) -> FloatArray:
    """(2, WAVES + 1) amplitudes and phases of an outline; the first amplitude is the mean radius, 0..1 of half a side.

    The second row's first number is the aspect.
    """
    amplitudes = np.r_[random.uniform(0.6, 0.85), random.normal(0, 0.05, WAVES) / np.arange(1, WAVES + 1) ** 0.5]
    phases = np.r_[random.uniform(0.55, 1.0), random.uniform(0, 2 * np.pi, WAVES)]
    return np.stack([amplitudes, phases]).astype(np.float32)


def like(shape: FloatArray, random: Generator, share: float) -> FloatArray:
    """An outline that differs from another one by about *share* of what outlines differ by."""
    other = outline(random)
    return np.asarray((1 - share) * shape + share * other, np.float32)


def inside(shape: FloatArray, size: tuple[int, int]) -> Mask:
    """(H, W) bool: what lies within an outline in the middle of a frame of that size."""
    rows, columns = (np.linspace(-1, 1, count, dtype=np.float32) for count in size)
    y, x = rows[:, None], columns[None, :]
    y = y / shape[1, 0]
    angle = np.arctan2(y, x)
    limit = np.full_like(angle, shape[0, 0])
    for wave in range(1, WAVES + 1):
        limit += shape[0, wave] * np.cos(wave * angle + shape[1, wave])
    found: Mask = np.hypot(x, y) < limit
    return found


def skin(size: tuple[int, int], random: Generator) -> ByteArray:
    """(H, W, 3) uint8: a surface with shading, mottles of some sizes and a few spots, of one random colour."""
    height, width = size
    colour = random.uniform(90, 220, 3)
    level = np.zeros(size, np.float32)
    for sigma in (max(size) / 60, max(size) / 25):
        field = gaussian_filter(random.normal(size=size), sigma)
        level += (field / field.std() * random.uniform(0.02, 0.12)).astype(np.float32)
    for _ in range(int(random.integers(0, 25))):
        centre = (int(random.integers(width)), int(random.integers(height)))
        radius = int(max(size) * random.uniform(0.004, 0.02)) + 1
        cv2.circle(level, centre, radius, float(level[centre[1], centre[0]] + random.uniform(-0.3, 0.15)), -1)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    turn, depth = random.uniform(0, 2 * np.pi), random.uniform(0.1, 0.45)
    shade = 1 - depth * ((x - 0.3 * np.cos(turn)) ** 2 + (y - 0.3 * np.sin(turn)) ** 2)
    values = colour * ((1 + level) * shade)[..., None]
    return np.clip(np.rint(values + random.normal(0, 1.5, values.shape)), 0, 255).astype(np.uint8)


def cut_out(surface: ByteArray, mask: Mask, ground: int) -> ByteArray:
    """A surface within a mask, on black (0), white (255) or grey, its edge a pixel soft."""
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.8)[..., None]
    return np.rint(surface * soft + ground * (1 - soft)).astype(np.uint8)


def gradient(size: tuple[int, int], random: Generator) -> ByteArray:
    """(H, W, 3) uint8: a smooth change of brightness in some direction, straight, bent or round."""
    y, x = np.mgrid[-1 : 1 : size[0] * 1j, -1 : 1 : size[1] * 1j]
    turn = random.uniform(0, 2 * np.pi)
    along = x * np.cos(turn) + y * np.sin(turn)
    across = y * np.cos(turn) - x * np.sin(turn)
    kind = int(random.integers(6))  # half of them are straight
    if kind == 1:
        along = along + random.uniform(0.2, 0.9) * across**2
    elif kind == 2:
        along = np.hypot(x - random.uniform(-1, 1), y - random.uniform(-1, 1))
    elif kind == 3:
        along = np.tanh(random.uniform(1, 4) * (along - random.uniform(-0.5, 0.5)))
    level = (along - along.min()) / np.ptp(along)
    low, high = random.uniform(0, 110, 3), random.uniform(140, 255, 3)
    noise = max(0.0, float(random.uniform(-1.5, 1.5)))  # grey levels; none in half of them
    values = low + (high - low) * level[..., None] + random.normal(0, noise, (*size, 1))
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def field(size: tuple[int, int], random: Generator) -> ByteArray:
    """(H, W, 3) uint8: a grey smooth random field, hardly a keypoint in it."""
    values = gaussian_filter(random.normal(size=size), max(size) * random.uniform(0.05, 0.2), mode="reflect")
    level = (values - values.min()) / np.ptp(values)
    grey = np.rint(random.uniform(0, 60) + random.uniform(120, 190) * level).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)
