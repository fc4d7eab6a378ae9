"""Attacked copies of a user's pictures, as files: the choice of pictures and attacks, and the stage that makes them."""

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

SIDE = 1024  # longest side, pixels, of the picture that is attacked: larger ones only cost time
SMALLEST = 8  # shortest side, pixels, that every attack can take
LOSSLESS_SIDE = 128  # pixels; smaller copies are PNG, because JPEG's 8 x 8 blocks would be an attack of their own
QUALITY = 92  # of all other copies, which are JPEG


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
    path : Path
        The picture.
    variants : tuple of Variant
        One copy is made for each.
    folder : Path
        Where the copies are written.
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
        The file to compare with: the user's own, or a frame of a stack as a file in the temporary folder.
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
    """Attacks from their names, each at each strength; names with a strength of their own only at that.

    Parameters
    ----------
    attacks : sequence of str, optional
        ``NAME[+NAME...][:STRENGTH]``; None = every attack there is.
    strengths : sequence of float
        0.5 mild, 1 common, 2 severe.

    Returns
    -------
    tuple of Variant
        No two alike.

    Raises
    ------
    SettingsError
        Unknown name, a strength that is no number above 0, or no attack at all.
    """
    variants: list[Variant] = []
    for text in ATTACKS if attacks is None else attacks:
        name, own, strength = text.partition(":")
        unknown = [part for part in name.split("+") if part not in ATTACKS]
        if unknown:
            raise SettingsError(f"unknown attack {unknown[0]!r}; there are: {', '.join(ATTACKS)}")
        variants += [Variant(name, _strength(value)) for value in ([strength] if own else strengths)]
    if not variants:
        raise SettingsError("no attack and no strength is given")
    return tuple(dict.fromkeys(variants))


def _strength(value: str | float) -> float:
    try:
        strength = float(value)
    except ValueError as error:
        raise SettingsError(f"strength is {value!r}, must be a number") from error
    if not 0 < strength <= 10:
        raise SettingsError(f"strength is {strength:g}, must be above 0 and at most 10")
    return strength


def plan(slot: int, variants: Sequence[Variant], per_picture: int) -> tuple[Variant, ...]:
    """The attacks of a slot. Consecutive slots continue through the list, so that all attacks come equally often.

    Parameters
    ----------
    slot : int
        From 0.
    variants : sequence of Variant
        Not empty.
    per_picture : int
        Attacks of a slot.

    Returns
    -------
    tuple of Variant
    """
    start = slot * per_picture
    return tuple(variants[(start + step) % len(variants)] for step in range(per_picture))


def find_files(
    paths: Sequence[Path], settings: Settings, *, recursive: bool, exclude: Sequence[Path]
) -> tuple[list[FoundFile], Counter[str], list[Failure]]:
    """Walk through files and folders, in a fixed order.

    Parameters
    ----------
    paths : sequence of Path
    settings : Settings
        `mask_pattern` tells masks from pictures.
    recursive : bool
        Look into folders of folders too.
    exclude : sequence of Path
        Folders that are not looked into.

    Returns
    -------
    files : list of FoundFile
        Every regular file.
    skipped : Counter of str
        Reason to the number of entries that were left out.
    failures : list of Failure
        Files and folders that cannot be read.
    """
    files: list[FoundFile] = []
    skipped: Counter[str] = Counter()
    failures: list[Failure] = []
    for entry in walk(paths, recursive=recursive, exclude=exclude, mask_pattern=settings.mask_pattern):
        if isinstance(entry, SkippedFile):
            skipped[entry.why] += 1
        elif isinstance(entry, Failure):
            failures.append(entry)
        else:
            files.append(entry)
    return files, skipped, failures


def draw(files: Sequence[FoundFile], seed: int, skipped: Counter[str]) -> Iterator[Path]:
    """Pictures in random order.

    Parameters
    ----------
    files : sequence of FoundFile
    seed : int
        Not negative.
    skipped : Counter of str
        Files that are no pictures are counted in it as ``not_an_image``.

    Yields
    ------
    Path
    """
    for place in np.random.default_rng(seed).permutation(len(files)).tolist():
        if is_candidate(files[place]):
            yield files[place].path
        else:
            skipped["not_an_image"] += 1


def make_copies(tasks: Sequence[CopyTask]) -> list[Copies]:
    """Decode pictures and write their attacked copies. The result for an unusable picture says why."""
    return [_make(task) for task in tasks]


def died(task: CopyTask, reason: Reason) -> Copies:
    """The result for a picture whose worker died or took too long, twice."""
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
    """Write one frame of a stack to a file, masked pixels transparent: its other frames are not under test."""
    picture = as_rgb(frame)
    if not frame.mask.all():
        picture = np.dstack([picture, frame.mask.astype(np.uint8) * 255])
    return _write(task.folder / f"frame{task.slot:06d}.png", picture)


def as_rgb(frame: Frame) -> ByteArray:
    """A frame as RGB: frames deeper than 8 bits are scaled by their own contrast, masked pixels are black.

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
