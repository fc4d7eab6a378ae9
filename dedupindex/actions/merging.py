"""Carry over what only a file that goes says of its picture, into an XMP sidecar beside the one that is kept.

Pictures are never written to. What the two say otherwise is left as the kept one has it, and listed. Where something
would have to be carried over and cannot be (the keeper is protected, or its sidecar cannot be read), the file stays.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dedupindex.actions import file_access
from dedupindex.actions.file_access import Surprise
from dedupindex.actions.plans import SIDECAR
from dedupindex.errors import DedupIndexError
from dedupindex.execution.contained import within_limits
from dedupindex.groups.unit_files import UnitFinder
from dedupindex.records.companions import CompanionKind
from dedupindex.records.metadata import PictureMetadata, differing, joined, lacking
from dedupindex.records.plans import LeftOutReason, PlanItem, PlannedFile, PlannedMetadata
from dedupindex.settings import Settings
from dedupindex.sources.metadata.embedded import read_metadata
from dedupindex.sources.metadata.xmp import MOST_BYTES, XmpError, add_to_xmp, read_xmp

Objection = tuple[LeftOutReason, str]


class _NotReadable(Exception):  # noqa: N818  (what was found, not what went wrong)
    """Metadata, or the place for it, cannot be read or written."""


class Merger:
    """Finds what has to be carried over; files are read once, in a worker process.

    Parameters
    ----------
    finder : UnitFinder
    untouchable : callable
        Whether nothing may be written beside a file: it is protected, or belongs to a reference.
    """

    def __init__(self, finder: UnitFinder, untouchable: Callable[[Path], bool]) -> None:
        self._finder, self._untouchable = finder, untouchable
        self._read: dict[Path, PictureMetadata] = {}
        self._planned: dict[Path, PlannedMetadata] = {}  # by the file that goes
        self._kept: dict[Path, PictureMetadata] = {}  # by keeper: what it and those that go for it earlier say

    def look_at(self, item: PlanItem) -> Objection | None:
        """Note what a file's keeper takes over; why the file has to stay where that is not possible.

        Files are to be shown in the order of the plan.
        """
        keeper = item.keeper.path
        if item.exact and not self._has_sidecar(item.file.path):
            return None
        try:
            kept, going = self._of_unit(keeper), self._of_unit(item.file.path, same=item.keeper if item.exact else None)
            carried = lacking(kept, going)
            before = self._kept.get(keeper, kept)
            other = differing(before, going)
            if not carried:
                if other:
                    self._planned[item.file.path] = PlannedMetadata(self._place(keeper)[0], None, carried, other)
                return None
            if self._untouchable(keeper):
                return (
                    LeftOutReason.METADATA,
                    f"{_named(carried)}: nothing is written beside {keeper.name}, it is protected",
                )
            sidecar, existing, data = self._sidecar(keeper)
            add_to_xmp(data, carried)  # whether it can be
        except (_NotReadable, XmpError) as error:
            return LeftOutReason.METADATA, str(error)
        self._kept[keeper] = joined(before, carried)
        self._planned[item.file.path] = PlannedMetadata(sidecar, existing, carried, other)
        return None

    def with_metadata(self, items: Sequence[PlanItem]) -> list[PlanItem]:
        """The items that go, each with what its keeper takes over."""
        return [dataclasses.replace(item, metadata=self._planned.get(item.file.path)) for item in items]

    # ------------------------------------------------------------------------------------------------------ reading
    def _of_unit(self, path: Path, same: PlannedFile | None = None) -> PictureMetadata:
        """What a picture and its sidecars say; of a file with the bytes of *same* that one is read."""
        known = PictureMetadata()
        for companion in self._finder.companions(path):
            if _is_sidecar(companion.path, companion.kind):
                known = joined(known, self._of_sidecar(companion.path))
        return joined(known, self._of_picture(path if same is None else same.path))

    def _has_sidecar(self, path: Path) -> bool:
        return any(_is_sidecar(companion.path, companion.kind) for companion in self._finder.companions(path))

    def _of_picture(self, path: Path) -> PictureMetadata:
        if path not in self._read:
            settings = Settings()
            try:
                self._read[path] = within_limits(settings, path, read_metadata, path, settings)
            except (DedupIndexError, OSError) as error:
                raise _NotReadable(f"what {path.name} says of the picture cannot be read: {error}") from error
        return self._read[path]

    def _of_sidecar(self, path: Path) -> PictureMetadata:
        if path not in self._read:
            try:
                self._read[path] = read_xmp(_bytes_of(path)[1])
            except XmpError as error:
                raise _NotReadable(f"{path.name}: {error}") from error
        return self._read[path]

    def _sidecar(self, keeper: Path) -> tuple[Path, PlannedFile | None, bytes | None]:
        """The sidecar to write beside a keeper, and what it is now."""
        path, is_there = self._place(keeper)
        if not is_there:
            if file_access.look(path) is not None:
                raise _NotReadable(f"{path.name} beside {keeper} is no file of the picture")
            return path, None, None
        planned, data = _bytes_of(path)
        return path, planned, data

    def _place(self, keeper: Path) -> tuple[Path, bool]:
        """Where a keeper's sidecar is or would be: ``IMG.jpg.xmp``, or ``IMG.xmp`` where there is one of its own."""
        names = {c.path.name.casefold(): c.path for c in self._finder.companions(keeper) if _is_sidecar(c.path, c.kind)}
        for wanted in (f"{keeper.name}{SIDECAR}", f"{keeper.stem}{SIDECAR}"):
            path = names.get(wanted.casefold())
            if path is not None and all(owner == keeper for owner in self._finder.owners(path)):
                return path, True
        return keeper.with_name(f"{keeper.name}{SIDECAR}"), False


