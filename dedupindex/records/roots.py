"""Folders that ingests were told to look into, and how they moved."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Root:
    """A folder, or another place, that an ingest was told to look into.

    Attributes
    ----------
    path : Path
    reference : bool
        Its pictures are compared with others only, never among themselves, and no plan removes one of them.
    host : str
        Of a catalogue on a server: the machine that looked there. Only that machine may say that it is gone.
    """

    path: Path
    reference: bool = False
    host: str = ""


@dataclass(frozen=True, slots=True)
class Move:
    """Files that were known at one place and were found again at another one."""

    old: Path
    new: Path
    files: int  # that were found again
    of: int = 0  # files that were known there


@dataclass(frozen=True, slots=True)
class RelocateSummary:
    """What `relocate` did, or would do, in files."""

    run_id: int  # 0: nothing was written
    moved: int = 0  # found at the new place, with the same content
    read: int = 0  # of these, those that were read to compare their bytes
    changed: tuple[Path, ...] = ()  # at the new place, but with other content: the next ingest reads them
    gone: tuple[Path, ...] = ()  # not at the new place: marked as gone, there
    places: int = 0  # stored places whose path was rewritten
