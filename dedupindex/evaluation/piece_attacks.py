"""Ways in which a part of a picture gets into another one, to measure and fit the search for pieces.

Every attack is a pure function of a picture, a supply of other pictures and a random generator; pictures are
(H, W, 3) uint8.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import cv2
import numpy as np
from numpy.random import Generator

from dedupindex.errors import SettingsError, nearest
from dedupindex.records import ByteArray

PieceAttack = Callable[[ByteArray, Iterator[ByteArray], Generator], ByteArray]
WORDS = (
    "sample", "light", "under", "the", "result", "shows", "several", "growth", "and", "figure", "measured", "of",
    "stage", "control", "with", "in", "method", "after", "mean", "value",
)  # fmt: skip


def _sized(picture: ByteArray, width: int, height: int) -> ByteArray:
    way = cv2.INTER_AREA if width < picture.shape[1] else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, (max(width, 8), max(height, 8)), interpolation=way), np.uint8)


def _fitted(picture: ByteArray, width: int, height: int) -> ByteArray:
    """The middle of a picture that fills *width* x *height* pixels."""
    rows, columns = picture.shape[:2]
    factor = max(width / columns, height / rows)
    large = _sized(picture, max(width, round(columns * factor)), max(height, round(rows * factor)))
    top, left = (large.shape[0] - height) // 2, (large.shape[1] - width) // 2
    return large[top : top + height, left : left + width]


def _cut(picture: ByteArray, share: float, random: Generator) -> ByteArray:
    """A crop of a share of the area, at any place, of about the picture's aspect."""
    rows, columns = picture.shape[:2]
    side, stretch = share**0.5, random.uniform(0.8, 1.25)
    width = min(columns, max(16, round(columns * side * stretch)))
    height = min(rows, max(16, round(rows * side / stretch)))
    top, left = int(random.integers(rows - height + 1)), int(random.integers(columns - width + 1))
    return picture[top : top + height, left : left + width]


def _piece(low: float, high: float) -> PieceAttack:
    def attack(picture: ByteArray, others: Iterator[ByteArray], random: Generator) -> ByteArray:
        part = _cut(picture, random.uniform(low, high), random)
        factor = random.uniform(0.6, 1.3) if random.random() < 0.5 else 1.0
        return _sized(part, max(24, round(part.shape[1] * factor)), max(24, round(part.shape[0] * factor)))

    return attack


def _enlarged(picture: ByteArray, others: Iterator[ByteArray], random: Generator) -> ByteArray:
    """A crop of 6 to 12 % of the area, enlarged 1.5 to 3 times."""
    part, factor = _cut(picture, random.uniform(0.06, 0.12), random), random.uniform(1.5, 3)
    return _sized(part, round(part.shape[1] * factor), round(part.shape[0] * factor))


def _turned(picture: ByteArray, others: Iterator[ByteArray], random: Generator) -> ByteArray:
    """A crop of 15 to 30 % of the area, turned by 5 to 40 degrees, without its corners."""
    part = _cut(picture, random.uniform(0.15, 0.3), random)
    rows, columns = part.shape[:2]
    angle = random.uniform(5, 40) * random.choice([-1, 1])
    matrix = cv2.getRotationMatrix2D((columns / 2, rows / 2), angle, 1.0)
    moved = np.asarray(cv2.warpAffine(part, matrix, (columns, rows), flags=cv2.INTER_CUBIC), np.uint8)
    y, x = round(rows * 0.15), round(columns * 0.15)
    return moved[y : rows - y, x : columns - x]


def _inset(low: float, high: float) -> PieceAttack:
    def attack(picture: ByteArray, others: Iterator[ByteArray], random: Generator) -> ByteArray:
        ground = _fitted(next(others), int(random.integers(500, 900)), int(random.integers(400, 700))).copy()
        rows, columns = ground.shape[:2]
        factor = random.uniform(low, high) * min(columns / picture.shape[1], rows / picture.shape[0])
        small = _sized(picture, round(picture.shape[1] * factor), round(picture.shape[0] * factor))
        top, left = (int(random.integers(max(1, a - b))) for a, b in zip((rows, columns), small.shape[:2], strict=True))
        ground[top : top + small.shape[0], left : left + small.shape[1]] = small
        return ground

    return attack


