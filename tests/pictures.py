"""Small made-up pictures with plenty of structure, so that only copies look alike."""

from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter


def picture(seed: int, height: int = 120, width: int = 160) -> np.ndarray:
    """(H, W, 3) uint8: smooth blobs, rectangles and a little texture."""
    return _made(seed, height, width).copy()


@lru_cache(256)  # the same few are asked for by hundreds of tests
def _made(seed: int, height: int, width: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    base = np.stack([gaussian_filter(rng.normal(size=(height, width)), 9) for _ in range(3)], axis=2)
    base = 110 + 700 * base
    for _ in range(14):
        y, x = rng.integers(0, height - 20), rng.integers(0, width - 20)
        h, w = rng.integers(8, 40, 2)
        base[y : y + h, x : x + w] = rng.integers(0, 256, 3)
    base += 6 * rng.normal(size=(height, width, 1))
    return base.clip(0, 255).astype(np.uint8)


def save(path: Path, pixels: np.ndarray, **options) -> Path:
    """Write pixels as a file of the kind that its name says; *options* are Pillow's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix in (".png", ".jpg") and all(isinstance(value, int | str) for value in options.values()):
        shape, kind = pixels.shape, pixels.dtype.str
        path.write_bytes(_encoded(pixels.tobytes(), shape, kind, path.suffix, tuple(sorted(options.items()))))
    else:
        Image.fromarray(pixels).save(path, **options)
    return path


@lru_cache(128)
def _encoded(
    data: bytes, shape: tuple[int, ...], kind: str, suffix: str, options: tuple[tuple[str, Any], ...]
) -> bytes:
    """A PNG or JPEG file; large ones take longer to pack than to describe."""
    stream = BytesIO()
    pixels = np.frombuffer(data, kind).reshape(shape)
    Image.fromarray(pixels).save(stream, "PNG" if suffix == ".png" else "JPEG", **dict(options))
    return stream.getvalue()


def half(pixels: np.ndarray) -> np.ndarray:
    image = Image.fromarray(pixels)
    return np.asarray(image.resize((image.width * 2 // 3, image.height * 2 // 3), Image.Resampling.LANCZOS))


def make_tree(root: Path, count: int = 6) -> Path:
    """*count* pictures; of the first two, a smaller JPEG and a byte copy each; one blank page; notes; a broken file."""
    for number in range(count):
        save(root / f"p{number}.png", picture(number))
    for number in range(2):
        save(root / "copies" / f"small{number}.jpg", half(picture(number)), quality=85)
        (root / "copies" / f"same{number}.png").write_bytes((root / f"p{number}.png").read_bytes())
    save(root / "blank.png", np.full((50, 60, 3), 255, np.uint8))
    (root / "notes.txt").write_text("nothing to see")
    (root / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 and then nothing")
    return root
