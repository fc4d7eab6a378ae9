"""How many reused figure panels are found: ``python -m tests.benchmarks.figure_panels FOLDER... [--panels 500]``.

Panels are cut from the pictures of the folders, those of the first folder first (microscopy, say), without overlap; so
many panels come from one and the same slide and look alike. Each is reused in nine ways (`VARIANTS`): cropped, turned,
in another contrast, encoded again, made smaller, mirrored, with a label over it, and as one of 4 or 9 panels of a
figure. For each way there is a database of its own with what was made, and every panel is a query; strangers, further
panels that stand in nothing, are queries too. The first answer, copy or piece, counts.

recall@1      panels whose first answer is the picture that was made of them / panels
precision     right first answers / first answers, those to strangers among them
R@P.99        recall@1 at the score from which on the precision is at least .99

For comparison, from the literature (BioFors, recall@1 of panels reused inside a composite): pHash 0, DINOv2 .07, SSCD
.12, SSCD with SIFT and RANSAC .25.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np

from dedupindex import Index
from dedupindex.errors import ReadError
from dedupindex.records import ByteArray
from dedupindex.settings import Settings
from dedupindex.sources import decode_file

SIDE = 240  # pixels of a panel
TILES = 8  # panels of one picture
LEAST_CONTRAST = 5.0  # standard deviation of a panel, levels
LEAST_DETAIL = 1.0  # mean difference of neighbouring pixels in its most detailed half, levels
PUBLISHED = 0.25
LEAST_PRECISION = 0.99
LETTERS = "abcdefghi"

Answer = tuple[float, str] | None  # score and name of the first answer


@dataclass(frozen=True, slots=True)
class Result:
    """What was found of one variant."""

    name: str
    panels: int
    recall: float
    precision: float
    recall_at_precision: float
    threshold: float


# ------------------------------------------------------------------------------------------------------ panels
def panels_of(folders: Sequence[Path], count: int, seed: int) -> list[ByteArray]:
    """Panels (SIDE, SIDE, 3) cut from pictures, at most *count*; the folders one after the other."""
    random = np.random.default_rng(seed)
    panels: list[ByteArray] = []
    for folder in folders:
        files = sorted(path for path in folder.iterdir() if path.is_file())
        for number in random.permutation(len(files)).tolist():
            if len(panels) >= count:
                return panels[:count]
            panels += tiles(files[number], random)
    return panels[:count]


def tiles(path: Path, random: np.random.Generator) -> list[ByteArray]:
    """Panels of one file."""
    try:
        pixels = decode_file(path, Settings(), min_side=None).frames[0].pixels
    except ReadError:
        return []
    if pixels.dtype != np.uint8:
        return []
    picture = np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else pixels[..., :3]
    if min(picture.shape[:2]) < SIDE:
        factor = SIDE / min(picture.shape[:2])
        if factor > 1.5:
            return []
        picture = cv2.resize(np.ascontiguousarray(picture), None, fx=factor + 1e-3, fy=factor + 1e-3)
    places = itertools.product(range(picture.shape[0] // SIDE), range(picture.shape[1] // SIDE))
    cut = [picture[y * SIDE : (y + 1) * SIDE, x * SIDE : (x + 1) * SIDE] for y, x in places]
    good = [np.ascontiguousarray(one, np.uint8) for one in cut if shows_something(one)]
    return [good[i] for i in random.permutation(len(good))[:TILES].tolist()]


def shows_something(panel: ByteArray) -> bool:
    """Whether a panel is no empty ground."""
    grey = panel.mean(2)
    steps = np.abs(np.diff(grey, axis=1))
    return (
        float(grey.std()) >= LEAST_CONTRAST and float(np.sort(steps.ravel())[steps.size // 2 :].mean()) >= LEAST_DETAIL
    )


# ---------------------------------------------------------------------------------------------------- variants
def cropped(panel: ByteArray, random: np.random.Generator) -> ByteArray:
    """60 to 80 % of the area."""
    side = round(SIDE * float(random.uniform(0.6, 0.8)) ** 0.5)
    top, left = random.integers(SIDE - side + 1, size=2)
    return panel[top : top + side, left : left + side]


def turned(panel: ByteArray, random: np.random.Generator) -> ByteArray:
    """By any angle, its middle."""
    matrix = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), float(random.uniform(0, 360)), 1.0)
    whole = cv2.warpAffine(panel, matrix, (SIDE, SIDE), flags=cv2.INTER_CUBIC)
    rim = round(SIDE * 0.147)  # what is left of a square that is turned by 45 degrees
    return np.asarray(whole[rim : SIDE - rim, rim : SIDE - rim], np.uint8)


def contrast(panel: ByteArray, random: np.random.Generator) -> ByteArray:
    """Another gamma, range and offset."""
    gamma, low, high = random.uniform(0.5, 1.8), random.uniform(0, 40), random.uniform(190, 255)
    levels = low + (high - low) * (np.arange(256) / 255) ** gamma
    return np.asarray(cv2.LUT(panel, levels.astype(np.uint8)), np.uint8)


def encoded(panel: ByteArray, random: np.random.Generator) -> ByteArray:
    """As a JPEG of quality 25 to 50."""
    data = cv2.imencode(".jpg", panel, [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(25, 51))])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def smaller(panel: ByteArray, random: np.random.Generator) -> ByteArray:
    """40 to 70 % of the side."""
    factor = float(random.uniform(0.4, 0.7))
    return np.asarray(cv2.resize(panel, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8)


def mirrored(panel: ByteArray, random: np.random.Generator) -> ByteArray:
    """Left and right exchanged."""
    return np.ascontiguousarray(panel[:, ::-1])


def labelled(panel: ByteArray, random: np.random.Generator) -> ByteArray:
    """A letter, a scale bar, an arrow and a box with writing."""
    copy = panel.copy()
    ink = (255, 255, 255) if panel.mean() < 128 else (0, 0, 0)
    cv2.putText(copy, str(random.choice(list("ABCDEF"))), (8, 34), cv2.FONT_HERSHEY_SIMPLEX, 1.1, ink, 2, cv2.LINE_AA)
    cv2.rectangle(copy, (SIDE - 80, SIDE - 16), (SIDE - 14, SIDE - 10), ink, -1)
    x, y = (int(value) for value in random.integers(60, SIDE - 60, size=2))
    cv2.arrowedLine(copy, (x + 40, y + 30), (x, y), ink, 2, cv2.LINE_AA)
    top = int(random.integers(40, SIDE - 60))
    cv2.rectangle(copy, (10, top), (130, top + 28), (255, 255, 255), -1)
    cv2.putText(copy, "control 24 h", (14, top + 20), cv2.FONT_HERSHEY_SIMPLEX, 0.55, (0, 0, 0), 1, cv2.LINE_AA)
    return copy


Variant = Callable[[ByteArray, np.random.Generator], ByteArray]
VARIANTS: dict[str, Variant | int] = {
    "crop": cropped, "turn": turned, "contrast": contrast, "re-encode": encoded, "reduce": smaller, "mirror": mirrored,
    "label": labelled, "composite 2x2": 2, "composite 3x3": 3,
}  # fmt: skip


def composite(panels: Sequence[ByteArray], across: int, random: np.random.Generator) -> ByteArray:
    """A figure of panels with letters, on white or black."""
    side, gap = int(random.integers(200, 301)), int(random.integers(4, 13))
    ground = int(random.choice([0, 255]))
    whole = across * side + (across + 1) * gap
    sheet = np.full((whole, whole, 3), ground, np.uint8)
    for number, panel in enumerate(panels):
        row, column = divmod(number, across)
        top, left = gap + row * (side + gap), gap + column * (side + gap)
        way = cv2.INTER_AREA if side < SIDE else cv2.INTER_CUBIC
        shown = cv2.resize(panel, (side, side), interpolation=way)
        cv2.putText(shown, LETTERS[number], (6, 22), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (255, 255, 255), 2, cv2.LINE_AA)
        sheet[top : top + side, left : left + side] = shown
    return sheet


def made_of(panels: Sequence[ByteArray], variant: Variant | int, folder: Path, seed: int) -> dict[int, str]:
    """Write what is made of panels; the name of the file that shows each."""
    random = np.random.default_rng(seed)
    names: dict[int, str] = {}
    groups = [[n] for n in range(len(panels))]
    if isinstance(variant, int):
        order = random.permutation(len(panels)).tolist()
        groups = [order[start : start + variant**2] for start in range(0, len(order), variant**2)]
    for number, group in enumerate(groups):
        if isinstance(variant, int):
            picture = composite([panels[n] for n in group], variant, random)
        else:
            picture = variant(panels[group[0]], random)
        name = f"made{number:04d}.jpg"
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(75, 96))]
        cv2.imwrite(str(folder / name), np.ascontiguousarray(picture[..., ::-1]), quality)
        names |= dict.fromkeys(group, name)
    return names


# ------------------------------------------------------------------------------------------------------ search
def first_answers(asked: tuple[Path, Sequence[ByteArray]]) -> list[Answer]:
    """The first answer, copy or piece, to each of some queries."""
    database, queries = asked
    answers: list[Answer] = []
    with Index.open(database, workers=1, read_only=True) as index:
        for query in queries:
            found = [(match.score, match.image) for match in index.query(query, limit=1)]
            found += [(match.found.score, match.image) for match in index.query_pieces(query, limit=1)]
            best = max(found, key=lambda one: one[0], default=None)
            answers.append(None if best is None else (best[0], best[1].locations[0].path.name))
    return answers


def measured(
    name: str, panels: Sequence[ByteArray], strangers: Sequence[ByteArray], pool: ProcessPoolExecutor, seed: int
) -> Result:
    """Make one variant of panels, store it, and ask for each panel."""
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root) / "made"
        folder.mkdir()
        names = made_of(panels, VARIANTS[name], folder, seed)
        database = Path(root) / "panels.db"
        with Index.open(database, create=True, profile="pieces", workers=2) as index:
            index.ingest([folder])
        queries = [*panels, *strangers]
        chunks = [queries[start : start + 25] for start in range(0, len(queries), 25)]
        answers = list(itertools.chain.from_iterable(pool.map(first_answers, [(database, one) for one in chunks])))
    return scored(name, answers, [names.get(number, "") for number in range(len(queries))], len(panels))


def scored(name: str, answers: Sequence[Answer], wanted: Sequence[str], panels: int) -> Result:
    """Recall and precision of first answers.

    Parameters
    ----------
    name : str
    answers : sequence of (float, str) or None
        To each query.
    wanted : sequence of str
        Of each query; empty for strangers.
    panels : int
        Queries that are no strangers.
    """
    ranked = sorted(
        ((answer[0], answer[1] == right) for answer, right in zip(answers, wanted, strict=True) if answer is not None),
        reverse=True,
    )
    good = list(itertools.accumulate(right for _, right in ranked))
    recall = good[-1] / panels if ranked else 0.0
    precision = good[-1] / len(ranked) if ranked else 1.0
    best, threshold = 0.0, 1.0
    for number, (score, _) in enumerate(ranked, 1):
        if good[number - 1] >= LEAST_PRECISION * number:
            best, threshold = good[number - 1] / panels, score
    return Result(name, panels, recall, precision, best, threshold)


def lines(results: Sequence[Result]) -> Iterator[str]:
    """The table, and the mean of the composites beside the published figure."""
    yield f"{'variant':16}{'panels':>8}{'recall@1':>10}{'precision':>11}{'R@P.99':>8}"
    for one in results:
        yield (
            f"{one.name:16}{one.panels:8}{one.recall:10.3f}{one.precision:11.4f}{one.recall_at_precision:8.3f}"
            f"  at score >= {one.threshold:.3f}"
        )
    composites = [one for one in results if one.name.startswith("composite")]
    if composites:
        mean = sum(one.recall_at_precision for one in composites) / len(composites)
        yield f"composites, recall@1 at precision >= .99: {mean:.3f}; the best published: {PUBLISHED:.2f}"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--panels", type=int, default=500)
    parser.add_argument("--strangers", type=int, default=100)
    parser.add_argument("--others", type=int, default=0, help="panels of the variants that are no composite; 0 = all")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    found = panels_of(chosen.folders, chosen.panels + chosen.strangers, chosen.seed)
    random = np.random.default_rng(chosen.seed)
    found = [found[i] for i in random.permutation(len(found)).tolist()]
    held = max(0, len(found) - chosen.strangers)
    panels, strangers = found[:held], found[held:]
    print(f"{len(panels)} panels, {len(strangers)} strangers", flush=True)
    results = []
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        for number, name in enumerate(chosen.variants):
            whole = isinstance(VARIANTS[name], int) or not chosen.others
            some = panels if whole else panels[: chosen.others]
            results.append(measured(name, some, strangers, pool, chosen.seed + 1_000 * number))
            print(list(lines(results))[-1 if not isinstance(VARIANTS[name], int) else -2], flush=True)
    print("\n".join(lines(results)))


if __name__ == "__main__":
    main()
