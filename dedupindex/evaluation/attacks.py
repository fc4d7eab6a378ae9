"""Ways in which pictures are changed between their original and a copy, to measure and train against.

Every attack is a pure function of an RGB picture, a strength and a random generator, and returns (H', W', 3) uint8.
Strength 1 is what is common; 0.5 is mild, 2 is severe.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from io import BytesIO

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from dedupindex.errors import SettingsError
from dedupindex.records import ByteArray

Attack = Callable[[ByteArray, float, Generator], ByteArray]


def _clip(values: NDArray[np.floating]) -> ByteArray:
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)


def _resize(picture: ByteArray, width: int, height: int) -> ByteArray:
    way = cv2.INTER_AREA if width < picture.shape[1] else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, (max(width, 8), max(height, 8)), interpolation=way), np.uint8)


def recompress(picture: ByteArray, strength: float, random: Generator) -> ByteArray:
    """JPEG at quality 8 to 95; 30 to 60 at strength 1.

    Parameters
    ----------
    picture : (H, W, 3) uint8
    strength : float
        Divides the quality.
    random : Generator
    """
    from PIL import Image

    quality = int(np.clip(random.uniform(30, 60) / strength, 8, 95))
    buffer = BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=quality)
    return np.array(Image.open(buffer).convert("RGB"))


def resize(picture: ByteArray, strength: float, random: Generator) -> ByteArray:
    """Scale by 0.3 to 0.7 (in 7 of 10 cases) or 1.2 to 1.6; the aspect is kept.

    Parameters
    ----------
    picture : (H, W, 3) uint8
    strength : float
        Exponent of the reduction.
    random : Generator
    """
    height, width = picture.shape[:2]
    factor = random.uniform(0.3, 0.7) ** strength if random.random() < 0.7 else random.uniform(1.2, 1.6)
    return _resize(picture, round(width * factor), round(height * factor))


def stretch(picture: ByteArray, strength: float, random: Generator) -> ByteArray:
    """Stretch one side by up to 25 %.

    Parameters
    ----------
    picture : (H, W, 3) uint8
    strength : float
        Factor of the stretch.
    random : Generator
    """
    height, width = picture.shape[:2]
    factor = 1 + 0.25 * strength * random.random()
    return (
        _resize(picture, round(width * factor), height)
        if random.random() < 0.5
        else _resize(picture, width, round(height * factor))
    )


def tone(picture: ByteArray, strength: float, random: Generator) -> ByteArray:
    """Gain, offset and gamma.

    Parameters
    ----------
    picture : (H, W, 3) uint8
    strength : float
        Factor of all three.
    random : Generator
    """
    gamma = np.exp(random.uniform(-0.6, 0.6) * strength)
    gain = np.exp(random.uniform(-0.35, 0.35) * strength)
    return _clip(255 * gain * (picture / 255.0) ** gamma + random.uniform(-20, 20) * strength)


def colour(picture: ByteArray, strength: float, random: Generator) -> ByteArray:
    """Grey (in 4 of 10 cases), or hues turned by 16 to 60 degrees.

    Parameters
    ----------
    picture : (H, W, 3) uint8
    strength : float
        Factor of the turn.
    random : Generator
    """
    if random.random() < 0.4:
        return np.repeat(_clip(picture @ np.array([0.299, 0.587, 0.114]))[..., None], 3, axis=2)
    hsv = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV)
    hsv[..., 0] = (hsv[..., 0].astype(int) + int(random.uniform(8, 30) * strength)) % 180
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), np.uint8)


def blur(picture: ByteArray, strength: float, random: Generator) -> ByteArray:
    """Gaussian blur, sigma up to about 0.7 % of the longest side.

    Parameters
    ----------
    picture : (H, W, 3) uint8
    strength : float
        Factor of sigma.
    random : Generator
    """
    sigma = max(picture.shape[:2]) / 640 * random.uniform(1.5, 4.5) * strength
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.uint8)


def noise(picture: ByteArray, strength: float, random: Generator) -> ByteArray:
    """Additive Gaussian noise, sigma 8 to 28 grey levels.

    Parameters
    ----------
    picture : (H, W, 3) uint8
    strength : float
        Factor of sigma.
    random : Generator
    """
    return _clip(picture + random.normal(0, random.uniform(8, 28) * strength, picture.shape))


def speckle(picture: ByteArray, strength: float, random: Generator) -> ByteArray:
    """Multiplicative gamma noise on the luminance, as in coherent imaging.

    Parameters
    ----------
    picture : (H, W, 3) uint8
    strength : float
        Divides the number of looks.
    random : Generator
    """
    looks = random.uniform(4, 12) / strength
    grey = picture @ np.array([0.299, 0.587, 0.114])
    return np.repeat(_clip(grey * random.gamma(looks, 1 / looks, grey.shape))[..., None], 3, axis=2)


def sharpen(picture: ByteArray, strength: float, random: Generator) -> ByteArray:
    """Unsharp mask.

    Parameters
    ----------
    picture : (H, W, 3) uint8
    strength : float
        Factor of the amount.
    random : Generator
    """
    soft = cv2.GaussianBlur(picture, (0, 0), 2.5).astype(np.float32)
    return _clip(picture + (picture - soft) * random.uniform(1.5, 3) * strength)


def posterise(picture: ByteArray, strength: float, random: Generator) -> ByteArray:
    """Reduce to few grey levels in each channel.

    Parameters
    ----------
    picture : (H, W, 3) uint8
    strength : float
        Divides their number.
    random : Generator
    """
    step = 256 / max(3.0, random.uniform(4, 8) / strength)
    return _clip(np.floor(picture / step) * step)


def crop(picture: ByteArray, strength: float, random: Generator) -> ByteArray:
    """Keep 28 to 90 % of the area, anywhere; never less than 8 %.

    Parameters
    ----------
    picture : (H, W, 3) uint8
    strength : float
        Factor of the area that goes.
    random : Generator
    """
    height, width = picture.shape[:2]
    side = float(np.sqrt(np.clip(1 - random.uniform(0.1, 0.72) * strength, 0.08, 1)))
    h, w = max(8, round(height * side)), max(8, round(width * side))
    top, left = random.integers(0, height - h + 1), random.integers(0, width - w + 1)
    return picture[top : top + h, left : left + w].copy()


def window(picture: ByteArray, strength: float, random: Generator) -> ByteArray:
    """The same scene as a camera sees it that is shifted by 3 to 30 % of each side.

    Parameters
    ----------
    picture : (H, W, 3) uint8
    strength : float
        Factor of the shift.
    random : Generator
    """
    height, width = picture.shape[:2]
    share = min(0.6, random.uniform(0.03, 0.3) * strength)
    dy, dx = round(height * share), round(width * share)
    rows = slice(dy, None) if random.random() < 0.5 else slice(None, height - dy)
    columns = slice(dx, None) if random.random() < 0.5 else slice(None, width - dx)
    return picture[rows, columns].copy()


def shift(picture: ByteArray, strength: float, random: Generator) -> ByteArray:
    """Shift inside the frame by 1 to 25 %; the free area is black, the mean colour, or the edge repeated.

    Parameters
    ----------
    picture : (H, W, 3) uint8
    strength : float
        Factor of the shift.
    random : Generator
    """
    height, width = picture.shape[:2]
    share = min(0.5, random.uniform(0.01, 0.25) * strength)
    matrix = np.array([[1, 0, random.choice([-1, 1]) * width * share], [0, 1, random.choice([-1, 1]) * height * share]])
    fill = random.integers(3)
    border = cv2.BORDER_REPLICATE if fill == 2 else cv2.BORDER_CONSTANT
    colour = picture.mean((0, 1)).tolist() if fill == 1 else (0, 0, 0)
    warped = cv2.warpAffine(picture, np.rint(matrix), (width, height), borderMode=border, borderValue=colour)
    return np.asarray(warped, np.uint8)


def rotate(picture: ByteArray, strength: float, random: Generator) -> ByteArray:
    """Rotate by 1 to 18 degrees; corners filled with black or white, or cut off.

    Parameters
    ----------
    picture : (H, W, 3) uint8
    strength : float
        Factor of the angle.
    random : Generator
    """
    height, width = picture.shape[:2]
    degrees = random.choice([-1, 1]) * random.uniform(1, 18) * strength
    fill = (255, 255, 255) if random.random() < 0.5 else (0, 0, 0)
    sine, cosine = abs(np.sin(np.deg2rad(degrees))), abs(np.cos(np.deg2rad(degrees)))
    w, h = round(width * cosine + height * sine), round(width * sine + height * cosine)
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    matrix[:, 2] += ((w - width) / 2, (h - height) / 2)
    turned = np.asarray(cv2.warpAffine(picture, matrix, (w, h), flags=cv2.INTER_CUBIC, borderValue=fill), np.uint8)
    if random.random() < 0.4:
        inner = min(width / (width * cosine + height * sine), height / (width * sine + height * cosine))
        ih, iw = round(height * inner), round(width * inner)
        top, left = (h - ih) // 2, (w - iw) // 2
        turned = turned[top : top + ih, left : left + iw].copy()
    return turned


def quarter_turn(picture: ByteArray, strength: float, random: Generator) -> ByteArray:
    """Rotate by 90, 180 or 270 degrees.

    Parameters
    ----------
    picture : (H, W, 3) uint8
    strength : float
        Not used.
    random : Generator
    """
    return np.ascontiguousarray(np.rot90(picture, int(random.integers(1, 4))))


def mirror(picture: ByteArray, strength: float, random: Generator) -> ByteArray:
    """Mirror left-right or upside-down.

    Parameters
    ----------
    picture : (H, W, 3) uint8
    strength : float
        Not used.
    random : Generator
    """
    return np.ascontiguousarray(picture[:, ::-1] if random.random() < 0.5 else picture[::-1])


def border(picture: ByteArray, strength: float, random: Generator) -> ByteArray:
    """Add a frame of one colour, or letterbox bars.

    Parameters
    ----------
    picture : (H, W, 3) uint8
    strength : float
        Factor of the width.
    random : Generator
    """
    height, width = picture.shape[:2]
    wide = round(min(height, width) * random.uniform(0.04, 0.2) * strength)
    grey = int(random.choice([0, 255, 128]))
    vertical, horizontal = ((wide, wide), (wide, 0), (0, wide))[random.integers(3)]
    return np.pad(picture, ((vertical, vertical), (horizontal, horizontal), (0, 0)), constant_values=grey)


def caption(picture: ByteArray, strength: float, random: Generator) -> ByteArray:
    """Write words over the picture, or into a bar above it.

    Parameters
    ----------
    picture : (H, W, 3) uint8
    strength : float
        Factor of the size.
    random : Generator
    """
    result = picture.copy()
    height, width = picture.shape[:2]
    scale = max(0.4, height / 420 * random.uniform(0.8, 1.5) * strength)
    words = ("A DAY AT THE SEA", "you will not believe this", "(c) the photographer", "read more below")[
        random.integers(4)
    ]
    if random.random() < 0.4:
        bar = round(48 * scale)
        result = np.pad(result, ((bar, 0), (0, 0), (0, 0)), constant_values=255)
        cv2.putText(result, words, (width // 20, round(bar * 0.7)), cv2.FONT_HERSHEY_DUPLEX, scale, (0, 0, 0), 2)
        return result
    place = (int(width * random.uniform(0.02, 0.2)), int(height * random.uniform(0.15, 0.95)))
    cv2.putText(result, words, place, cv2.FONT_HERSHEY_DUPLEX, scale, (0, 0, 0), max(2, round(scale * 5)))
    cv2.putText(result, words, place, cv2.FONT_HERSHEY_DUPLEX, scale, (255, 255, 240), max(1, round(scale * 2)))
    return result


def watermark(picture: ByteArray, strength: float, random: Generator) -> ByteArray:
    """Repeat a translucent word all over the picture.

    Parameters
    ----------
    picture : (H, W, 3) uint8
    strength : float
        Factor of the opacity.
    random : Generator
    """
    height, width = picture.shape[:2]
    layer = np.zeros((height, width), np.uint8)
    scale = max(0.5, height / 250 * random.uniform(0.8, 1.4))
    for y in range(0, height + 40, max(36, height // 3)):
        for x in range(-width // 4, width, max(80, width // 2)):
            cv2.putText(
                layer, "PREVIEW", (x + y // 3, y), cv2.FONT_HERSHEY_SIMPLEX, scale, 255, max(2, round(3 * scale))
            )
    opacity = (layer / 255.0)[..., None] * min(0.9, 0.43 * strength)
    return _clip(picture * (1 - opacity) + 255 * opacity)


def logo(picture: ByteArray, strength: float, random: Generator) -> ByteArray:
    """Cover a corner with a disc.

    Parameters
    ----------
    picture : (H, W, 3) uint8
    strength : float
        Factor of its size.
    random : Generator
    """
    result = picture.copy()
    height, width = picture.shape[:2]
    size = round(min(height, width) * min(0.5, random.uniform(0.15, 0.28) * strength))
    x, y = random.choice([0, width - size]), random.choice([0, height - size])
    centre = (int(x + size // 2), int(y + size // 2))
    cv2.circle(result, centre, size // 2, random.integers(0, 256, 3).tolist(), -1)
    cv2.circle(result, centre, size // 5, (255, 255, 255), -1)
    return result


def screenshot(picture: ByteArray, strength: float, random: Generator) -> ByteArray:
    """Show the picture inside the window of a program, at another scale.

    Parameters
    ----------
    picture : (H, W, 3) uint8
    strength : float
        Not used.
    random : Generator
    """
    height, width = picture.shape[:2]
    grey = 245 if random.random() < 0.5 else 24
    page = np.full((round(height * 1.4), round(width * 1.25), 3), grey, np.uint8)
    top, left = round(height * 0.2), round(width * 0.125)
    page[top : top + height, left : left + width] = picture
    page[: round(height * 0.08)] = (60, 90, 160)
    ink = (20, 20, 20) if grey > 100 else (230, 230, 230)
    scale = max(0.4, height / 600)
    cv2.putText(page, "File  Edit  View", (10, round(height * 0.15)), cv2.FONT_HERSHEY_SIMPLEX, scale, ink, 1)
    cv2.putText(page, "12 comments", (10, round(height * 1.33)), cv2.FONT_HERSHEY_SIMPLEX, scale, ink, 1)
    factor = random.uniform(0.55, 0.9)
    return _resize(page, round(page.shape[1] * factor), round(page.shape[0] * factor))


ATTACKS: Mapping[str, Attack] = {
    function.__name__: function
    for function in (
        recompress,
        resize,
        stretch,
        tone,
        colour,
        blur,
        noise,
        speckle,
        sharpen,
        posterise,
        crop,
        window,
        shift,
        rotate,
        quarter_turn,
        mirror,
        border,
        caption,
        watermark,
        logo,
        screenshot,
    )
}


def attack(name: str, picture: ByteArray, strength: float, random: Generator) -> ByteArray:
    """Apply the attack called `name`.

    Parameters
    ----------
    name : str
        A key of `ATTACKS`, or several joined by ``+``, applied in that order.
    picture : (H, W, 3) uint8
    strength : float
        0.5 mild, 1 common, 2 severe.
    random : numpy.random.Generator

    Returns
    -------
    (H', W', 3) uint8

    Raises
    ------
    SettingsError
        Unknown name.
    """
    for part in name.split("+"):
        if part not in ATTACKS:
            raise SettingsError(f"unknown attack {part!r}; there are: {', '.join(ATTACKS)}")
        picture = ATTACKS[part](picture, strength, random)
    return picture
