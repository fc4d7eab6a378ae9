"""Pictures of which it is known which ones are copies of each other: what the score is fitted on.

All of them come out of a folder of photographs, a seed and this module. A *subject* is what copies have in common. Six
families, because the rule has to hold in each:

photo    a file, attacked versions of it, and many other files
overlay  different photographs under one caption, watermark, logo, program window or page
cutout   objects of nearly one outline on one colour; photographs cut out by one outline
page     printed pages: templates of one kind, and pages of one template that are filled in differently
smooth   gradients and smooth fields: pictures with hardly any detail
tiny     frames of 5 to 24 pixels
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from PIL import Image

from dedupindex.errors import ReadError
from dedupindex.evaluation.attacks import ATTACKS, attack
from dedupindex.features import rounded
from dedupindex.features.describe import describe
from dedupindex.prepare.pipeline import prepare
from dedupindex.records import ByteArray, Features, Frame
from dedupindex.settings import Settings
from dedupindex.sources import decode_file
from dedupindex.verify.verification import alignments, assess
from tests.tools import cutouts, pages
from tests.tools.start_rule import start_rule

FAMILIES = ("photo", "overlay", "cutout", "page", "smooth", "tiny")
SHARED_OVERLAYS = ("caption", "watermark", "logo", "screenshot", "page")
MILD = ("recompress", "resize", "tone", "blur", "noise", "crop", "rotate", "border", "shift", "sharpen")
GRADIENT_COPIES = ("recompress", "resize", "tone", "blur", "crop")  # turned, it cannot be told from another gradient
SMOOTH_COPIES = (*GRADIENT_COPIES, "mirror", "quarter_turn")
TINY_COPIES = ("tone", "mirror", "quarter_turn", "noise")
PAGE_SIDE = 800  # longest side of a page, pixels
LEAST_SIDE = 48  # shortest side of a photograph that is used, pixels
MAX_STRENGTH = 1.6
LIKELY_COPY = 0.1  # probability from which two photographs are not used side by side
TWO_ATTACKS = 0.3  # share of the copies that go through two attacks


@dataclass(frozen=True, slots=True)
class Counts:
    """How much of everything there is to be.

    Attributes
    ----------
    originals : int
        Photographs with copies.
    copies : int
        Attacked versions of each of them.
    strangers : int
        Further photographs.
    overlays, outlines, templates, smooth, tiny : int
        Groups of pictures of the other families; *templates* of each kind of page.
    """

    originals: int = 500
    copies: int = 3
    strangers: int = 1200
    overlays: int = 150
    outlines: int = 60
    templates: int = 24
    smooth: int = 120
    tiny: int = 120

    def scaled(self, factor: float) -> Counts:
        """So many times as much of everything but copies, at least 2 of each."""
        names = ("originals", "strangers", "overlays", "outlines", "templates", "smooth", "tiny")
        return replace(self, **{name: max(2, round(getattr(self, name) * factor)) for name in names})


@dataclass(frozen=True, slots=True)
class Labelled:
    """A described picture with what it shows.

    Attributes
    ----------
    features : Features
    family : str
        One of `FAMILIES`.
    subject : str
        Two pictures of one subject are copies.
    group : str
        What look-alikes have in common that are not copies: an overlay, an outline, a kind of page; else empty.
    template : str
        Pages of one template that are filled in differently, or with another picture on them; else empty.
    certain : bool
        Another subject is surely another picture. Not so between files of a folder that may hold copies unknown.
    """

    features: Features
    family: str
    subject: str
    group: str
    template: str
    certain: bool


@dataclass(frozen=True, slots=True)
class Task:
    """Some pictures to make: one subject or one group.

    Attributes
    ----------
    family : str
    number : int
        Seeds it together with `seed`.
    files : tuple of Path
        Photographs to make them of.
    copies : int
    """

    family: str
    number: int
    seed: int
    files: tuple[Path, ...]
    copies: int


def tasks(folder: Path, counts: Counts, seed: int) -> list[Task]:
    """What is to be made of a folder of photographs.

    Raises
    ------
    ValueError
        The folder holds too few files.
    """
    files = sorted(path for path in folder.resolve().rglob("*") if path.is_file())
    if len(files) < 10:
        raise ValueError(f"{folder} holds {len(files)} files, at least 10 are needed")
    order = np.random.default_rng(seed).permutation(len(files)).tolist()
    drawn = [files[place] for place in order]
    first, rest = drawn[: counts.originals], drawn[counts.originals :]
    todo = [Task("photo", number, seed, (path,), counts.copies) for number, path in enumerate(first)]
    todo += [
        Task("photo", len(todo) + number, seed, (path,), 0) for number, path in enumerate(rest[: counts.strangers])
    ]
    back = drawn[::-1]  # groups are made of files from the other end: rarely the same ones

    def several(start: int, count: int) -> tuple[Path, ...]:
        return tuple(back[(start + step) % len(back)] for step in range(count))

    todo += [Task("overlay", number, seed, several(4 * number, 4), 1) for number in range(counts.overlays)]
    todo += [Task("cutout", number, seed, several(7 + 4 * number, 4), 1) for number in range(counts.outlines)]
    kinds = len(pages.TEMPLATES)
    todo += [Task("page", number, seed, (), 2) for number in range(kinds * counts.templates)]
    todo += [Task("smooth", number, seed, (), 2) for number in range(counts.smooth)]
    todo += [Task("tiny", number, seed, several(3 + number, 1), 2) for number in range(counts.tiny)]
    return todo


def make(task: Task) -> list[Labelled]:
    """Make and describe the pictures of a task; none where a file cannot be read or is too small."""
    cv2.setNumThreads(1)
    random = np.random.default_rng([task.seed, FAMILIES.index(task.family), task.number])
    with start_rule():
        photographs = different([photograph for photograph in map(read, task.files) if photograph is not None])
    if task.files and not photographs:
        return []
    made = {"photo": _photo, "overlay": _overlay, "cutout": _cutout, "page": _page, "smooth": _smooth, "tiny": _tiny}
    pictures = []
    for pixels, subject, group in made[task.family](task, photographs, random):
        features = described(pixels)
        if not features.low_information:
            certain = task.family != "photo"
            template = f"{task.family} {task.number}" if is_template(task) else ""
            pictures.append(Labelled(features, task.family, f"{task.family} {subject}", group, template, certain))
    return pictures


def is_template(task: Task) -> bool:
    """Whether the pictures of a task are fillings of one page."""
    return task.family == "page" or (task.family == "overlay" and overlay_kind(task) == "page")


def overlay_kind(task: Task) -> str:
    """What the photographs of a task have in common."""
    return SHARED_OVERLAYS[task.number % len(SHARED_OVERLAYS)]


def read(path: Path) -> ByteArray | None:
    """A file's first frame as (H, W, 3) uint8; None where it cannot be read, is deep or small."""
    try:
        frame = decode_file(path, Settings()).frames[0]
    except ReadError:
        return None
    pixels = frame.pixels
    if pixels.dtype != np.uint8 or min(pixels.shape[:2]) < LEAST_SIDE:
        return None
    return np.ascontiguousarray(np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else pixels)


