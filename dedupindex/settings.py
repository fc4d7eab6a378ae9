"""Settings from a TOML file, the environment and flags; and the fingerprint of what shapes a feature."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from dedupindex.errors import SettingsError, chosen, nearest

SCALINGS = ("auto", "dtype", "minmax", "max", "stack", "percentile")
PROFILES = ("default", "fast", "pieces")
WORKING_SIDE = {
    "default": 256,
    "fast": 128,
    "pieces": 512,
}  # pixels: of a prepared picture; keypoints need more than thumbnails
DETAIL_SIDE = {
    "default": 384,
    "fast": 192,
    "pieces": 768,
}  # pixels: down to which a JPEG is decoded reduced; half as much again
# Which copy leads and is kept, the first rule that tells two apart decides. A lossless thumbnail must not beat a
# photograph, so pixels come before everything else, and a lossless grey copy must not beat its original, so what was
# made from another picture comes next; what is on the right of `oldest` decides only between files of one age.
KEEP_RULES = (
    "more-pixels", "less-processed", "lossless", "greater-depth", "less-compressed", "more-metadata", "more-companions",
    "path-order",
    "oldest", "shortest-path",
)  # fmt: skip
OTHER_KEEP_RULES = ("newest", "first-path")
ENVIRONMENT_PREFIX = "DEDUPINDEX_"
# What an effort stands for, where the single settings are not given.
EFFORTS: Mapping[str, Mapping[str, float]] = {
    "quick": {"radius": 0.75, "false_candidates": 3.0, "candidates": 16, "nprobe": 64},
    "normal": {"radius": 0.85, "false_candidates": 30.0, "candidates": 64, "nprobe": 256},
    "thorough": {"radius": 0.90, "false_candidates": 300.0, "candidates": 512, "nprobe": 1024},
}
_TIME_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
LEAST_WORKER_MEMORY = 600_000_000  # bytes; libraries alone take 420 MB of address space
TIMES = ("budget",)  # settings that are given like 10m


class ProofMode(StrEnum):
    """Whether the files of confirmed pairs are compared at full resolution."""

    FULL = "full"
    OFF = "off"


class PdfMode(StrEnum):
    """What is taken of PDF documents."""

    OFF = "off"
    PAGES = "pages"
    PICTURES = "pictures"  # embedded in pages, besides these


def _setting(default: Any, help: str, *, shapes: bool = False, separator: str = ",") -> Any:
    """A dataclass field that knows whether it shapes features (and so belongs to the fingerprint).

    *separator*: between several values in one text.
    """
    return field(default=default, metadata={"help": help, "shapes": shapes, "separator": separator})


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set. Immutable; use `dataclasses.replace` or `Settings.load`.

    Raises
    ------
    SettingsError
        When a value means nothing.
    """

    scaling: str = _setting("auto", "how native depth becomes 0..1: " + ", ".join(SCALINGS), shapes=True)
    low_percentile: float = _setting(0.5, "lower percentile of valid pixels for percentile scaling", shapes=True)
    high_percentile: float = _setting(99.5, "upper percentile of valid pixels for percentile scaling", shapes=True)
    trim_borders: bool = _setting(True, "trim flat borders and letterbox bars", shapes=True)
    filters: tuple[str, ...] = _setting(
        (), "filters before describing, e.g. lee:5, median:3, gaussian:1.5", shapes=True
    )
    no_data: tuple[float, ...] = _setting((), "sample values that mean no data", shapes=True)
    mask_pattern: str = _setting("{stem}.mask.png", "name of the mask file beside a picture", shapes=True)
    mask_saturated: bool = _setting(False, "treat saturated pixels as no data", shapes=True)
    mask_fills: bool = _setting(
        True, "treat large areas of exactly 0, or of the least or largest sample, as no data in pictures above 8 bits",
        shapes=True,
    )  # fmt: skip
    erode_mask: int = _setting(0, "pixels by which the valid area is eroded", shapes=True)
    pdf: PdfMode = _setting(  # noqa: RUF009  (as immutable as the others)
        PdfMode.PAGES, "what is taken of PDF documents: pages, pictures (those in pages too), off", shapes=True
    )
    video_frames: int = _setting(200, "most frames taken of a video, where the picture changes; 0 = none", shapes=True)
    profile: str = _setting(
        "default",
        "default, fast (smaller pictures, neither keypoints nor hashes) or pieces (parts of pictures in others too)",
        shapes=True,
    )

    hash_only: bool = _setting(
        False, "store hashes and vectors only, no thumbnails: pairs are compared from their files; for a new database"
    )
    all_frames: bool = _setting(False, "take every frame of animations too (stacks always give all)")
    panels: bool = _setting(
        False, "take the panels of figures and of PDF pages too, where gutters or rules part them: FILE#panel=N"
    )
    allow_object_arrays: bool = _setting(False, "read numbers and None from .npy arrays of Python objects")
    max_pixels: int = _setting(200_000_000, "largest width x height of a frame")
    max_bytes: int = _setting(2_000_000_000, "largest file, bytes")
    max_frames: int = _setting(200_000, "most frames a file may have")
    max_aspect: float = _setting(1_000.0, "largest long side over short side")
    max_frame_bytes: int = _setting(1_500_000_000, "largest decoded size of a frame, bytes")
    max_ratio: float = _setting(250.0, "largest decoded size over file size of a frame above 134 MB decoded")
    max_seconds: float = _setting(
        120.0, "most computing seconds for a file or a part of a stack, three times that by the clock; 0 = no limit"
    )
    worker_memory: int = _setting(0, "address space of a worker process, bytes; 0 = by the machine, 2 to 8 GB")

    effort: str = _setting(
        "normal", "quick, normal or thorough: preset of radius, false candidates, candidates and nprobe"
    )
    radius: float = _setting(0.85, "largest cosine distance of a candidate, 0..2")
    false_candidates: float = _setting(
        30.0, "unrelated pictures a probe may meet among 10,000; in larger collections the radius shrinks"
    )
    candidates: int = _setting(
        64, "most candidates of an image that are compared; of more, those whose keypoints match best"
    )
    nprobe: int = _setting(256, "cells of the vector index looked into for a probe, from 50,000 images on")
    negatives: int = _setting(50_000, "largest collection in which photographic negatives are searched for; 0 = none")
    threshold: float = _setting(0.5, "smallest score of a confirmed pair, 0..1")
    proof: ProofMode = _setting(  # noqa: RUF009  (as immutable as the others)
        ProofMode.FULL, "full: compare the files of confirmed pairs at the resolution that both have; off: do not"
    )
    budget: float = _setting(0.0, "most time for a search, e.g. 10m, the most promising first; 0 = as long as it takes")
    embedding: str = _setting(
        "", "further candidates by an embedding of your own: an .onnx model or a .parquet of vectors by key"
    )
    default_excludes: bool = _setting(
        True, "leave out system folders: recycle bins, thumbnails and snapshots of a NAS, previews of Lightroom"
    )
    exclude: tuple[str, ...] = _setting(
        (), "what is left out of the folders, a pattern as in .gitignore; remembered with them", separator="\n"
    )
    min_size: int = _setting(0, "smallest file taken, bytes")
    min_pixels: int = _setting(0, "fewest pixels (width x height) of pictures taken")
    extensions: tuple[str, ...] = _setting((), "extensions of files taken, e.g. jpg,png; else all pictures")
    batch: int = _setting(256, "images a transaction")
    engine: str = _setting(
        "", "where the heavy work is done: local or ray[://ADDRESS], by parts in a work folder; else in this program"
    )
    work: str = _setting("", "folder for the parts of an engine, a path or URL; else beside the database")
    workers: int = _setting(0, "worker processes; 0 = as many as cores")
    keep_rules: tuple[str, ...] = _setting(KEEP_RULES, "which copy leads and is kept, the first rule decides that can")
    prefer_paths: tuple[str, ...] = _setting((), "folders whose files are rather kept, the most preferred first")

    def __post_init__(self) -> None:
        if self.scaling not in SCALINGS:
            raise SettingsError(
                f"scaling is {self.scaling!r}, must be one of {', '.join(SCALINGS)}{nearest(self.scaling, SCALINGS)}"
            )
        if self.profile not in PROFILES:
            raise SettingsError(
                f"profile is {self.profile!r}, must be one of {', '.join(PROFILES)}{nearest(self.profile, PROFILES)}"
            )
        if self.hash_only and self.profile == "pieces":
            raise SettingsError("hash_only does not go with the profile pieces, which stores pictures of 512 pixels")
        unknown = [rule for rule in self.keep_rules if rule not in (*KEEP_RULES, *OTHER_KEEP_RULES)]
        if unknown:
            known = ", ".join([*KEEP_RULES, *OTHER_KEEP_RULES])
            near = nearest(unknown[0], [*KEEP_RULES, *OTHER_KEEP_RULES])
            raise SettingsError(f"no keep rule {', '.join(unknown)}; there are: {known}{near}")
        if self.effort not in EFFORTS:
            raise SettingsError(
                f"effort is {self.effort!r}, must be one of {', '.join(EFFORTS)}{nearest(self.effort, EFFORTS)}"
            )
        if not re.fullmatch(r"|local|ray(://\S+)?", self.engine):
            raise SettingsError(f"engine is {self.engine!r}, must be local, ray or ray://ADDRESS")
        if not self.budget >= 0:
            raise SettingsError(f"budget is {self.budget}, must not be negative")
        if not 0 <= self.low_percentile < self.high_percentile <= 100:
            raise SettingsError(f"percentiles {self.low_percentile}, {self.high_percentile} must rise within 0..100")
        for name in ("max_pixels", "max_bytes", "max_frames", "max_frame_bytes", "candidates", "nprobe", "batch"):
            if getattr(self, name) < 1:
                raise SettingsError(f"{name} is {getattr(self, name)}, must be at least 1")
        for pattern in self.exclude:
            _check_pattern(pattern)
        wrong = [extension for extension in self.extensions if not re.fullmatch(r"\.?[^./\s][^/\s]*", extension)]
        if wrong:
            raise SettingsError(f"extensions: {wrong[0]!r} is none, must be like jpg or nii.gz")
        if self.negatives < 0:
            raise SettingsError(f"negatives is {self.negatives}, must not be below 0")
        if not 0 < self.radius <= 2:
            raise SettingsError(f"radius is {self.radius}, must lie in (0, 2]")
        if not self.false_candidates > 0:
            raise SettingsError(f"false_candidates is {self.false_candidates}, must be above 0")
        if not 0 <= self.threshold <= 1:
            raise SettingsError(f"threshold is {self.threshold}, must lie in 0..1")
        if 0 < self.worker_memory < LEAST_WORKER_MEMORY:
            raise SettingsError(f"worker_memory is {self.worker_memory}, must be 0 or at least {LEAST_WORKER_MEMORY}")
        for name in ("workers", "erode_mask", "max_seconds", "worker_memory", "min_size", "min_pixels", "video_frames"):
            if not getattr(self, name) >= 0:
                raise SettingsError(f"{name} is {getattr(self, name)}, must not be negative")

    @classmethod
    def load(cls, path: Path | None = None, environment: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
        """Read settings: defaults < TOML file < ``DEDUPINDEX_*`` environment < keyword overrides (None = not given).

        Parameters
        ----------
        path : Path, optional
            TOML file; its keys are the field names, at top level or in a table ``[dedupindex]``.
        environment : mapping, optional
            Instead of `os.environ`.

        Raises
        ------
        SettingsError
            Unreadable file, unknown key, or a value of the wrong kind.
        """
        values: dict[str, Any] = {}
        if path is not None:
            values.update(read_settings_file(path))
        for name, text in (os.environ if environment is None else environment).items():
            key = name.removeprefix(ENVIRONMENT_PREFIX).lower()
            if name.startswith(ENVIRONMENT_PREFIX) and key in _FIELDS:
                values[key] = text
        values.update({name: value for name, value in overrides.items() if value is not None})
        known = {(meant := chosen(name, _FIELDS)): _coerce(meant, value) for name, value in values.items()}
        return cls(**{**EFFORTS.get(known.get("effort", "normal"), {}), **known})

    @property
    def working_side(self) -> int:
        """Longest side of a prepared picture, pixels."""
        return WORKING_SIDE[self.profile]

    @property
    def detail_side(self) -> int:
        """Longest side that a JPEG keeps at least when it is decoded at a half, a quarter or an eighth, pixels."""
        return DETAIL_SIDE[self.profile]

    def shaping(self) -> dict[str, Any]:
        """The settings that shape features, by name: what the database remembers."""
        return {f.name: _plain(getattr(self, f.name)) for f in dataclasses.fields(self) if f.metadata["shapes"]}

    def fingerprint(self, versions: Mapping[str, str]) -> str:
        """Digest of all that shapes a feature.

        Parameters
        ----------
        versions : mapping of str to str
            Name to version of all that shapes a feature: decoding, preparing, features, models
            (`dedupindex.versions`).

        Returns
        -------
        str
            32 hexadecimal digits.
        """
        text = json.dumps({"settings": self.shaping(), "versions": dict(versions)}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]


CHOICES: Mapping[str, tuple[str, ...]] = {  # of settings that are one of several names, or some of them
    "scaling": SCALINGS,
    "profile": PROFILES,
    "effort": tuple(EFFORTS),
    "proof": tuple(ProofMode),
    "pdf": tuple(PdfMode),
    "keep_rules": (*KEEP_RULES, *OTHER_KEEP_RULES),
}
_MOST_DOTS = 100  # in a key of a TOML file; ours have one

_FIELDS: dict[str, dataclasses.Field[Any]] = {f.name: f for f in dataclasses.fields(Settings)}


def read_settings_file(path: Path) -> dict[str, Any]:
    """Return what a TOML file sets, as it stands there: keys at top level or in a table ``[dedupindex]``.

    Raises
    ------
    SettingsError
        Unreadable, or no TOML.
    """
    values = read_toml(path)
    table = values.get("dedupindex", values)
    if not isinstance(table, dict):
        raise SettingsError(f"{path}: dedupindex must be a table of settings")
    return dict(table)


def read_toml(path: Path) -> dict[str, Any]:
    """Return the values of a TOML file.

    Raises
    ------
    SettingsError
        Unreadable, no TOML, or nested too deep.
    """
    try:
        data = path.read_bytes()
        if any(line.partition(b"=")[0].count(b".") > _MOST_DOTS for line in data.splitlines()):
            raise RecursionError  # tomllib takes the square of their number for dotted keys
        return tomllib.loads(data.decode())
    except RecursionError as error:
        raise SettingsError(f"{path}: the TOML is nested too deep") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: is no text") from error
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path}: {error.strerror if isinstance(error, OSError) else error}") from error


