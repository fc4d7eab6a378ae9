"""What an embedding is: a model or a file of vectors, and the small TOML file beside it."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from dedupindex.errors import SettingsError, nearest
from dedupindex.places import absolute
from dedupindex.settings import read_toml

MODEL, VECTORS = (".onnx",), (".parquet", ".pq")
RESIZES = ("stretch", "crop")
LAYOUTS = ("NCHW", "NHWC")
CHANNELS = ("RGB", "BGR")
_READ = 1 << 20  # bytes at once


@dataclass(frozen=True, slots=True)
class Options:
    """What the TOML file says.

    Attributes
    ----------
    size : (int, int)
        Height and width of the model's input, pixels.
    mean, std : (float, float, float)
        Subtracted from and divided into each channel, which lies in 0..1 before.
    layout : str
        ``NCHW`` or ``NHWC``.
    channels : str
        ``RGB`` or ``BGR``.
    resize : str
        ``stretch`` to the size, or scale the shorter side to it and ``crop`` the middle.
    radius : float
        Largest distance (1 - cosine) of a candidate.
    neighbours : int
        Most candidates an image.
    """

    size: tuple[int, int] = (224, 224)
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    layout: str = "NCHW"
    channels: str = "RGB"
    resize: str = "stretch"
    radius: float = 0.25
    neighbours: int = 16


@dataclass(frozen=True, slots=True)
class Embedding:
    """A source of vectors.

    Attributes
    ----------
    path : Path
        Model or file of vectors, absolute.
    options : Options
    fingerprint : str
        32 digits, of the file's content and of all options that shape vectors.
    """

    path: Path
    options: Options
    fingerprint: str

    @property
    def is_model(self) -> bool:
        """Whether vectors are computed, not read."""
        return self.path.suffix.lower() in MODEL


def read_embedding(path: Path) -> Embedding:
    """Read what an embedding is; the TOML file has its name with the ending ``.toml``, and may be missing.

    Raises
    ------
    SettingsError
        It is neither a model nor a file of vectors, is not there, a package is missing, or an option means nothing.
    """
    path = absolute(path)
    suffix = path.suffix.lower()
    if suffix not in (*MODEL, *VECTORS):
        raise SettingsError(f"embedding is {path.name!r}, must be an .onnx model or a .parquet of vectors")
    needed, extra = ("onnxruntime", "embedding") if suffix in MODEL else ("pyarrow", "parquet")
    if find_spec(needed) is None:
        raise SettingsError(f"embedding: {path.name} needs {needed}: install dedupindex with its extra '{extra}'")
    beside = path.with_suffix(".toml")
    options = options_of(read_toml(beside), beside) if beside.exists() else Options()
    try:
        status = path.stat()
    except OSError as error:
        raise SettingsError(f"embedding: {path}: {error.strerror}") from error
    digest = _digest(path, status.st_size, status.st_mtime_ns)
    shaping = {name: value for name, value in asdict(options).items() if name not in ("radius", "neighbours")}
    text = json.dumps({"file": digest, "options": shaping if suffix in MODEL else {}}, sort_keys=True)
    return Embedding(path, options, hashlib.sha256(text.encode()).hexdigest()[:32])


@lru_cache(maxsize=8)
def _digest(path: Path, size: int, mtime_ns: int) -> str:
    """SHA-256 of a file in the state that its size and time name."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while data := file.read(_READ):
            digest.update(data)
    return digest.hexdigest()


def options_of(values: Mapping[str, Any], path: Path) -> Options:
    """Options from the values of a TOML file.

    Raises
    ------
    SettingsError
    """
    known = asdict(Options())
    for name in values:
        if name not in known:
            raise SettingsError(f"{path}: no option {name!r}; there are: {', '.join(known)}{nearest(name, known)}")
    try:
        size = values.get("size", known["size"])
        height, width = (size, size) if isinstance(size, int) else size
        options = Options(
            size=(int(height), int(width)),
            mean=_three(values.get("mean", known["mean"])),
            std=_three(values.get("std", known["std"])),
            layout=str(values.get("layout", known["layout"])).upper(),
            channels=str(values.get("channels", known["channels"])).upper(),
            resize=str(values.get("resize", known["resize"])).lower(),
            radius=float(values.get("radius", known["radius"])),
            neighbours=int(values.get("neighbours", known["neighbours"])),
        )
    except (TypeError, ValueError) as error:
        raise SettingsError(f"{path}: {error}") from error
    for name, choices in (("layout", LAYOUTS), ("channels", CHANNELS), ("resize", RESIZES)):
        if getattr(options, name) not in choices:
            raise SettingsError(f"{path}: {name} is {getattr(options, name)!r}, must be one of {', '.join(choices)}")
    if min(options.size) < 1 or max(options.size) > 4096:
        raise SettingsError(f"{path}: size is {options.size}, must be 1 to 4096 pixels")
    if 0 in options.std or not all(map(math.isfinite, (*options.mean, *options.std))):
        raise SettingsError(f"{path}: mean and std must be numbers, std not 0")
    if not 0 < options.radius <= 2 or not 0 < options.neighbours <= 10_000:
        raise SettingsError(f"{path}: radius must lie in (0, 2], neighbours in 1..10000")
    return options


def _three(value: Any) -> tuple[float, float, float]:
    """One number for each channel, or one for all."""
    if isinstance(value, int | float):
        return (float(value),) * 3
    first, second, third = value
    return (float(first), float(second), float(third))
