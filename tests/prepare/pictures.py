"""Small pictures that behave like photographs."""

import io

import numpy as np
from PIL import Image
from scipy import ndimage

from dedupindex.records import Frame


def photo(height=180, width=240, seed=0, colour=True):
    """Smooth noise on many scales with some hard edges, uint8."""
    rng = np.random.default_rng(seed)
    planes = []
    shared = sum(ndimage.gaussian_filter(rng.normal(size=(height, width)), s, mode="wrap") * s for s in (1, 4, 16))
    blocks = np.kron(rng.random((height // 20 + 1, width // 20 + 1)), np.ones((20, 20)))[:height, :width]
    for _ in range(3 if colour else 1):
        own = ndimage.gaussian_filter(rng.normal(size=(height, width)), 8) * 8
        plane = shared + 0.5 * own + 1.5 * blocks
        planes.append(40 + 170 * (plane - plane.min()) / np.ptp(plane))
    picture = np.dstack(planes) if colour else planes[0]
    return picture.astype(np.uint8)


def jpeg(picture, quality=90):
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def frame(pixels, mask=None, **more):
    return Frame(pixels, np.ones(pixels.shape[:2], bool) if mask is None else mask, **more)
