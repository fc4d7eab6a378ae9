"""Synthetic landscapes and copies of them, for `demo`."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import Any

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from dedupindex.records import ByteArray

HEIGHT, WIDTH = 420, 640  # pixels


def demo_files() -> dict[str, bytes]:
    """Return the demo pictures, by file name: four scenes, copies of three of them, and two windows of one more."""
    hills, coast, town, dunes, valley = (landscape(seed) for seed in (11, 24, 37, 41, 58))
    return {
        "hills.png": encoded(hills, "PNG"),
        "hills copy.png": encoded(hills, "PNG"),
        "hills small.jpg": encoded(resized(hills, 0.5), "JPEG", quality=80),
        "hills part.jpg": encoded(np.ascontiguousarray(hills[40:380, 150:560]), "JPEG", quality=90),
        "coast.jpg": encoded(coast, "JPEG", quality=92),
        "coast mirrored.jpg": encoded(np.ascontiguousarray(coast[:, ::-1]), "JPEG", quality=85),
        "coast bright.jpg": encoded(brighter(coast), "JPEG", quality=85),
        "coast turned.jpg": encoded(turned(coast, 12), "JPEG", quality=88),
        "town.png": encoded(town, "PNG"),
        "town captioned.jpg": encoded(captioned(town), "JPEG", quality=85),
        "dunes.jpg": encoded(dunes, "JPEG", quality=90),
        "valley left.png": encoded(np.ascontiguousarray(valley[:, :500]), "PNG"),
        "valley right.png": encoded(np.ascontiguousarray(valley[30:, 120:]), "PNG"),
    }


def landscape(seed: int) -> ByteArray:
    """Return a made-up landscape, (420, 640, 3) uint8: sky, sun, ranges of hills, trees or houses."""
    random = np.random.default_rng(seed)
    rows = np.linspace(0, 1, HEIGHT)[:, None, None]
    top, bottom = random.uniform((40, 80, 150), (110, 150, 230)), random.uniform((190, 170, 140), (250, 220, 200))
    picture = np.repeat(top * (1 - rows) + bottom * rows, WIDTH, axis=1)
    picture += 38 * noise(random, 5)[..., None] * (1 - rows)
    canvas = np.clip(picture, 0, 255).astype(np.uint8)
    sun = (int(random.integers(60, WIDTH - 60)), int(random.integers(40, 140)))
    cv2.circle(canvas, sun, int(random.integers(14, 34)), (255, 244, 200), -1, cv2.LINE_AA)
    for layer in range(4):
        hills_of(canvas, random, layer)
    return canvas


def hills_of(canvas: ByteArray, random: Generator, layer: int) -> None:
    """Draw a range of hills with trees and houses, in place.

    Parameters
    ----------
    canvas : (HEIGHT, WIDTH, 3) uint8
        RGB.
    random : Generator
    layer : int
        0 = the farthest; nearer ones are lower in the picture and darker.
    """
    steps = np.linspace(0, 1, WIDTH)
    height = HEIGHT * (0.42 + 0.14 * layer) * np.ones(WIDTH)
    for octave in range(1, 6):
        height += 46 / octave**1.2 * np.sin(2 * np.pi * (octave * 1.3 * steps + random.random()) + random.random())
    colour = random.uniform((60, 80, 50), (150, 150, 110)) * (1 - 0.16 * layer)
    texture = 1 + 0.22 * noise(random, 7) + 0.06 * random.normal(size=(HEIGHT, WIDTH))
    below = np.arange(HEIGHT)[:, None] >= height
    shade = np.clip(colour * texture[..., None], 0, 255).astype(np.uint8)
    canvas[below] = shade[below]
    for _ in range(int(random.integers(6, 16))):
        x = int(random.integers(5, WIDTH - 5))
        foot, size = int(height[x]), int((10 + 9 * layer) * random.uniform(0.7, 1.5))
        tint = tuple(int(v) for v in random.uniform((20, 50, 20), (110, 120, 70)))
        if random.random() < 0.5:
            points = np.array([[x - size // 2, foot + 3], [x + size // 2, foot + 3], [x, foot - 2 * size]], np.int32)
            cv2.fillPoly(canvas, [points], tint, cv2.LINE_AA)
        else:
            wall = tuple(int(v) for v in random.uniform(120, 250, 3))
            cv2.rectangle(canvas, (x - size // 2, foot - size), (x + size // 2, foot + 3), wall, -1)
            cv2.rectangle(
                canvas, (x - size // 6, foot - size // 2), (x + size // 6, foot - size // 5), (40, 40, 60), -1
            )


def noise(random: Generator, octaves: int) -> NDArray[np.float32]:
    """Return smooth noise of several sizes, (420, 640) float32, mean 0, deviation 1."""
    total = np.zeros((HEIGHT, WIDTH), np.float32)
    for octave in range(octaves):
        grid = random.normal(size=(4 * 2**octave, 6 * 2**octave)).astype(np.float32)
        total += np.asarray(cv2.resize(grid, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC), np.float32) / 1.6**octave
    return np.asarray((total - total.mean()) / total.std(), np.float32)


def resized(picture: ByteArray, factor: float) -> ByteArray:
    """Return the picture at another size."""
    return np.asarray(cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8)


def brighter(picture: ByteArray) -> ByteArray:
    """Return the picture with more light."""
    return np.asarray(np.clip(255 * (picture / 255.0) ** 0.7 + 12, 0, 255), np.uint8)


def turned(picture: ByteArray, degrees: float) -> ByteArray:
    """Return the picture turned about its centre, black outside."""
    matrix = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), degrees, 1.0)
    return np.asarray(cv2.warpAffine(picture, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC), np.uint8)


def captioned(picture: ByteArray) -> ByteArray:
    """Return the picture with a caption across its foot."""
    copy = picture.copy()
    cv2.rectangle(copy, (0, HEIGHT - 48), (WIDTH, HEIGHT - 8), (250, 250, 250), -1)
    cv2.putText(copy, "GREETINGS", (190, HEIGHT - 18), cv2.FONT_HERSHEY_DUPLEX, 1.1, (180, 20, 40), 2, cv2.LINE_AA)
    return copy


def encoded(picture: ByteArray, form: str, **options: Any) -> bytes:
    """Return the picture as a file's bytes.

    Parameters
    ----------
    picture : (H, W, 3) uint8
        RGB.
    form : str
        A format of Pillow.
    **options
        Of Pillow's writer.

    Returns
    -------
    bytes
    """
    buffer = BytesIO()
    settings: Mapping[str, Any] = options
    Image.fromarray(picture).save(buffer, form, **settings)
    return buffer.getvalue()
