"""Files that belong to a picture, and how a plan treats them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class CompanionKind(StrEnum):
    """What a file is to the picture that it belongs to."""

    RAW = "raw"  # the camera's raw file of the same shot
    RENDERED = "rendered"  # the camera's JPEG or HEIC of the same shot
    VIDEO = "video"  # of a Live Photo or Motion Photo
    EDITS = "edits"  # what an editor did, or a catalogue knows: .xmp, .aae, .pp3, .dop ...
    METADATA = "metadata"  # Google's .json
    SOUND = "sound"  # a spoken note
    MASK = "mask"  # which pixels are valid
    EMBEDDED = "embedded"  # a further picture inside the same file (MPO, Ultra HDR)


class Units(StrEnum):
    """How a plan treats a raw file and the JPEG or HEIC of the same shot."""

    TOGETHER = "together"  # one goes only with the other, and never in favour of the other
    APART = "apart"  # they are decided on one by one


@dataclass(frozen=True, slots=True)
class Companion:
    """A file that belongs to a picture."""

    path: Path
    kind: CompanionKind