def different(photographs: Sequence[ByteArray]) -> list[ByteArray]:
    """Leave out photographs that may be copies of an earlier one: a folder is not always what is said of it."""
    kept: list[tuple[ByteArray, Features]] = []
    for pixels in photographs:
        features = described(pixels)
        if not any(look_alike(features, other) for _, other in kept):
            kept.append((pixels, features))
    return [pixels for pixels, _ in kept]


def look_alike(a: Features, b: Features) -> bool:
    """Whether two photographs may be copies by the rule in force (`start_rule`)."""
    return any(assess(a, b, one).probability >= LIKELY_COPY for one in alignments(a, b))


def described(pixels: ByteArray) -> Features:
    """Features of (H, W, 3) uint8, as they come back from the database."""
    frame = Frame(pixels, np.ones(pixels.shape[:2], bool), full_shape=pixels.shape[:2])
    return rounded(describe(prepare(frame, Settings()), Settings()))


Made = Iterator[tuple[ByteArray, str, str]]  # pixels, subject within the family, group


def copy_of(picture: ByteArray, names: Sequence[str], most: float, random: Generator) -> ByteArray:
    """One of the attacks, sometimes two, at a strength of up to *most*."""
    count = 2 if random.random() < TWO_ATTACKS else 1
    chain = "+".join(random.choice(list(names), size=count, replace=False))
    return attack(chain, picture, float(random.uniform(0.25 * most, most)), random)


def _photo(task: Task, photographs: Sequence[ByteArray], random: Generator) -> Made:
    subject = str(task.number)
    yield photographs[0], subject, ""
    for _ in range(task.copies):
        yield copy_of(photographs[0], list(ATTACKS), MAX_STRENGTH, random), subject, ""