def _is_sidecar(path: Path, kind: CompanionKind) -> bool:
    return kind is CompanionKind.EDITS and path.suffix.lower() == SIDECAR


def _named(metadata: PictureMetadata) -> str:
    """Which values there are."""
    names = [name for name in ("rating", "keywords", "description", "position") if getattr(metadata, name)]
    names += ["keywords"] if metadata.hierarchy and not metadata.keywords else []
    return ", ".join([*names, *(["date taken"] if metadata.taken else [])])


def _bytes_of(path: Path) -> tuple[PlannedFile, bytes]:
    """A sidecar, whole.

    Raises
    ------
    _NotReadable
    """
    try:
        with file_access.opened(path) as (descriptor, status):
            if status.st_nlink > 1:
                raise _NotReadable(f"{path.name} has {status.st_nlink} hard links; undo could not join them again")
            data = _content_of(descriptor)
    except (Surprise, OSError) as error:
        raise _NotReadable(str(error)) from error
    if data is None:
        raise _NotReadable(f"{path.name} is larger than {MOST_BYTES:,} bytes")
    return PlannedFile(path, file_access.sha256_of(data), status.st_size, status.st_mtime_ns), data


# ----------------------------------------------------------------------------------------------------- applying
@dataclass(frozen=True, slots=True)
class OpenSidecar:
    """A sidecar that is there, open."""

    descriptor: int
    status: os.stat_result
    data: bytes


@contextlib.contextmanager
def opened_sidecar(metadata: PlannedMetadata, written: tuple[str, str] | None) -> Iterator[OpenSidecar | None]:
    """Open a keeper's sidecar and compare it with the plan.

    Parameters
    ----------
    metadata : PlannedMetadata
    written : (str, str) or None
        `Journal.written`: digests before and after what this run wrote into it.

    Yields
    ------
    OpenSidecar or None
        None where there is none, as planned.

    Raises
    ------
    Surprise
        It is neither as planned nor as this run left it.
    """
    path, planned = metadata.sidecar, metadata.existing
    if file_access.look(path) is None:
        if planned is not None:
            raise Surprise(f"{path}: is gone since the plan was made")
        yield None
        return
    with file_access.opened(path) as (descriptor, status):
        if status.st_nlink > 1:
            raise Surprise(f"{path}: has {status.st_nlink} hard links now; undo could not join them again")
        data = _content_of(descriptor)
        digest = "" if data is None else file_access.sha256_of(data)
        if data is None or not is_as_left(digest, "" if planned is None else planned.sha256, written):
            raise Surprise(f"{path}: {'is there now' if planned is None else 'has changed since the plan was made'}")
        yield OpenSidecar(descriptor, status, data)


def is_as_left(digest: str, planned: str, written: tuple[str, str] | None) -> bool:
    """Whether a sidecar has the planned content, or the one that the same run made of it.

    Parameters
    ----------
    digest, planned : str
        Of its content now, and in the plan ("" = there was none).
    written : (str, str) or None
        `Journal.written`.
    """
    return digest == planned or written == (planned, digest)


def merged(path: Path, data: bytes | None, carried: PictureMetadata) -> bytes:
    """The new content of a sidecar.

    Parameters
    ----------
    path : Path
        That an error names.
    data : bytes or None
        Its content now; None: there is none yet.
    carried : PictureMetadata
        What is added as far as it is lacking.

    Returns
    -------
    bytes

    Raises
    ------
    Surprise
        It cannot be read, or added to.
    """
    try:
        return add_to_xmp(data, carried)
    except XmpError as error:
        raise Surprise(f"{path}: {error}") from error


def _content_of(descriptor: int) -> bytes | None:
    """The content of an open sidecar; None where it is larger than sidecars are."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    content = b""
    while data := os.read(descriptor, MOST_BYTES + 1):
        content += data
        if len(content) > MOST_BYTES:
            return None
    return content