def _collage(side: int) -> PieceAttack:
    def attack(picture: ByteArray, others: Iterator[ByteArray], random: Generator) -> ByteArray:
        width, height, gap = 320, 240, int(random.choice([0, 4, 10]))
        tiles = [_fitted(picture, width, height)]
        tiles += [_fitted(next(others), width, height) for _ in range(side * side - 1)]
        shape = (side * (height + gap) + gap, side * (width + gap) + gap, 3)
        sheet = np.full(shape, int(random.choice([0, 255])), np.uint8)
        for place, number in enumerate(random.permutation(len(tiles)).tolist()):
            y, x = gap + place // side * (height + gap), gap + place % side * (width + gap)
            sheet[y : y + height, x : x + width] = tiles[number]
        factor = random.uniform(700, 1000) / sheet.shape[1]
        return _sized(sheet, round(sheet.shape[1] * factor), round(sheet.shape[0] * factor))

    return attack


def _write(sheet: ByteArray, text: str, x: int, y: int, size: float, ink: int) -> None:
    cv2.putText(
        sheet, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, (ink, ink, ink), max(1, round(2 * size)), cv2.LINE_AA
    )


def _words(count: int, random: Generator) -> str:
    return " ".join(random.choice(WORDS, count))


def _page(picture: ByteArray, others: Iterator[ByteArray], random: Generator) -> ByteArray:
    """A page of text with the picture in it, at 35 to 60 % of its width."""
    sheet = np.full((1100, 850, 3), 250, np.uint8)
    width = round(850 * random.uniform(0.35, 0.6))
    height = min(600, round(width * picture.shape[0] / picture.shape[1]))
    small = _sized(picture, width, round(width * picture.shape[0] / picture.shape[1]))[:height]
    y, x = int(random.integers(80, 1020 - height)), int(random.integers(60, 790 - width + 1))
    for line in range(70, 1040, 20):
        if not y - 10 < line < y + height + 20:
            _write(sheet, _words(12, random), 60, line, 0.42, 30)
    sheet[y : y + small.shape[0], x : x + width] = small
    return sheet


def _slide(picture: ByteArray, others: Iterator[ByteArray], random: Generator) -> ByteArray:
    """A slide with a title, seven lines of text and the picture."""
    sheet = np.full((540, 960, 3), 255, np.uint8)
    sheet[:70] = (0, 70, 120)
    _write(sheet, str(random.choice(["Results", "Methods", "Overview", "Summary"])), 30, 48, 1.1, 255)
    for line in range(7):
        _write(sheet, "- " + _words(4, random), 40, 130 + 46 * line, 0.7, 40)
    height = round(540 * random.uniform(0.35, 0.6))
    small = _sized(picture, round(height * picture.shape[1] / picture.shape[0]), height)[:, :480]
    left = 960 - small.shape[1] - 40
    sheet[110 : 110 + height, left : left + small.shape[1]] = small
    return sheet


def _screen(picture: ByteArray, others: Iterator[ByteArray], random: Generator) -> ByteArray:
    """A telephone's screen: a bar with a title, the picture over its width, lines of text."""
    ground = int(random.choice([255, 20]))
    sheet = np.full((1170, 540, 3), ground, np.uint8)
    sheet[:90] = (40, 60, 120)
    _write(sheet, "timeline", 20, 55, 0.8, 255)
    small = _sized(picture, 540, round(540 * picture.shape[0] / picture.shape[1]))[:420]
    y = int(random.integers(120, 870 - small.shape[0] + 1))
    sheet[y : y + small.shape[0]] = small
    for line in range(6):
        _write(sheet, _words(3, random), 20, y + small.shape[0] + 40 + 34 * line, 0.6, 230 if ground < 100 else 25)
    return sheet


