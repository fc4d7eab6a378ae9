"""What is known of files before they are decoded, and why some were skipped or failed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from dedupindex.errors import Reason


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A regular file that the walker found, with what `stat` said of it."""

    path: Path  # absolute, not resolved
    size: int  # bytes
    mtime_ns: int
    inode: int  # of an object in a store, and of a member of an archive: a digest of what it shows when it changes
    explicit: bool = False  # named by the user, not found in a folder: then "not an image" is a failure, not a skip
    offset: int | None = (
        None  # of a member in its archive: of its bytes in the (unpacked) tar, its header in a zip, its number in a 7z
    )
    masked: bool | None = None  # whether a mask file lies beside it; None = nobody has looked
    label: str | None = None  # the id that a list gave it


@dataclass(frozen=True, slots=True)
class FileStatus:
    """Values that show, without reading a file, whether it has changed."""

    size: int  # bytes; -1 where an object store does not tell
    mtime_ns: int  # 0 where an object store does not tell
    inode: int


class SkipReason(StrEnum):
    """Why the walker passed over an entry."""

    HIDDEN = "hidden"  # its name begins with a dot
    SYMLINK = "symlink"
    NOT_REGULAR = "not_regular"  # a device, socket or pipe
    EXCLUDED = "excluded"  # a file of the index itself
    MASK_FILE = "mask_file"  # the mask of another picture
    FOLDER = "folder"  # below a folder that is read without its subfolders
    NOT_AN_IMAGE = "not_an_image"  # neither its name nor its first bytes say that it is one
    UNUSABLE_KEY = "unusable_key"  # an object whose key cannot be a path
    LISTED_TWICE = "listed_twice"
    SYSTEM_FOLDER = "system_folder"  # a recycle bin, thumbnails of a NAS: see `dedupindex.sources.scope`
    PATTERN = "pattern"  # a pattern of somebody leaves it out
    TOO_SMALL = "too_small"  # fewer bytes than asked for
    OTHER_EXTENSION = "other_extension"  # not one of the extensions that were asked for
    LIVE_PHOTO = "live_photo"  # the video of one; its picture is taken
    NESTED_ARCHIVE = "nested_archive"  # an archive inside an archive is not opened


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """A directory entry that the walker passed over, and why."""

    path: Path
    why: SkipReason


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that could not be decoded, and why."""

    path: Path
    reason: Reason
    detail: str
