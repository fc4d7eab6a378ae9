"""Everything that may hold a picture: files and folders, object stores, tar shards and lists, each place once."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any, Protocol, TypeAlias, TypeVar

from dedupindex.errors import ReadError, Reason, SettingsError
from dedupindex.places import (
    ONE_BY_ONE,
    is_archive,
    is_local,
    keeps,
    scheme_of,
    shards_above,
    volume_of,
)
from dedupindex.records import Failure, FileStatus, FoundFile, SkippedFile, SkipReason
from dedupindex.sources import remote, shards
from dedupindex.sources.archives import opening
from dedupindex.sources.archives.limits import ArchiveLimits
from dedupindex.sources.files import Found, mask_name_matcher, masks_among, walk
from dedupindex.sources.lists import SourceList, read_list
from dedupindex.sources.rasters import mask_path
from dedupindex.sources.scope import IGNORE_FILE, LEFT_OUT, Rules, Scope
from dedupindex.sources.sniff import is_candidate

SEVEN_ZIPS = (".7z", ".cb7")
MOST_IGNORE_BYTES = 1_000_000  # of an `IGNORE_FILE` in an object store
_Folder = tuple[Path, Rules]
_T = TypeVar("_T")


class Contained(Protocol):
    """Calls a function for a file."""

    def __call__(self, place: Path, function: Callable[..., _T], /, *arguments: Any) -> _T:
        """What the function gives of the arguments."""


def _here(place: Path, function: Callable[..., _T], *arguments: Any) -> _T:
    """Call a function in this process; what a caller with limits takes in place of it."""
    return function(*arguments)


Known: TypeAlias = Callable[[Path, FileStatus], list[FoundFile] | None]


class Finder:
    """Finds files below places and in lists, and knows afterwards which stored ones are gone.

    Parameters
    ----------
    places : sequence of Path
        Files, folders, objects, prefixes, shards; as `absolute` gives them.
    lists : sequence of SourceList
    recursive : bool
        Go into folders inside folders.
    exclude : sequence of Path
        Never entered: the program's own data.
    mask_pattern : str
        Name of the mask file beside a picture; see `walk`.
    scope : Scope, optional
        Which files in folders and shards are taken; by default all but those in system folders. Patterns and system
        folders are not looked for inside archives.
    contained : callable
        Calls a function that opens an archive, within limits: ``contained(archive, function, *arguments)``.
    limits : ArchiveLimits
        Of each archive.
    documents : container of str
        Endings of documents and videos that are taken from archives.
    known : callable, optional
        What is known of an archive in this state, which spares unpacking it: its members, or None.
    """

    def __init__(
        self,
        places: Sequence[Path],
        lists: Sequence[SourceList] = (),
        *,
        recursive: bool = True,
        exclude: Sequence[Path] = (),
        mask_pattern: str = "{stem}.mask.png",
        scope: Scope | None = None,
        contained: Contained = _here,
        limits: ArchiveLimits = opening.DEFAULT,
        documents: Container[str] = (),
        known: Known | None = None,
    ) -> None:
        self._known = known
        self.scanned: dict[Path, FileStatus] = {}  # compressed archives that were looked into to their end
        self._contained, self._limits, self._documents = contained, limits, documents
        self.places, self._scope = places, scope or Scope()
        self._left_out: set[int] = set()  # hashes of the paths of folders and files that the scope leaves out
        self.absent: list[Path] = []  # named in a list, and not there
        self._lists, self._recursive, self._exclude, self._pattern = lists, recursive, exclude, mask_pattern
        self._mask_names = mask_name_matcher(mask_pattern)
        self._seen: set[int] = set()  # hashes of places in stores and in shards
        self._named: set[int] = set()  # hashes of places that lists named
        self._whole: set[Path] = set()  # shards that were read to their end
        self._broken: list[Path] = []  # folders of stores that could not be listed
        self._filled: set[Path] = set()  # named folders of stores in which there was something

    def __iter__(self) -> Iterator[Found]:
        for entry in self._found():
            if isinstance(entry, FoundFile) and not entry.explicit:
                why = self._scope.too_small_or_other(entry)
                if why is not None:
                    self._left_out.add(hash(os.fspath(entry.path)))
                    yield SkippedFile(entry.path, why)
                    continue
            elif isinstance(entry, SkippedFile) and entry.why in LEFT_OUT:
                self._left_out.add(hash(os.fspath(entry.path)))
            yield entry

    @property
    def is_plain(self) -> bool:
        """Whether it looks for files and folders of this machine only; there may be archives in them."""
        return not self._lists and not any(
            scheme_of(place) or volume_of(place) or any(above.is_file() for above in shards_above(place))
            for place in self.places
        )

    def plain_files(self) -> Iterator[Found]:
        """Walk through the files and folders of this machine once more, without a look into archives; notes nothing."""
        for entry in walk(
            self.places, recursive=self._recursive, exclude=self._exclude, mask_pattern=self._pattern, scope=self._scope
        ):
            if not isinstance(entry, FoundFile) or entry.explicit or self._scope.too_small_or_other(entry) is None:
                yield entry

    def leaves_out(self, path: Path) -> bool:
        """Whether a place, or a folder above it, was left out by the scope."""
        name = os.fspath(path) if self._left_out else ""
        while name:
            if hash(name) in self._left_out:
                return True
            name = name.rpartition("/")[0]
        return False

    def _found(self) -> Iterator[Found]:
        for entry in self._everything():
            if not isinstance(entry, FoundFile) or entry.offset is not None:
                yield entry
            elif is_archive(entry.path.name):
                yield from self._members(entry)
            else:
                yield entry

    def holds_something(self, folder: Path) -> bool:
        """Whether a folder can be listed and is not empty. The mount point of an unplugged disk is empty."""
        if not is_local(folder):
            try:
                return folder in self._filled or scheme_of(folder) in ONE_BY_ONE or bool(remote.entries(folder))
            except (ReadError, SettingsError):
                return False
        try:
            with os.scandir(folder) as entries:
                return next(entries, None) is not None
        except OSError:
            return is_archive(folder.name) and folder.is_file()

    def is_gone(self, root: Path, path: Path) -> bool:
        """Whether a stored place at or below a place that was searched does not exist any more."""
        if is_local(path):
            try:
                os.lstat(path)
            except NotADirectoryError:
                shard = next((above for above in shards_above(path) if above.is_file()), None)
                return shard is None or (shard in self._whole and hash(path) not in self._seen)
            except FileNotFoundError:
                return True
            except OSError:
                return False
            return False
        if (
            hash(path) in self._seen
            or self.leaves_out(path)
            or any(root == broken or root in broken.parents for broken in self._broken)
        ):
            return False
        for shard in shards_above(path):
            if hash(shard) in self._seen:
                return shard in self._whole
        return self._recursive or root in (path, path.parent)

    # ------------------------------------------------------------------------------------------------- helpers
    def _everything(self) -> Iterator[Found]:
        here: list[Path] = []
        for place in sorted(set(self.places), key=os.fsencode):
            if scheme_of(place):
                yield from self._store(place)
            elif volume_of(place):
                yield Failure(place, Reason.MISSING, f"lies on {volume_of(place)}, which is not here")
            elif any(above.is_file() for above in shards_above(place)):
                yield from self._below_shard(place)
            else:
                here.append(place)
        yield from walk(
            here, recursive=self._recursive, exclude=self._exclude, mask_pattern=self._pattern, scope=self._scope
        )
        for source in self._lists:
            yield from self._listed(source)

    def _members(self, file: FoundFile) -> Iterator[Found]:
        shard = file.path
        solid = opening.is_solid(shard)
        try:
            known = self._known(shard, shards.status_of_shard(shard)) if solid and self._known is not None else None
            if known is not None:
                self._seen.update(hash(one.path) for one in known)
                self._whole.add(shard)
                yield from known
                return
            contents = self._contained(shard, opening.scan, shard, self._limits)
        except ReadError as error:
            yield Failure(shard, error.reason, error.detail)
            return
        status = contents.status
        self._seen.update(hash(shard / name) for name in contents.members)
        if contents.damage is None:
            self._whole.add(shard)
            if solid:
                self.scanned[shard] = status
        else:
            yield Failure(shard, *contents.damage)
        for _ in range(contents.others):
            yield SkippedFile(shard, SkipReason.NOT_REGULAR)
        masks = masks_among(list(contents.members), self._mask_names)
        in_order = solid or shard.suffix.lower() in SEVEN_ZIPS  # of where they lie, so that it is unpacked once
        for name, member in sorted(contents.members.items(), key=lambda m: (m[1].offset if in_order else 0, m[0])):
            place = shards.member_found(shard, status, member)
            if is_archive(name):
                yield SkippedFile(place.path, SkipReason.NESTED_ARCHIVE)
            elif any(part.startswith(".") for part in PurePosixPath(name).parts):
                yield SkippedFile(place.path, SkipReason.HIDDEN)
            elif name in masks:
                yield SkippedFile(place.path, SkipReason.MASK_FILE)
            elif not is_candidate(place, member.head or b"", documents=self._documents):
                yield SkippedFile(place.path, SkipReason.NOT_AN_IMAGE)
            else:
                beside = mask_path(place.path, self._pattern)
                masked = beside is not None and os.fspath(beside.relative_to(shard)) in contents.members
                yield replace(place, masked=masked)

    def _below_shard(self, place: Path) -> Iterator[Found]:
        """What was named lies inside a shard: a member, or a folder of members."""
        shard = next(above for above in shards_above(place) if above.is_file())
        status = shard.stat()
        below = 0
        for entry in self._members(FoundFile(shard, status.st_size, status.st_mtime_ns, status.st_ino)):
            if isinstance(entry, FoundFile | SkippedFile) and (entry.path == place or place in entry.path.parents):
                below += 1
                yield entry
        if not below:
            yield Failure(place, Reason.MISSING, f"{shard.name} has no such member")

    def _store(self, place: Path) -> Iterator[Found]:
        try:
            if not remote.is_folder(place):
                if hash(place) not in self._seen:
                    yield from self._object(place)
                return
        except ReadError as error:
            if error.reason is Reason.MISSING:  # gone, or a member of a shard
                yield from self._object(place)
                return
            self._broken.append(place)
            yield Failure(place, error.reason, error.detail)
            return
        pending: list[Iterator[Found | _Folder]] = [self._entries(place, self._scope.at(place))]
        while pending:
            item = next(pending[-1], None)
            if item is None:
                pending.pop()
            elif isinstance(item, tuple):
                pending.append(self._entries(*item))
            else:
                yield item

    def _entries(self, folder: Path, rules: Rules) -> Iterator[Found | _Folder]:
        """Yield the objects of a folder in the order of their keys; a folder to enter comes as a tuple."""
        try:
            listing = remote.entries(folder)
        except ReadError as error:
            self._broken.append(folder)
            yield Failure(folder, error.reason, error.detail)
            return
        if listing and folder in self.places:
            self._filled.add(folder)
        names = [entry.name for entry in listing if not entry.is_folder]
        masks = masks_among(names, self._mask_names)
        there = set(names)
        if IGNORE_FILE in there:
            try:
                rules = rules.with_file(remote.read(folder / IGNORE_FILE, MOST_IGNORE_BYTES)[0], folder / IGNORE_FILE)
            except ReadError as error:
                yield Failure(folder / IGNORE_FILE, error.reason, error.detail)
        for entry in listing:
            if not entry.is_folder and (not entry.name or entry.name.endswith("/")):
                continue  # the placeholder that stands for a folder
            if "/" in entry.name or not keeps(entry.name):
                yield SkippedFile(folder, SkipReason.UNUSABLE_KEY)
                continue
            path = folder / entry.name
            if entry.name == IGNORE_FILE or hash(path) in self._seen:  # below another place that was named too
                continue
            left_out = rules.why_left_out(entry.name, is_folder=entry.is_folder)
            if left_out is not None:  # not seen: it may be named itself too
                yield SkippedFile(path, left_out)
                continue
            self._seen.add(hash(path))
            if entry.name.startswith("."):
                yield SkippedFile(path, SkipReason.HIDDEN)
            elif entry.is_folder:
                inside = self._scope.at(path, rules.below(entry.name))
                yield (path, inside) if self._recursive else SkippedFile(path, SkipReason.FOLDER)
            elif entry.name in masks:
                yield SkippedFile(path, SkipReason.MASK_FILE)
            else:
                state = entry.status
                beside = mask_path(path, self._pattern)
                masked = beside is not None and beside.name in there
                yield FoundFile(path, state.size, state.mtime_ns, state.inode, masked=masked)

    def _object(self, place: Path, label: str | None = None) -> Iterator[Found]:
        """One object that was named, or a member of a shard in a store."""
        try:
            state = remote.status(place)
            file = FoundFile(place, state.size, state.mtime_ns, state.inode, explicit=True)
        except ReadError as error:
            if error.reason is not Reason.MISSING or not shards_above(place):
                if error.reason is Reason.MISSING:
                    self.absent.append(place)
                yield Failure(place, error.reason, error.detail)
                return
            try:
                file = replace(self._contained(place, opening.find_member, place, self._limits), explicit=True)
            except ReadError as inner:
                yield Failure(place, inner.reason, inner.detail)
                return
        self._seen.add(hash(place))
        yield replace(file, masked=False if scheme_of(place) in ONE_BY_ONE else None, label=label)

    def _listed(self, source: SourceList) -> Iterator[Found]:
        for row in read_list(source):
            if isinstance(row, Failure):
                yield row
                continue
            key = hash(row.place)
            if key in self._named:
                yield SkippedFile(row.place, SkipReason.LISTED_TWICE)
                continue
            self._named.add(key)
            if scheme_of(row.place):
                yield from self._object(row.place, row.label)
            elif volume_of(row.place):
                yield Failure(row.place, Reason.MISSING, f"lies on {volume_of(row.place)}, which is not here")
            else:
                yield self._file(row.place, row.label)

    def _file(self, path: Path, label: str | None) -> Found:
        try:
            status = path.stat()
        except NotADirectoryError:
            try:
                member = self._contained(path, opening.find_member, path, self._limits)
                return replace(member, explicit=True, label=label)
            except ReadError as error:
                return Failure(path, error.reason, error.detail)
        except FileNotFoundError as error:
            self.absent.append(path)
            return Failure(path, Reason.MISSING, error.strerror or str(error))
        except (OSError, ValueError) as error:
            return Failure(path, Reason.UNREADABLE, getattr(error, "strerror", None) or str(error))
        if stat.S_ISDIR(status.st_mode):
            return Failure(path, Reason.UNREADABLE, "a folder; the rows of a list are pictures")
        if not stat.S_ISREG(status.st_mode):
            return Failure(path, Reason.UNREADABLE, "not a regular file")
        return FoundFile(path, status.st_size, status.st_mtime_ns, status.st_ino, explicit=True, label=label)
