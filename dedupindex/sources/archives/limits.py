"""How much an archive may hold and grow when it is unpacked, whatever its headers say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dedupindex.errors import LimitExceededError, Reason
from dedupindex.settings import Settings

FREE_BYTES = 1 << 30  # an archive may unpack to this much whatever its size
FREE_MEMBER_BYTES = 1 << 27  # the same for one member
MOST_STREAM_BYTES = 1 << 34  # of a compressed tar, unpacked: each look at it goes through all of this


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """Limits of one archive, from the settings.

    Attributes
    ----------
    members : int
        Most members.
    ratio : float
        Largest size unpacked over size packed, beyond `FREE_BYTES`, and beyond `FREE_MEMBER_BYTES` for one member.
    """

    members: int = 200_000
    ratio: float = 250.0


def limits_of(settings: Settings) -> ArchiveLimits:
    """The limits that the settings set: `max_frames`, `max_ratio`."""
    return ArchiveLimits(settings.max_frames, settings.max_ratio)


def check_members(archive: Path, count: int, limits: ArchiveLimits) -> None:
    """Refuse an archive of too many members.

    Parameters
    ----------
    archive : Path
        For the message.
    count : int
        Of its members.
    limits : ArchiveLimits

    Raises
    ------
    LimitExceededError
    """
    if count > limits.members:
        detail = f"{count:,} members; max_frames is {limits.members:,}"
        raise LimitExceededError(archive, Reason.TOO_MANY_FRAMES, detail)


def check_expansion(archive: Path, unpacked: int, packed: int, limits: ArchiveLimits) -> None:
    """Refuse an archive that grows too much when it is unpacked.

    Parameters
    ----------
    archive : Path
        For the message.
    unpacked, packed : int
        Bytes.
    limits : ArchiveLimits

    Raises
    ------
    LimitExceededError
    """
    if unpacked > max(FREE_BYTES, limits.ratio * packed):
        raise _grows(archive, packed, f"{unpacked:,} or more", limits)


def check_member(place: Path, unpacked: int, packed: int, limits: ArchiveLimits) -> None:
    """Refuse a member that grows too much when it is unpacked.

    Parameters
    ----------
    place : Path
        For the message.
    unpacked, packed : int
        Bytes.
    limits : ArchiveLimits

    Raises
    ------
    LimitExceededError
    """
    if unpacked > max(FREE_MEMBER_BYTES, limits.ratio * packed):
        raise _grows(place, packed, f"{unpacked:,}", limits)


def _grows(path: Path, packed: int, unpacked: str, limits: ArchiveLimits) -> LimitExceededError:
    detail = f"unpacks {packed:,} bytes to {unpacked}; max_ratio is {limits.ratio:g}"
    return LimitExceededError(path, Reason.TOO_LARGE, detail)