def _overlay(task: Task, photographs: Sequence[ByteArray], random: Generator) -> Made:
    """Photographs brought to one size, all with the very same things over or around them; and a copy of each."""
    kind = overlay_kind(task)
    size = (400, round(400 * float(random.uniform(0.65, 0.8))))
    seed, strength = int(random.integers(2**32)), float(random.uniform(0.6, 1.5))
    page = None
    if kind == "page":
        template = list(pages.TEMPLATES.values())[int(random.integers(len(pages.TEMPLATES)))](random)
        page = pages.page_pixels(template, random)
        page = np.asarray(cv2.resize(page, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
    for number, photograph in enumerate(photographs):
        picture = np.asarray(cv2.resize(photograph, size, interpolation=cv2.INTER_AREA), np.uint8)
        if page is None:
            laid = attack(kind, picture, strength, np.random.default_rng(seed))
        else:
            laid = _set_into(page, picture, np.random.default_rng(seed))
        subject = f"{task.number}.{number}"
        yield laid, subject, f"overlay {task.number}"
        for _ in range(task.copies):
            yield copy_of(laid, MILD, 1.0, random), subject, f"overlay {task.number}"


def _set_into(page: ByteArray, picture: ByteArray, random: Generator) -> ByteArray:
    """A page with a picture on 15 to 45 % of it."""
    height, width = page.shape[:2]
    share = float(random.uniform(0.4, 0.67))
    h, w = round(height * share), round(width * share)
    top, left = int(random.integers(0, height - h + 1)), int(random.integers(0, width - w + 1))
    whole = page.copy()
    whole[top : top + h, left : left + w] = cv2.resize(picture, (w, h), interpolation=cv2.INTER_AREA)
    return whole


def _cutout(task: Task, photographs: Sequence[ByteArray], random: Generator) -> Made:
    """Four objects of nearly one outline with skins of their own, and two photographs cut out by it; a copy of each."""
    size, ground = (320, round(320 * float(random.uniform(0.8, 1.3)))), int(random.choice([0, 255, 128]))
    shape = cutouts.outline(random)
    surfaces = [cutouts.skin(size, random) for _ in range(4)]
    surfaces += [
        np.asarray(cv2.resize(picture, size[::-1], interpolation=cv2.INTER_AREA)) for picture in photographs[:2]
    ]
    for number, surface in enumerate(surfaces):
        mask = cutouts.inside(cutouts.like(shape, random, float(random.uniform(0, 0.25))), size)
        picture = cutouts.cut_out(surface, mask, ground)
        subject = f"{task.number}.{number}"
        yield picture, subject, f"cutout {task.number}"
        for _ in range(task.copies):
            yield copy_of(picture, MILD, 0.8, random), subject, f"cutout {task.number}"


def _page(task: Task, photographs: Sequence[ByteArray], random: Generator) -> Made:
    """Two pages of one template, and copies of each: also as a scanner makes them."""
    kinds = list(pages.TEMPLATES)
    kind = kinds[task.number % len(kinds)]
    template = pages.TEMPLATES[kind](random)
    for number in range(2):
        picture = pages.page_pixels(template, random)
        factor = PAGE_SIDE / max(picture.shape[:2])
        picture = np.asarray(cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8)
        subject = f"{task.number}.{number}"
        yield picture, subject, f"page {kind}"
        for _ in range(task.copies):
            scanned = random.random() < 0.4
            yield _scan(picture, random) if scanned else copy_of(picture, MILD, 0.7, random), subject, f"page {kind}"


def _scan(picture: ByteArray, random: Generator) -> ByteArray:
    """Printed and scanned: a little turned, soft, noisy and paler, as a JPEG."""
    height, width = picture.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), float(random.uniform(-1.2, 1.2)), 1.0)
    turned = cv2.warpAffine(picture, turn, (width, height), flags=cv2.INTER_CUBIC, borderValue=(255, 255, 255))
    soft = cv2.GaussianBlur(turned, (0, 0), float(random.uniform(0.3, 1.0))).astype(np.float32)
    noisy = soft * random.uniform(0.9, 1.0) + random.normal(0, random.uniform(1, 6), soft.shape)
    buffer = BytesIO()
    Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=int(random.integers(55, 93)))
    return np.array(Image.open(buffer).convert("RGB"))


def _smooth(task: Task, photographs: Sequence[ByteArray], random: Generator) -> Made:
    size = (240, round(240 * float(random.choice([0.75, 1.0, 1.33]))))
    make_one, names = (cutouts.gradient, GRADIENT_COPIES) if task.number % 2 else (cutouts.field, SMOOTH_COPIES)
    picture = make_one(size, random)
    group = f"smooth {task.number % 2}"
    yield picture, str(task.number), group
    for _ in range(task.copies):
        yield copy_of(picture, names, 0.8, random), str(task.number), group


def _tiny(task: Task, photographs: Sequence[ByteArray], random: Generator) -> Made:
    """A frame of few pixels, from a photograph or drawn at random."""
    side = int(random.integers(5, 25))
    if task.number % 2:
        picture = np.asarray(cv2.resize(photographs[0], (side, side), interpolation=cv2.INTER_AREA), np.uint8)
    else:
        picture = np.repeat(random.integers(0, 256, (side, side, 1)), 3, axis=2).astype(np.uint8)
    yield picture, str(task.number), "tiny"
    for _ in range(task.copies):
        yield _tiny_copy(picture, random), str(task.number), "tiny"


def _tiny_copy(picture: ByteArray, random: Generator) -> ByteArray:
    """Attacks that resize make at least 8 pixels of a side: not for these."""
    name = str(random.choice(TINY_COPIES))
    return attack(name, picture, float(random.uniform(0.2, 0.6)), random)
