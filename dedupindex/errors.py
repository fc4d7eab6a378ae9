"""The exception tree. Everything dedupindex raises on purpose derives from `DedupIndexError`.

```
DedupIndexError
├── SettingsError (ValueError)          a setting or option has no meaning
├── ReadError                           a file gives no frame; carries .path and .reason
│   ├── UnsupportedImageError           not an image, or a format that is not allowed
│   ├── LimitExceededError              larger than the limits allow
│   └── NoValidPixelsError              every pixel is masked
├── StoreError                          the database cannot be used
│   ├── IndexNotFoundError (FileNotFoundError)
│   ├── SchemaVersionError              made by an older or newer dedupindex; .current, .head
│   ├── SettingsMismatchError           features were made with other settings
│   └── IndexBusyError                  another process is writing
├── VectorIndexError                    the vector index cannot be used
└── PlanError                           a plan or a journal cannot be followed
```

`ingest` collects `ReadError`s as failures; `query` and `compare` raise them. Wrong shapes, dtypes and ranges in the
numeric rooms are `ValueError` or `TypeError` with the offending values in the message.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path

from dedupindex.places import text_of


class Reason(StrEnum):
    """Why a file gave no frame. The value is what the database, JSON and `failures` show."""

    EMPTY = "empty"
    NOT_AN_IMAGE = "not_an_image"
    GIT_LFS_POINTER = "git_lfs_pointer"
    HTML = "html"
    APPLEDOUBLE = "appledouble"
    UNSUPPORTED = "unsupported"
    TRUNCATED = "truncated"
    DAMAGED = "damaged"
    TOO_LARGE = "too_large"
    TOO_SMALL = "too_small"
    TOO_MANY_FRAMES = "too_many_frames"
    UNREADABLE = "unreadable"
    MISSING = "missing"
    CHANGED_WHILE_READ = "changed_while_read"
    NO_VALID_PIXELS = "no_valid_pixels"
    OUT_OF_MEMORY = "out_of_memory"
    WORKER_DIED = "worker_died"
    TIMED_OUT = "timed_out"
    INTERNAL = "internal"  # a fault of dedupindex


class DedupIndexError(Exception):
    """Base of every error that dedupindex raises on purpose."""


class SettingsError(DedupIndexError, ValueError):
    """A setting or an option has a value that means nothing."""


class ReadError(DedupIndexError):
    """A file gives no usable frame.

    Attributes
    ----------
    path : Path
        The file.
    reason : Reason
        What kind of failure it is.
    detail : str
        One line for people.
    """

    def __init__(self, path: Path, reason: Reason, detail: str) -> None:
        super().__init__(path, reason, detail)  # all three, so that it survives pickling from a worker
        self.path = path
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{text_of(self.path)}: {self.reason.value}: {self.detail}"


class UnsupportedImageError(ReadError):
    """The bytes are no image, or one of a format that is not allowed."""


class LimitExceededError(ReadError):
    """The file is larger (bytes, pixels, frames, aspect) than the limits allow."""


class NoValidPixelsError(ReadError):
    """Every pixel is masked: there is nothing to compare."""


class StoreError(DedupIndexError):
    """The database cannot be used."""


class IndexNotFoundError(StoreError, FileNotFoundError):
    """There is no database at the given place."""


class SchemaVersionError(StoreError):
    """The database was made by an older or a newer dedupindex.

    Attributes
    ----------
    current, head : str
        Schema revision of the database and of this program.
    """

    def __init__(self, message: str, *, current: str, head: str) -> None:
        super().__init__(message)
        self.current = current
        self.head = head


class SettingsMismatchError(StoreError):
    """The database holds features made with other settings."""


class IndexBusyError(StoreError):
    """Another process is writing to the database."""


class VectorIndexError(DedupIndexError):
    """The vector index cannot be used, even after a rebuild."""


class PlanError(DedupIndexError):
    """A plan or a journal cannot be read, or following it could lose a picture."""


class PlanChangedError(PlanError):
    """A plan says something else than what was agreed to."""


def chosen(given: str, choices: Iterable[str]) -> str:
    """The choice that is meant, whatever its capitals, with hyphens or underscores; what was given where none is."""
    plain = given.strip().lower().replace("-", "_")
    return next((str(choice) for choice in choices if choice.lower().replace("-", "_") == plain), given)


def nearest(given: str, choices: Iterable[str]) -> str:
    """A question for the end of a message: which of the choices may be meant. Empty where none is near."""
    import difflib

    plain = {str(choice).lower().replace("-", "_"): str(choice) for choice in choices}
    near = difflib.get_close_matches(given.strip().lower().replace("-", "_"), list(plain), 1)
    return f"; did you mean {plain[near[0]]}?" if near else ""


def said(error: BaseException) -> str:
    """What an error says, for people: of the system's errors the file and the words, without the number.

    Parameters
    ----------
    error : BaseException

    Returns
    -------
    str
        One line or more; empty where the error says nothing.
    """
    if not isinstance(error, OSError) or error.strerror is None or isinstance(error, DedupIndexError):
        return str(error)
    words = str(error.strerror)
    words = words[:1].lower() + words[1:] if words[1:2].islower() else words
    names = [os.fsdecode(name) for name in (error.filename, error.filename2) if isinstance(name, str | bytes) and name]
    return f"{' -> '.join(names)}: {words}" if names else words
