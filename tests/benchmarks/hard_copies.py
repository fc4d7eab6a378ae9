"""Hard copies of whole pictures: how many are found, and at which stage the others are lost.

``python -m tests.benchmarks.hard_copies PHOTOS [--others FOLDER] [--kinds NAME ...] [--bases 63] [--seed 22]
[--work FOLDER] [--proof full] [--lost]``. Each of the chosen pictures stands once in a collection, with one copy of
every kind and the pictures of `--others` beside it. The collection is scanned with the default settings. A pair
that is not found is followed through the stages: ``retrieval`` (no probe of either picture reaches the other),
``crowd`` (it does, but others were nearer, or a proof withdraws it), ``vetting`` (keypoints), ``alignment`` (none),
``score`` (too low). Some kinds bring an original of their own.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from dedupindex import Index
from dedupindex.features import aim, probes, unit
from dedupindex.features.model import load_model
from dedupindex.features.packing import pack
from dedupindex.records import Features
from dedupindex.search.candidates import radius_for
from dedupindex.verify.verification import verify
from dedupindex.verify.vetting import plausible, sketch
from tests.benchmarks.measuring import show, write

SIDE = 640  # pixels, longest side of an original
TINY = 32
Picture = NDArray[Any]


def _resize(picture: Picture, width: float, height: float) -> Picture:
    way = cv2.INTER_AREA if width * height < picture.shape[0] * picture.shape[1] else cv2.INTER_CUBIC
    resized: Picture = cv2.resize(picture, (max(8, round(width)), max(8, round(height))), interpolation=way)
    return resized


def _grey(picture: Picture) -> Picture:
    grey: Picture = picture @ np.array([0.299, 0.587, 0.114])
    return grey


def _stretched(picture: Picture, random: Generator, low: float, high: float) -> Picture:
    """One side made longer by this factor, or the other one shorter."""
    height, width = picture.shape[:2]
    factor = random.uniform(low, high)
    return (
        _resize(picture, width * factor, height)
        if random.random() < 0.5
        else _resize(picture, width, height / factor)
        if random.random() < 0.5
        else _resize(picture, width / factor, height)
    )


def stretch_20(picture: Picture, random: Generator) -> Picture:
    """Stretched 1.6 to 2 times."""
    return _stretched(picture, random, 1.6, 2.0)


def stretch_25(picture: Picture, random: Generator) -> Picture:
    """Stretched 2 to 2.5 times."""
    return _stretched(picture, random, 2.0, 2.5)


def _turned(picture: Picture, degrees: float, grey: int) -> Picture:
    height, width = picture.shape[:2]
    sine, cosine = abs(np.sin(np.deg2rad(degrees))), abs(np.cos(np.deg2rad(degrees)))
    w, h = round(width * cosine + height * sine), round(width * sine + height * cosine)
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    matrix[:, 2] += ((w - width) / 2, (h - height) / 2)
    return cv2.warpAffine(picture, matrix, (w, h), flags=cv2.INTER_CUBIC, borderValue=(grey,) * 3)


def right_angle_30(picture: Picture, random: Generator) -> Picture:
    """Turned by 90, 180 or 270 degrees and reduced to 30 %."""
    turned = np.ascontiguousarray(np.rot90(picture, int(random.integers(1, 4))))
    return _resize(turned, turned.shape[1] * 0.3, turned.shape[0] * 0.3)


def free_angle_30(picture: Picture, random: Generator) -> Picture:
    """Turned by 8 to 20 degrees, corners black or white, and reduced to 30 %."""
    turned = _turned(picture, random.choice([-1, 1]) * random.uniform(8, 20), int(random.choice([0, 255])))
    return _resize(turned, turned.shape[1] * 0.3, turned.shape[0] * 0.3)


def any_angle_30(picture: Picture, random: Generator) -> Picture:
    """Turned by 20 to 340 degrees, corners black or white, and reduced to 30 %."""
    turned = _turned(picture, random.uniform(20, 340), int(random.choice([0, 255])))
    return _resize(turned, turned.shape[1] * 0.3, turned.shape[0] * 0.3)


def _holes(shape: tuple[int, int], random: Generator, share: float) -> Picture:
    """True in a stripe or in blobs of about *share* of the area."""
    height, width = shape
    mask = np.zeros(shape, bool)
    if random.random() < 0.4:
        wide = int(width * share)
        left = int(random.integers(0, width - wide + 1))
        mask[:, left : left + wide] = True
        return mask
    rows, columns = np.mgrid[:height, :width]
    while mask.mean() < share:
        radius = random.uniform(0.05, 0.16) * min(height, width)
        mask |= (rows - random.integers(height)) ** 2 + (columns - random.integers(width)) ** 2 < radius**2
    return mask


def _sixteen(picture: Picture, random: Generator) -> Picture:
    values = _grey(picture) * random.uniform(3, 250) + random.uniform(20, 300)
    return np.clip(values, 1, 65534).astype(np.uint16)


def holes_16(picture: Picture, random: Generator) -> Picture:
    """16 bits, 8 to 35 % zero-filled, not declared; the original is the 8-bit photograph."""
    deep = _sixteen(picture, random)
    deep[_holes(deep.shape, random, random.uniform(0.08, 0.35))] = 0
    return deep


def holes_16_both(picture: Picture, random: Generator) -> tuple[Picture, Picture]:
    """Both of 16 bits, with other zero-filled holes in each."""
    return holes_16(picture, random), holes_16(picture, random)


def holes_16_high(picture: Picture, random: Generator) -> Picture:
    """16 bits, holes filled with the largest value."""
    deep = _sixteen(picture, random)
    deep[_holes(deep.shape, random, random.uniform(0.08, 0.35))] = 65535
    return deep


def holes_float(picture: Picture, random: Generator) -> Picture:
    """float32 in a physical unit, holes filled with 0, which lies within the range of the data."""
    deep = (_grey(picture) * 0.14 - 15).astype(np.float32)
    deep[_holes(deep.shape, random, random.uniform(0.08, 0.35))] = 0
    return deep


def blur_strong(picture: Picture, random: Generator) -> Picture:
    """Gaussian blur, sigma 1.2 to 2.2 % of the longest side."""
    return cv2.GaussianBlur(picture, (0, 0), max(picture.shape) * random.uniform(0.012, 0.022))


def pixelate(picture: Picture, random: Generator) -> Picture:
    """Mosaic of 32 to 48 blocks along the longest side."""
    factor = random.uniform(32, 48) / max(picture.shape)
    small = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, picture.shape[1::-1], interpolation=cv2.INTER_NEAREST)


def occlude(picture: Picture, random: Generator) -> Picture:
    """A rectangle of one colour over 30 to 50 % of the area."""
    height, width = picture.shape[:2]
    side = np.sqrt(random.uniform(0.3, 0.5))
    h, w = round(height * side), round(width * side)
    top, left = random.integers(0, height - h + 1), random.integers(0, width - w + 1)
    result = picture.copy()
    result[top : top + h, left : left + w] = random.integers(0, 256, 3)
    return result


def perspective(picture: Picture, random: Generator) -> Picture:
    """Each corner moved inwards by up to 20 % of each side, on black."""
    height, width = picture.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    inwards = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) * (width, height) * random.uniform(0, 0.2, (4, 2))
    matrix = cv2.getPerspectiveTransform(corners, (corners + inwards).astype(np.float32))
    return cv2.warpPerspective(picture, matrix, (width, height))


def speckle(picture: Picture, random: Generator) -> Picture:
    """Multiplicative gamma noise of 1 to 3 looks."""
    looks = random.uniform(1, 3)
    grey = _grey(picture)
    noisy = np.clip(grey * random.gamma(looks, 1 / looks, grey.shape), 0, 255).astype(np.uint8)
    return np.repeat(noisy[..., None], 3, axis=2)


def tiny(picture: Picture, random: Generator) -> tuple[Picture, Picture]:
    """Two pictures of 32 x 32: moved by 1 to 3 pixels, brightness, JPEG, every third mirrored."""
    margin = 4
    side = TINY + 2 * margin
    height, width = picture.shape[:2]
    square = min(height, width)
    top, left = (height - square) // 2, (width - square) // 2
    large = _resize(picture[top : top + square, left : left + square], side, side)
    dy, dx = (random.choice([-1, 1], 2) * random.integers(1, 4, 2)).tolist()
    inside = slice(margin, margin + TINY)
    second = large[margin + dy : margin + dy + TINY, margin + dx : margin + dx + TINY]
    second = np.clip(second * random.uniform(0.75, 1.3) + random.uniform(-15, 15), 0, 255).astype(np.uint8)
    if random.random() < 1 / 3:
        second = second[:, ::-1]
    data = BytesIO()
    Image.fromarray(np.ascontiguousarray(second)).save(data, "JPEG", quality=int(random.integers(75, 96)))
    return np.ascontiguousarray(large[inside, inside]), np.array(Image.open(data))


Maker = Callable[[Picture, Generator], Picture | tuple[Picture, Picture]]
KINDS: dict[str, Maker] = {
    function.__name__: function
    for function in (
        stretch_20, stretch_25, right_angle_30, free_angle_30, any_angle_30, holes_16, holes_16_both, holes_16_high,
        holes_float, blur_strong, pixelate, occlude, perspective, speckle, tiny,
    )
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Couple:
    """A pair of files that show the same."""

    kind: str
    first: Path
    second: Path


def make(photos: Path, folder: Path, kinds: Sequence[str], bases: int, seed: int) -> list[Couple]:
    """Write originals and copies into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    files = sorted(path for path in photos.iterdir() if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    order = np.random.default_rng(seed).permutation(len(files))[:bases].tolist()
    couples = []
    for number, place in enumerate(order):
        picture = np.array(Image.open(files[place]).convert("RGB"))
        factor = SIDE / max(picture.shape[:2])
        picture = _resize(picture, picture.shape[1] * factor, picture.shape[0] * factor) if factor < 1 else picture
        original = _write(folder / f"{number:03d}_original", picture, 92)
        for kind in kinds:
            made = KINDS[kind](picture, np.random.default_rng([seed, number, list(KINDS).index(kind)]))
            first = original
            if isinstance(made, tuple):  # a kind with an original of its own
                first = _write(folder / f"{number:03d}_{kind}_first", made[0])
                made = made[1]
            couples.append(Couple(kind, first, _write(folder / f"{number:03d}_{kind}", made, 90)))
    return couples


def _write(stem: Path, picture: Picture, quality: int = 0) -> Path:
    """JPEG of that quality for 8 bits, else PNG or TIFF."""
    if picture.dtype == np.float32:
        path = stem.with_suffix(".tif")
        Image.fromarray(picture).save(path)
    elif picture.dtype == np.uint16 or not quality or max(picture.shape) <= TINY:
        path = stem.with_suffix(".png")
        Image.fromarray(picture).save(path)
    else:
        path = stem.with_suffix(".jpg")
        Image.fromarray(picture).save(path, quality=quality)
    return path


def lost_at(a: Features, b: Features, index: Index, images: int) -> str:
    """The stage at which a pair is lost, with its number."""
    settings = index.settings
    radius = radius_for(settings, images)
    within, best = False, -1.0
    for one, other in ((a, b), (b, a)):
        goal = aim(one, settings.profile)
        rows = probes([goal])[0]
        cosine = float((rows @ unit(other.descriptor[None])[0]).max()) if len(rows) else -1.0
        best = max(best, cosine)
        within |= cosine >= max(1 - radius, goal.reach)
    if a.low_information or b.low_information:
        return "no information"
    if not within:
        return f"retrieval {best:.2f}"
    passed = plausible([(sketch(pack(a)), sketch(pack(b)))], load_model().local_parity)
    if not passed[0]:
        return "vetting"
    verdict = verify(a, b, threshold=settings.threshold)
    if verdict.accepted:
        return f"crowd or proof {best:.2f}"
    if not verdict.score:
        return f"alignment: {verdict.reason}"
    return f"score {verdict.score:.3f} ({verdict.reason})"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.hard_copies", description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--others", type=Path, help="strangers in the same collection")
    parser.add_argument("--most", type=int, default=300, help="of them")
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS), metavar="NAME")
    parser.add_argument("--bases", type=int, default=63)
    parser.add_argument("--seed", type=int, default=22)
    parser.add_argument("--work", type=Path, help="where files and database are kept")
    parser.add_argument("--proof", choices=("off", "full"), default="off", help="compare the files of pairs too")
    parser.add_argument("--lost", action="store_true", help="list every lost pair")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        work = given.work or Path(name)
        shutil.rmtree(work / "pictures", ignore_errors=True)
        couples = make(given.photos, work / "pictures", given.kinds, given.bases, given.seed)
        if given.others:
            shutil.copytree(given.others, work / "pictures" / "others", ignore=_all_but_first(given.most))
        figures = measure(work, couples, show_lost=given.lost, proof=given.proof)
    write(given.json, figures)
    return 0