def _wall(picture: ByteArray, others: Iterator[ByteArray], random: Generator) -> ByteArray:
    """A print in perspective, in front of another picture."""
    ground = cv2.GaussianBlur(_fitted(next(others), 900, 675), (0, 0), 0.3 + random.uniform(0, 2))
    rows, columns = picture.shape[:2]
    factor = random.uniform(0.3, 0.5) * 900 / max(rows, columns)
    width, height = columns * factor, rows * factor
    x, y = random.uniform(20, 880 - width), random.uniform(20, max(21, 655 - height))
    moved = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) + random.uniform(-0.08, 0.08, (4, 2))
    target = (moved * (width, height) + (x, y)).astype(np.float32)
    source = np.array([[0, 0], [columns, 0], [columns, rows], [0, rows]], np.float32)
    matrix = cv2.getPerspectiveTransform(source, target)
    small = _sized(picture, max(8, round(2 * width)), max(8, round(2 * height)))
    shrunk = matrix @ np.diag([columns / small.shape[1], rows / small.shape[0], 1.0])
    shown = cv2.warpPerspective(small, shrunk, (900, 675), flags=cv2.INTER_AREA)
    inside = cv2.warpPerspective(np.full(small.shape[:2], 255, np.uint8), shrunk, (900, 675))
    return np.where(inside[..., None] > 127, shown, ground).astype(np.uint8)


def _panel(picture: ByteArray, others: Iterator[ByteArray], random: Generator) -> ByteArray:
    """A figure of four or six panels with letters, of which one is a crop of the picture."""
    columns, rows = ((2, 2), (3, 2), (4, 1))[int(random.integers(3))]
    tiles = [_fitted(_cut(picture, random.uniform(0.3, 0.6), random), 300, 300)]
    tiles += [_fitted(next(others), 300, 300) for _ in range(columns * rows - 1)]
    sheet = np.full((rows * 330 + 12, columns * 312 + 12, 3), 255, np.uint8)
    for place, number in enumerate(random.permutation(len(tiles)).tolist()):
        y, x = 30 + place // columns * 330, 12 + place % columns * 312
        sheet[y : y + 300, x : x + 300] = tiles[number]
        _write(sheet, "abcdefgh"[place], x, y - 8, 0.7, 0)
    return sheet


PIECE_ATTACKS: Mapping[str, PieceAttack] = {
    "piece_20": _piece(0.17, 0.23), "piece_10": _piece(0.085, 0.115), "piece_5": _piece(0.042, 0.058),
    "piece_3": _piece(0.025, 0.035), "piece_enlarged": _enlarged, "piece_turned": _turned,
    "inset_40": _inset(0.35, 0.45), "inset_25": _inset(0.2, 0.3),
    "collage_2": _collage(2), "collage_3": _collage(3), "collage_4": _collage(4),
    "page": _page, "slide": _slide, "screen": _screen, "wall": _wall, "panel": _panel,
}  # fmt: skip


def piece_attack(name: str, picture: ByteArray, others: Iterator[ByteArray], random: Generator) -> ByteArray:
    """Apply one attack.

    Parameters
    ----------
    name : str
        Of `PIECE_ATTACKS`.
    picture : (H, W, 3) uint8
        At least 32 pixels a side.
    others : iterator of pictures
        As many as it takes are drawn.
    random : Generator

    Returns
    -------
    (H', W', 3) uint8

    Raises
    ------
    SettingsError
        There is no such attack.
    """
    if name not in PIECE_ATTACKS:
        known = ", ".join(PIECE_ATTACKS)
        raise SettingsError(f"no attack {name!r}; there are: {known}{nearest(name, tuple(PIECE_ATTACKS))}")
    return np.ascontiguousarray(PIECE_ATTACKS[name](picture, others, random))
