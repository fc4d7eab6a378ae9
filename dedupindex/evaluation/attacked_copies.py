"""Attacked copies of somebody's pictures, as files: which pictures, which attacks, and the stage that makes them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from dedupindex.errors import ReadError, Reason, SettingsError
from dedupindex.evaluation.attacks import ATTACKS, attack
from dedupindex.execution.worker import WORKER_GONE
from dedupindex.prepare import contrast_normalise, prepare, to_uint8
from dedupindex.records import ByteArray, Failure, FoundFile, Frame, SkippedFile
from dedupindex.settings import Settings
from dedupindex.sources import decode_file, is_candidate, walk

SIDE = 1024  # longest side, pixels, from which copies are made: larger ones only cost time
SMALLEST = 8  # shortest side, pixels, that every attack can take
LOSSLESS_SIDE = 128  # copies up to this are PNG: JPEG's 8 x 8 blocks would be an attack of their own
QUALITY = 92  # JPEG, of all other copies


@dataclass(frozen=True, slots=True)
class Variant:
    """An attack at a strength."""

    attack: str  # a key of `ATTACKS`, or several joined by `+`
    strength: float = 1.0

    @property
    def label(self) -> str:
        """Name for people: ``crop``, ``crop:0.5``."""
        return self.attack if self.strength == 1.0 else f"{self.attack}:{self.strength:g}"


@dataclass(frozen=True, slots=True)
class CopyTask:
    """A picture to attack.

    Attributes
    ----------
    slot : int
        Its place in the plan, from 0; seeds the attacks together with `seed`.
    """

    slot: int
    path: Path
    variants: tuple[Variant, ...]
    folder: Path
    seed: int
    settings: Settings


@dataclass(frozen=True, slots=True)
class Copies:
    """A picture with its attacked copies, or why there are none.

    Attributes
    ----------
    original : Path
        The file to compare with: the user's own, or one frame of a stack as a file in the temporary folder.
    copies : tuple of (Variant, Path)
    why : str
        Empty, or ``low_information``, ``too_small``, or the failure's reason.
    """

    slot: int
    path: Path
    original: Path
    copies: tuple[tuple[Variant, Path], ...] = ()
    why: str = ""
    failure: Failure | None = None


def parse_variants(attacks: Sequence[str] | None, strengths: Sequence[float]) -> tuple[Variant, ...]:
    """Attacks as people name them, each at each strength; those that name a strength of their own only at that.

    Parameters
    ----------
    attacks : sequence of str, optional
        ``NAME[+NAME...][:STRENGTH]``; None = every attack there is.
    strengths : sequence of float
        0.5 mild, 1 common, 2 severe.

    Raises
    ------
    SettingsError
        Unknown name, a strength that is no number above 0, or nothing at all.
    """
    found: list[Variant] = []
    for text in ATTACKS if attacks is None else attacks:
        name, own, strength = text.partition(":")
        unknown = [part for part in name.split("+") if part not in ATTACKS]
        if unknown:
            raise SettingsError(f"unknown attack {unknown[0]!r}; there are: {', '.join(ATTACKS)}")
        found += [Variant(name, _strength(value)) for value in ([strength] if own else strengths)]
    if not found:
        raise SettingsError("no attack and no strength is given")
    return tuple(dict.fromkeys(found))


def _strength(value: str | float) -> float:
    try:
        strength = float(value)
    except ValueError as error:
        raise SettingsError(f"strength is {value!r}, must be a number") from error
    if not 0 < strength <= 10:
        raise SettingsError(f"strength is {strength:g}, must lie above 0 and at most be 10")
    return strength


def plan(slot: int, variants: Sequence[Variant], per_picture: int) -> tuple[Variant, ...]:
    """The attacks of a slot: consecutive slots go round the list, so that all come equally often."""
    start = slot * per_picture
    return tuple(variants[(start + step) % len(variants)] for step in range(per_picture))


def find_files(
    paths: Sequence[Path], settings: Settings, *, recursive: bool, exclude: Sequence[Path]
) -> tuple[list[FoundFile], Counter[str], list[Failure]]:
    """Every regular file, in a fixed order; what was passed over, by reason; and what cannot be looked at."""
    files: list[FoundFile] = []
    skipped: Counter[str] = Counter()
    failures: list[Failure] = []
    for found in walk(paths, recursive=recursive, exclude=exclude, mask_pattern=settings.mask_pattern):
        if isinstance(found, SkippedFile):
            skipped[found.why] += 1
        elif isinstance(found, Failure):
            failures.append(found)
        else:
            files.append(found)
    return files, skipped, failures


def draw(files: Sequence[FoundFile], seed: int, skipped: Counter[str]) -> Iterator[Path]:
    """Yield pictures in random order; other files that are met on the way are counted."""
    for place in np.random.default_rng(seed).permutation(len(files)).tolist():
        if is_candidate(files[place]):
            yield files[place].path
        else:
            skipped["not_an_image"] += 1


def make_copies(tasks: Sequence[CopyTask]) -> list[Copies]:
    """Decode pictures and write their attacked copies. A picture that cannot be used is a result that says why."""
    return [_make(task) for task in tasks]


def died(task: CopyTask, reason: Reason) -> Copies:
    """The result for a picture whose worker died or took too long."""
    return _failed(task, reason, WORKER_GONE[reason])


def _failed(task: CopyTask, reason: Reason, detail: str) -> Copies:
    failure = Failure(task.path, reason, detail)
    return Copies(task.slot, task.path, task.path, why=str(reason), failure=failure)


def _make(task: CopyTask) -> Copies:
    try:
        frames = [f for f in decode_file(task.path, task.settings, min_side=SIDE).frames if f.mask.any()]
        if not frames:
            return _failed(task, Reason.NO_VALID_PIXELS, "every pixel is masked")
        random = np.random.default_rng([task.seed, task.slot])
        frame = frames[0] if len(frames) == 1 else frames[int(random.integers(len(frames)))]
        if min(frame.mask.shape) < SMALLEST:
            return Copies(task.slot, task.path, task.path, why="too_small")
        if prepare(frame, task.settings).low_information:
            return Copies(task.slot, task.path, task.path, why="low_information")
        original = task.path if len(frames) == 1 else _write_frame(task, frame)
        picture = reduced(as_rgb(frame), SIDE)
    except ReadError as error:
        return _failed(task, error.reason, error.detail)
    except MemoryError:
        return _failed(task, Reason.OUT_OF_MEMORY, "not enough memory")
    return Copies(task.slot, task.path, original, tuple(_attacked(task, picture)))


def _attacked(task: CopyTask, picture: ByteArray) -> Iterable[tuple[Variant, Path]]:
    for number, variant in enumerate(task.variants):
        random = np.random.default_rng([task.seed, task.slot, 1 + number])
        copy = attack(variant.attack, picture, variant.strength, random)
        stem = f"copy{task.slot:06d}-{number:03d}"
        if max(copy.shape[:2]) <= LOSSLESS_SIDE:
            path = _write(task.folder / f"{stem}.png", copy)
        else:
            path = _write(task.folder / f"{stem}.jpg", copy, (cv2.IMWRITE_JPEG_QUALITY, QUALITY))
        yield variant, path


def _write_frame(task: CopyTask, frame: Frame) -> Path:
    """One frame of a stack as a file, masked pixels transparent: the stack's other frames are not under test."""
    picture = as_rgb(frame)
    if not frame.mask.all():
        picture = np.dstack([picture, frame.mask.astype(np.uint8) * 255])
    return _write(task.folder / f"frame{task.slot:06d}.png", picture)


def as_rgb(frame: Frame) -> ByteArray:
    """A frame as attacks want it: deeper ones by their own contrast, what is not valid black.

    Returns
    -------
    (H, W, 3) uint8
    """
    pixels = frame.pixels
    if pixels.dtype != np.uint8:
        values = contrast_normalise(pixels, frame.mask, by="percentile", channels=pixels.ndim == 3).values
        pixels = to_uint8(values)
    rgb = np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else pixels.copy()
    rgb[~frame.mask] = 0
    return np.ascontiguousarray(rgb, np.uint8)


def reduced(picture: ByteArray, side: int) -> ByteArray:
    """The picture with its longest side at most *side*; a smaller one keeps its size."""
    factor = side / max(picture.shape[:2])
    if factor >= 1:
        return picture
    height, width = (max(SMALLEST, round(length * factor)) for length in picture.shape[:2])
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _write(path: Path, picture: ByteArray, options: Sequence[int] = ()) -> Path:
    code = cv2.COLOR_RGB2BGR if picture.shape[2] == 3 else cv2.COLOR_RGBA2BGRA
    _, data = cv2.imencode(path.suffix, cv2.cvtColor(picture, code), list(options))
    path.write_bytes(data.tobytes())
    return path