def _all_but_first(most: int) -> Callable[[str, list[str]], set[str]]:
    return lambda folder, names: set(sorted(names)[most:])


def measure(
    work: Path, couples: Sequence[Couple], *, show_lost: bool, proof: str = "off"
) -> dict[str, dict[str, float]]:
    """Scan the collection, count, and say where pairs are lost."""
    database = work / "hard.db"
    for path in work.glob("hard.db*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    with Index.open(database, create=True, proof=proof) as index:
        index.ingest([work / "pictures"])
        index.find_duplicates()
        images = {location.path.name: image.id for image in index.images() for location in image.locations}
        pairs = [pair for pair in index.pairs() if pair.relations]  # a proof may withdraw some
        names = {frozenset((pair.a.id, pair.b.id)) for pair in pairs}
        number_of = {image: name.split("_")[0] for name, image in images.items()}
        false = [p for p in pairs if number_of[p.a.id] != number_of[p.b.id]]
        found: Counter[str] = Counter()
        total = Counter(couple.kind for couple in couples)
        lost: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for couple in couples:
            a, b = images[couple.first.name], images[couple.second.name]
            if frozenset((a, b)) in names:
                found[couple.kind] += 1
                continue
            why = lost_at(index.features_of(a), index.features_of(b), index, len(images))
            lost[couple.kind][why.split()[0].rstrip(":")] += 1
            if show_lost:
                print(f"{couple.second.name}: {why}")
    rows = [
        (kind, total[kind], found[kind] / total[kind], ", ".join(f"{n} {why}" for why, n in lost[kind].most_common()))
        for kind in total
    ]
    show(f"{len(images):,} images, {len(pairs):,} pairs", ("kind", "pairs", "found", "lost at"), rows)
    for pair in false:
        print(
            f"of different pictures: {pair.verification.score:.3f}",
            *(one.locations[0].path.name for one in (pair.a, pair.b)),
        )
    return {kind: {"pairs": total[kind], "found": found[kind] / total[kind]} for kind in total}


if __name__ == "__main__":
    raise SystemExit(main())
