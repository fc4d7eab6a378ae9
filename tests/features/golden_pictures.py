"""Twenty small pictures of every kind, made by whole-number arithmetic so that they are the same on every machine."""

from collections.abc import Iterator

import numpy as np

from dedupindex.records import Frame
from dedupindex.settings import Settings

PLAIN, FILTERED, WHOLE = Settings(), Settings(filters=("median:3", "lee:3")), Settings(trim_borders=False)
STRICT = Settings(mask_saturated=True, erode_mask=2)


def waves(height: int, width: int, seed: int) -> np.ndarray:
    """Smooth hills, hard-edged discs and a fine texture, (height, width) int64, 20..235; integers alone."""
    y, x = np.mgrid[:height, :width].astype(np.int64)
    picture = 60 + (x * (90 + seed) // width) + (y * 50 // height)
    state = 7919 * (seed + 1)
    for number in range(14):
        state = (state * 1103515245 + 12345) % 2**31
        cy, cx = state // 7 % height, state // 1009 % width
        radius = 4 + state // 31 % (min(height, width) // 4 + 1)
        far = (y - cy) ** 2 + (x - cx) ** 2
        picture = np.where(far < radius**2, 30 + (state >> 9) % 190 + (radius**2 - far) * 20 // radius**2, picture)
        if number % 3 == 0:
            picture = picture + (((x * (2 + number) + y * (number - 5)) // 6) % 2) * 5
    return np.clip(picture, 20, 235)


def colours(height: int, width: int, seed: int) -> np.ndarray:
    """Three of `waves`, (height, width, 3) int64."""
    first = waves(height, width, seed)
    return np.dstack([first, (first * 2 + waves(height, width, seed + 1)) // 3, 255 - first // 2])


def turned(picture: np.ndarray, fill: int) -> np.ndarray:
    """The picture turned by the angle whose tangent is 1/8, in a frame that holds it all, nearest pixels."""
    height, width = picture.shape[:2]
    rows, columns = height + width // 8, width + height // 8
    y, x = np.mgrid[:rows, :columns].astype(np.int64)
    v, u = 2 * y - rows + 1, 2 * x - columns + 1  # twice the distance from the middle
    # cosine and sine of the angle are 8 and 1 over the root of 65, 8.0623: in ten-thousandths
    source_x = (u * 9923 + v * 1240 + width * 10_000) // 20_000
    source_y = (-u * 1240 + v * 9923 + height * 10_000) // 20_000
    inside = (source_x >= 0) & (source_x < width) & (source_y >= 0) & (source_y < height)
    taken = picture[np.clip(source_y, 0, height - 1), np.clip(source_x, 0, width - 1)]
    return np.where(inside if picture.ndim == 2 else inside[..., None], taken, fill)


def framed(picture: np.ndarray, value: int) -> np.ndarray:
    """The picture in a border that is not the same on all sides."""
    widths = ((24, 24), (12, 30), (0, 0))[: picture.ndim]
    return np.pad(picture, widths, constant_values=value)


def holes(height: int, width: int) -> np.ndarray:
    """A mask with a hole in the middle and a strip without data, True = valid."""
    mask = np.ones((height, width), bool)
    mask[height // 3 : height // 2, width // 4 : width // 2] = False
    mask[:, -width // 10 :] = False
    return mask


def golden_pictures() -> Iterator[tuple[str, list[Frame], Settings]]:
    """Name, frames (several: a stack) and settings."""

    def single(pixels: np.ndarray, mask: np.ndarray | None = None, **more) -> list[Frame]:
        return [Frame(pixels, np.ones(pixels.shape[:2], bool) if mask is None else mask, **more)]

    grey, colour = waves(120, 160, 1), colours(150, 200, 2)
    byte = np.uint8
    yield "8-bit grey", single(grey.astype(byte)), PLAIN
    yield "8-bit colour", single(colour.astype(byte)), PLAIN
    yield "8-bit colour, larger than the working side", single(colours(450, 600, 3).astype(byte)), PLAIN
    yield "8-bit colour, masked", single(colour.astype(byte), holes(150, 200)), PLAIN
    yield "8-bit colour, fast profile", single(colour.astype(byte)), Settings(profile="fast")
    yield "8-bit with an alpha channel", single(colour.astype(byte), colour[..., 0] > 70), PLAIN
    yield "8-bit grey in a border", single(framed(grey, 255).astype(byte)), PLAIN
    yield "8-bit colour in a black border", single(framed(colour, 0).astype(byte)), PLAIN
    yield "8-bit colour, turned", single(turned(colour, 0).astype(byte)), PLAIN
    yield "8-bit grey, filtered", single(grey.astype(byte)), FILTERED
    yield "8-bit grey, saturated and eroded", single(np.where(grey > 180, 255, grey).astype(byte)), STRICT
    yield "decoded reduced", single(colour.astype(byte), full_shape=(600, 800)), PLAIN
    yield "16-bit grey", single((grey * 251).astype(np.uint16), bits=16), PLAIN
    yield "16-bit grey, turned", single((turned(grey, 0) * 251).astype(np.uint16), bits=16), PLAIN
    yield "12 bits in 16, by data type", single((grey * 16).astype(np.uint16), bits=12), Settings(scaling="dtype")
    yield "16-bit colour, masked", single((colour * 200).astype(np.uint16), holes(150, 200), bits=16), PLAIN
    yield "signed 32-bit", single((grey * 1000 - 99_000).astype(np.int32), bits=32), Settings(scaling="minmax")
    not_finite = np.where(holes(120, 160), grey, np.nan)
    yield "float with NaN", single((not_finite / 16).astype(np.float32), bits=32), PLAIN
    yield "float colour of the range 0..1", single(colour / 256, bits=64), Settings(scaling="dtype")
    yield "tiny", single(waves(9, 11, 4).astype(byte)), PLAIN
    yield "constant", single(np.full((40, 50, 3), 77, byte)), PLAIN
    for dtype, name in ((byte, "8-bit"), (np.uint16, "16-bit")):
        stack = [
            Frame((waves(28, 28, k) * (1 if dtype == byte else 99)).astype(dtype), np.ones((28, 28), bool), number=k,
                  bits=8 * np.dtype(dtype).itemsize, stack_range=(0.0, 25_000.0))
            for k in range(3)
        ]  # fmt: skip
        yield f"a stack of three tiny {name} frames", stack, WHOLE
