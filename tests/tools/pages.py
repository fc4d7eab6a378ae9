"""Pages made from templates: what is printed on all pages of one template, and what is written into each.

Two pages of one template with other entries, and pages of two templates of one kind, look alike when they are small and
are no copies. They are strangers to fit against. Sizes and places are drawn from a few values, so that many templates
of a kind have one geometry, as forms out of one program do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw, ImageFont

from dedupindex.records import ByteArray

SYLLABLES = ("ba", "con", "der", "el", "fi", "gra", "hum", "is", "jo", "kel", "lor", "mi", "nas", "or", "pre", "qui",
             "ras", "sto", "tu", "un", "vel", "wen", "xi", "yo", "zan")  # fmt: skip
Page = Callable[[Generator], Image.Image]  # one page of a template, filled in at random


def word(random: Generator) -> str:
    """A made-up word of one to four syllables."""
    return "".join(random.choice(SYLLABLES, int(random.integers(1, 5))))


def words(random: Generator, count: int) -> str:
    """Made-up words with spaces between."""
    return " ".join(word(random) for _ in range(count))


def number(random: Generator) -> str:
    """An amount with two decimals."""
    return f"{random.integers(1, 5000)}.{random.integers(0, 100):02d}"


def _font(size: float) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)


def _tint(random: Generator, low: int = 0, high: int = 160) -> tuple[int, int, int]:
    red, green, blue = (int(value) for value in random.integers(low, high, 3))
    return red, green, blue


def _one_of(random: Generator, *values: int) -> int:
    return int(random.choice(values))


def bill(template: Generator) -> Page:
    """A letter head, an address, numbered rows with amounts, a sum."""
    name, tint, rows = words(template, 2).title(), _tint(template), _one_of(template, 8, 10, 12, 14, 16)
    top, band = _one_of(template, 50, 70), _one_of(template, 90, 110)
    columns = np.cumsum([80, _one_of(template, 520, 600), _one_of(template, 150, 180), _one_of(template, 150, 180)])
    step, size, ruled = _one_of(template, 52, 62), _one_of(template, 24, 27), bool(template.random() < 0.7)

    def page(filled: Generator) -> Image.Image:
        picture = Image.new("RGB", (1200, 1700), "white")
        draw = ImageDraw.Draw(picture)
        draw.rectangle((top, top, 1200 - top, top + band), fill=tint)
        draw.text((top + 30, top + 24), name, "white", font=_font(44))
        for line in range(4):
            draw.text((80, 220 + 42 * line), f"{words(filled, 2)} {filled.integers(1, 99999)}", "black", font=_font(25))
        for line in range(rows):
            y = 460 + step * line
            if ruled:
                draw.line((80, y - 6, 1120, y - 6), fill=(190, 190, 190))
            draw.text((int(columns[0]), y), words(filled, int(filled.integers(2, 5))), "black", font=_font(size))
            draw.text((int(columns[1]), y), str(filled.integers(1, 60)), "black", font=_font(size))
            for column in columns[2:]:
                draw.text((int(column), y), number(filled), "black", font=_font(size))
        draw.text((int(columns[2]), 480 + step * rows), number(filled), "black", font=_font(36))
        return picture

    return page


def grid(template: Generator) -> Page:
    """A table of numbers under headings, every other row shaded or ruled."""
    columns, rows = _one_of(template, 5, 6, 7), int(template.integers(15, 26))
    heads = [word(template) for _ in range(columns)]
    height, size, shaded = _one_of(template, 32, 36), _one_of(template, 18, 20), bool(template.random() < 0.6)
    width = 1000 // columns

    def page(filled: Generator) -> Image.Image:
        picture = Image.new("RGB", (1040, 120 + height * rows), "white")
        draw = ImageDraw.Draw(picture)
        for column, head in enumerate(heads):
            draw.text((25 + width * column, 25), head, "black", font=_font(size + 2))
        for row in range(rows):
            y = 66 + height * row
            if shaded and row % 2:
                draw.rectangle((15, y - 5, 1025, y + height - 5), fill=(236, 240, 248))
            elif not shaded:
                draw.line((15, y - 5, 1025, y - 5), fill=(200, 200, 200))
            for column in range(columns):
                entry = number(filled) if column else f"{row + 1} {word(filled)}"
                draw.text((25 + width * column, y), entry, "black", font=_font(size))
        return picture

    return page


def questionnaire(template: Generator) -> Page:
    """Labelled boxes, one below the other, with something written into each."""
    fields, step = _one_of(template, 10, 11, 12), _one_of(template, 92, 100)
    labels = [words(template, int(template.integers(1, 4))) for _ in range(fields)]
    left, title = _one_of(template, 55, 65), words(template, 2).title()

    def page(filled: Generator) -> Image.Image:
        picture = Image.new("RGB", (1000, 1400), (252, 252, 249))
        draw = ImageDraw.Draw(picture)
        draw.text((left, 45), title, "black", font=_font(44))
        for line, label in enumerate(labels):
            y = 140 + step * line
            draw.text((left, y), label, (90, 90, 90), font=_font(21))
            draw.rectangle((left, y + 27, 1000 - left, y + 72), outline=(120, 120, 120))
            entry = words(filled, int(filled.integers(1, 6)))
            draw.text((left + 14, y + 34), entry, (20, 30, 120), font=_font(25))
        return picture

    return page


def letter(template: Generator) -> Page:
    """Paragraphs of running text under a heading."""
    size, left = _one_of(template, 20, 24, 28), _one_of(template, 80, 110)
    lead, title = round(size * _one_of(template, 14, 16) / 10), words(template, 3).title()

    def page(filled: Generator) -> Image.Image:
        picture = Image.new("RGB", (1000, 1400), "white")
        draw = ImageDraw.Draw(picture)
        draw.text((left, 60), title, "black", font=_font(40))
        y = 160
        while y < 1300:
            for _ in range(int(filled.integers(3, 9))):
                text, end = "", (1000 - left) * (0.95 if filled.random() < 0.85 else 0.6)
                while left + draw.textlength(text, font=_font(size)) < end - 90:
                    text += word(filled) + " "
                draw.text((left, y), text, (25, 25, 25), font=_font(size))
                y += lead
            y += lead
        return picture

    return page


def card(template: Generator) -> Page:
    """A coloured card or package with a mark, a name and a few lines."""
    tint, mark = _tint(template, 30, 220), word(template).upper()
    round_mark, width = bool(template.random() < 0.5), _one_of(template, 350, 400)

    def page(filled: Generator) -> Image.Image:
        picture = Image.new("RGB", (640, 800), "white")
        draw = ImageDraw.Draw(picture)
        left, right = 320 - width // 2, 320 + width // 2
        draw.rounded_rectangle((left, 50, right, 750), 50, fill=tint, outline=(60, 60, 60), width=4)
        box = (320 - width // 3, 110, 320 + width // 3, 300)
        (draw.ellipse if round_mark else draw.rectangle)(box, fill="white")
        draw.text((320, 205), mark, tint, font=_font(40), anchor="mm")
        for line, size in enumerate((36, 44, 24, 24)):
            text = words(filled, 2)[:18] if line != 1 else f"{filled.integers(1, 999)} ml"
            draw.text((left + 40, 350 + 75 * line), text, "white", font=_font(size))
        return picture

    return page


def plot(template: Generator) -> Page:
    """Axes with a grid, and a line or bars."""
    title, bars = words(template, 2).title(), bool(template.random() < 0.5)
    tint, ticks = _tint(template, 30, 200), _one_of(template, 5, 6)

    def page(filled: Generator) -> Image.Image:
        picture = Image.new("RGB", (800, 600), "white")
        draw = ImageDraw.Draw(picture)
        draw.text((240, 20), title, "black", font=_font(28))
        draw.line((80, 70, 80, 540, 760, 540), fill="black", width=2)
        for tick in range(ticks):
            y = 540 - 460 * tick // ticks
            draw.text((28, y - 10), str(20 * tick), "black", font=_font(18))
            draw.line((80, y, 760, y), fill=(225, 225, 225))
        if bars:
            for bar, height in enumerate(filled.integers(20, 440, 14).tolist()):
                draw.rectangle((95 + 47 * bar, 540 - height, 125 + 47 * bar, 540), fill=tint)
        else:
            walk = np.cumsum(filled.normal(size=130))
            walk = 310 - 200 * (walk - walk.mean()) / (np.abs(walk - walk.mean()).max() + 1e-6)
            draw.line([(85 + 5.2 * step, float(value)) for step, value in enumerate(walk)], fill=tint, width=3)
        return picture

    return page


TEMPLATES: Mapping[str, Callable[[Generator], Page]] = {
    "bill": bill,
    "grid": grid,
    "questionnaire": questionnaire,
    "letter": letter,
    "card": card,
    "plot": plot,
}


def page_pixels(page: Page, random: Generator) -> ByteArray:
    """A page, filled in at random, as (H, W, 3) uint8."""
    return np.asarray(page(random), np.uint8)