def seconds_of(text: str) -> float:
    """Read a time like ``90s``, ``30m``, ``1.5h``, ``1d``; a bare number counts seconds.

    Raises
    ------
    SettingsError
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text.strip())
    if match is None or float(match[1]) <= 0:
        raise SettingsError(f"time is {text!r}, must be like 90s, 30m, 1h or 1d")
    return float(match[1]) * _TIME_UNITS[match[2]]


def _coerce(name: str, value: Any) -> Any:
    """Bring a value from TOML, the environment or a flag to the field's type."""
    if name not in _FIELDS:
        raise SettingsError(f"unknown setting {name!r}; there are: {', '.join(_FIELDS)}{nearest(name, _FIELDS)}")
    default: Any = _FIELDS[name].default
    if name in TIMES:
        return seconds_of(str(value)) if str(value) not in ("0", "0.0") else 0.0
    try:
        if isinstance(default, bool):
            if isinstance(value, str):
                return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}[value.lower()]
            if not isinstance(value, bool | int):
                raise TypeError(name)
            return bool(value)
        if isinstance(default, tuple):
            items = value.split(_FIELDS[name].metadata["separator"]) if isinstance(value, str) else tuple(value)
            number = float if name == "no_data" else str
            return tuple(number(_chosen(name, item)) for item in items if item != "")
        return type(default)(_chosen(name, value))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        kind = f"one of {', '.join(type(default))}" if isinstance(default, StrEnum) else f"a {type(default).__name__}"
        raise SettingsError(f"{name} is {str(value)!r}, must be {kind}") from error


def _chosen(name: str, value: Any) -> Any:
    """The choice that is meant, of a setting that is one of several names."""
    return chosen(value, CHOICES[name]) if name in CHOICES and isinstance(value, str) else value


def _check_pattern(pattern: str) -> None:
    """Refuse a pattern that is none, or that cannot match anything."""
    from pathspec import GitIgnoreSpec  # only where there is one

    if pattern.lstrip().startswith("#"):
        raise SettingsError(f"exclude: {pattern!r} is a comment; write \\{pattern.lstrip()}")
    try:
        compiled = GitIgnoreSpec.from_lines([pattern]).patterns
    except ValueError as error:
        raise SettingsError(f"exclude: {pattern!r} is no pattern") from error
    if all(part.include is None for part in compiled):
        raise SettingsError(f"exclude: {pattern!r} matches nothing")


def _plain(value: Any) -> Any:
    if isinstance(value, StrEnum):
        return value.value
    return list(value) if isinstance(value, tuple) else value
