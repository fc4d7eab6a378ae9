"""Pictures for the proof: photographs of scikit-image, a page of text, and what is done to them."""

import io

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from dedupindex.records import Frame
from dedupindex.search.proof_reading import proof_picture_from_frame
from dedupindex.settings import Settings

SETTINGS = Settings()
IDENTITY = np.eye(2, 3)


def photograph(name="astronaut", side=400):
    from skimage import data

    image = Image.fromarray(getattr(data, name)()).convert("RGB")
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    return image


ERASED_BOX = 620, 300, 60, 56  # top, left, height, width


def wall():
    """A photograph on a wall of fine plaster, larger than the first grid, and the same with a place smoothed."""
    random = np.random.default_rng(2)
    plaster = cv2.GaussianBlur(random.normal(0, 1, (1200, 1600)), (0, 0), 1.2)
    scene = np.linspace(120, 160, 1600) + 4.5 * plaster / plaster.std()
    scene[200:1000, 700:1500] = np.asarray(photograph(side=512).convert("L").resize((800, 800)))
    erased = scene.copy()
    top, left, height, width = ERASED_BOX
    place = np.s_[top : top + height, left : left + width]
    erased[place] = cv2.blur(scene, (41, 41))[place]
    return scene, erased


def encoded(plane, quality):
    """A plane of levels as the bytes of a JPEG."""
    buffer = io.BytesIO()
    Image.fromarray(plane.clip(0, 255).astype(np.uint8)).convert("RGB").save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def page(rows, size=(620, 800)):
    """A form: fixed labels and lines, and one text a row."""
    image = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    draw.rectangle((20, 20, size[0] - 20, 70), fill=(40, 60, 110))
    draw.text((40, 30), "Delivery note", "white", font=ImageFont.load_default(26))
    for number, text in enumerate(rows):
        y = 100 + 42 * number
        draw.text((30, y), f"Line {number + 1}", (90, 90, 90), font=ImageFont.load_default(16))
        draw.line((30, y + 30, size[0] - 30, y + 30), fill=(180, 180, 180))
        draw.text((150, y), text, "black", font=ImageFont.load_default(18))
    return image


def jpeg(image, quality=85):
    """The image after a JPEG, with its quantisation tables."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    opened = Image.open(buffer)
    tables = tuple(tuple(opened.quantization[k]) for k in sorted(opened.quantization))
    return opened.convert(image.mode), tables


def picture(image, mask=None, tables=(), bits=8, side=1024):
    pixels = np.asarray(image)
    valid = np.ones(pixels.shape[:2], bool) if mask is None else mask
    frame = Frame(pixels, valid, 0, pixels.shape[:2], bits)
    return proof_picture_from_frame(frame, SETTINGS, side=side, quantisation=tables)


def scaled(factor_x, factor_y=None):
    """b's pixel indices to a's, where a is `factor` times as large."""
    factor_y = factor_x if factor_y is None else factor_y
    return np.array([[factor_x, 0, (factor_x - 1) / 2], [0, factor_y, (factor_y - 1) / 2]], float)


def inverse(matrix):
    linear = np.linalg.inv(matrix[:, :2])
    return np.column_stack([linear, -linear @ matrix[:, 2]])


def holds(box, place):
    """Whether the middle of `place` lies in the box, and the box is not much larger; (top, left, height, width)."""
    y, x = place[0] + place[2] / 2, place[1] + place[3] / 2
    inside = box[0] <= y <= box[0] + box[2] and box[1] <= x <= box[1] + box[3]
    return inside and box[2] <= 2 * place[2] + 40 and box[3] <= 2 * place[3] + 40
