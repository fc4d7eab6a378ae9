"""Places that moved: pictures that an ingest found again while the place where they were known is gone.

Looked at is what this ingest found anew and what was known already: images with a new place and an old one. An old
place counts as gone where nothing lies at its path. The outermost folder that is missing on the way to it has moved
when at least half of the files known below it were found again; then their places get the new path, and what was not
found again is marked as missing. So nothing is a duplicate of its own former place.

A disk that is not plugged in looks just like a folder that was renamed. So below an empty folder, and where disks are
mounted usually, the files found must be the very same (size, time and inode), not copies of them. Where that cannot be
told nothing is changed, and the summary of the ingest names the two folders, for `relocate`.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from dedupindex.groups import roots
from dedupindex.ingest import exclusions
from dedupindex.ingest.scanned_roots import search_again
from dedupindex.places import is_local, shards_above
from dedupindex.records.roots import Move, Root
from dedupindex.records.selected_places import below
from dedupindex.store import catalog, catalog_locations
from dedupindex.store.database import Connection, Database
from dedupindex.store.rows import PlaceRow

FOLLOWED = "moves_followed"  # in the table `meta`: places up to this id were looked at
FOUND_AGAIN = 0.5  # share of the files known below a folder from which it counts as moved
MOUNTS = tuple(map(Path, ("/media", "/run/media", "/mnt", "/Volumes")))


@dataclass(frozen=True, slots=True)
class Followed:
    """What an ingest learned of moved places."""

    moved: tuple[Move, ...] = ()
    perhaps: tuple[Move, ...] = ()  # may have moved, or lie on a disk that is not there
    places: int = 0  # stored places that got another path
    missing: int = 0  # that were not found again


@dataclass(slots=True)
class _Gone:
    """A folder or file that is gone, with what was found again of it."""

    certain: bool  # it was removed or renamed: it does not lie on a disk that may come back
    pairs: list[tuple[PlaceRow, PlaceRow]] = field(default_factory=list)  # (old, new) place of the same image


def begin(connection: Connection) -> None:
    """Note where new places begin, in a database in which nobody has looked for moves before."""
    if catalog.get_meta(connection, FOLLOWED) is None:
        catalog.set_meta(connection, **{FOLLOWED: str(catalog_locations.last_id(connection))})


def follow(database: Database, run: int, searched: Sequence[Path]) -> Followed:
    """Rewrite the places that moved.

    Parameters
    ----------
    database : Database
    run : int
        Id of the ingest, all of whose places are stored.
    searched : sequence of Path
        Places that the ingest looked into. Of a single file that moved within them the old place is not rewritten: the
        ingest marks it as missing.

    Returns
    -------
    Followed

    Raises
    ------
    StoreError
    """
    with database.read() as connection:
        after = int(catalog.get_meta(connection, FOLLOWED) or 0)
        last = catalog_locations.last_id(connection)
        if last == after:
            return Followed()
        host, known = catalog.host(connection), roots.remembered(connection)
        ours = [root.path for root in known if root.host == host] if host else None
        images = catalog_locations.images_found_again(connection, after)
        gone = _gone(catalog_locations.places_of(connection, images), after, ours)
        gone = {folder: one for folder, one in gone.items() if not _is_file_within(folder, one, searched)}
        files = {folder: catalog_locations.count_files_under(connection, folder) for folder in gone}
    moved = {folder: one for folder, one in gone.items() if _has_moved(one, files[folder])}
    perhaps = {folder: one for folder, one in gone.items() if folder not in moved}
    places = missing = 0
    with database.write() as connection:
        search_again(connection, after)
        for folder, one in moved.items():
            places += _rewrite(connection, one, run)
            missing += catalog_locations.mark_under(connection, folder, run)
            catalog_locations.forget_failures_under(connection, folder)
            rename_roots(connection, folder, _new_place(folder, one))
        catalog.set_meta(connection, **{FOLLOWED: str(last)})
    return Followed(_told(moved, files), _told(perhaps, files), places, missing)


def rename_roots(connection: Connection, old: Path, new: Path) -> None:
    """Let what is remembered of roots at or below a folder hold at its new place: roots, and what is left out there.

    Parameters
    ----------
    old, new : Path
        What is remembered of the new place already stays.
    """

    def renamed(path: Path) -> Path:
        return new / path.relative_to(old) if below(path, old) else path

    known = roots.remembered(connection)
    if any(below(root.path, old) for root in known):
        there = {(root.path, root.host) for root in known}
        kept = [root for root in known if not below(root.path, old)]
        kept += [
            Root(renamed(root.path), root.reference, root.host)
            for root in known
            if below(root.path, old) and (renamed(root.path), root.host) not in there
        ]
        roots.remember(connection, kept)
    exclusions.rename(connection, renamed)


# -------------------------------------------------------------------------------------------------- what is gone
def _gone(places: Sequence[PlaceRow], after: int, ours: Sequence[Path] | None) -> dict[Path, _Gone]:
    """What is gone of the old places of images, with the new places that stand for them."""
    by_image: dict[tuple[int, int], tuple[list[PlaceRow], list[PlaceRow]]] = defaultdict(lambda: ([], []))
    for place in places:
        by_image[place.image, place.frame][place.id > after].append(place)
    looked = _Look(ours)
    gone: dict[Path, _Gone] = {}
    for old, new in by_image.values():
        for one, other in _paired([place for place in old if looked.folder_of(place.path) is not None], new):
            folder, certain = looked.folder_of(one.path) or (one.path, False)
            gone.setdefault(folder, _Gone(certain)).pairs.append((one, other))
    return gone


def _paired(old: Sequence[PlaceRow], new: Sequence[PlaceRow]) -> Iterable[tuple[PlaceRow, PlaceRow]]:
    """Each old place with a new one of its own, those with the longest common end of their paths first."""
    ends = sorted(
        ((-_common_end(one.path, other.path), one.id, other.id) for one in old for other in new),
    )
    left, free = {place.id: place for place in old}, {place.id: place for place in new}
    for _, one, other in ends:
        if one in left and other in free:
            yield left.pop(one), free.pop(other)


def _common_end(one: Path, other: Path) -> int:
    """How many parts two paths have in common at their ends."""
    count = 0
    for a, b in zip(reversed(one.parts), reversed(other.parts), strict=False):
        if a != b:
            break
        count += 1
    return count


class _Look:
    """Looks whether places are gone, each folder once.

    Parameters
    ----------
    ours : sequence of Path or None
        Only places below these may be called gone; None = all.
    """

    def __init__(self, ours: Sequence[Path] | None) -> None:
        self._ours = ours
        self._files: dict[Path, tuple[Path, bool] | None] = {}
        self._there = lru_cache(maxsize=None)(_is_there)
        self._empty = lru_cache(maxsize=None)(roots.is_absent)

    def folder_of(self, path: Path) -> tuple[Path, bool] | None:
        """The outermost folder on the way to a file that is gone (or the file), and whether it is surely removed.

        None where something lies at the path, or it cannot be told.
        """
        if not is_local(path) or (self._ours is not None and not any(below(path, root) for root in self._ours)):
            return None
        if path not in self._files:
            self._files[path] = self._ask(path)
        return self._files[path]

    def _ask(self, path: Path) -> tuple[Path, bool] | None:
        if _is_there(path) is not False:
            return None
        top = path
        for above in path.parents:
            there = self._there(above)
            if there is None:
                return None
            if there:
                break
            top = above
        if self._empty(top.parent):  # there, and nothing in it
            return top.parent, False
        return top, not any(below(top, mount) for mount in MOUNTS)


def _is_there(path: Path) -> bool | None:
    """Whether something lies at a path; None where that cannot be told."""
    try:
        os.lstat(path)
    except FileNotFoundError:
        return False
    except NotADirectoryError:
        return None if any(shard.is_file() for shard in shards_above(path)) else False
    except (OSError, ValueError):
        return None
    return True


def _is_file_within(place: Path, one: _Gone, searched: Sequence[Path]) -> bool:
    return one.pairs[0][0].path == place and any(below(place, root) for root in searched)


def _has_moved(one: _Gone, known: int) -> bool:
    files = _files(one)
    same = sum(_is_same(old, new) for old, new in one.pairs)
    return files >= FOUND_AGAIN * known and (one.certain or 2 * same >= len(one.pairs))


def _is_same(old: PlaceRow, new: PlaceRow) -> bool:
    return (old.state.size, old.state.mtime_ns, old.state.inode) == (
        new.state.size,
        new.state.mtime_ns,
        new.state.inode,
    )


def _files(one: _Gone) -> int:
    return len({old.path for old, _ in one.pairs})


# ---------------------------------------------------------------------------------------------------- what is done
def _rewrite(connection: Connection, one: _Gone, run: int) -> int:
    """Give the old places the paths of the new ones, which they replace: ages and labels stay."""
    catalog_locations.drop_places(connection, [new.id for _, new in one.pairs])
    catalog_locations.rewrite(connection, [(old.id, new.state, False) for old, new in one.pairs], run)
    catalog_locations.put_labels(connection, {new.path: new.label for _, new in one.pairs if new.label is not None})
    return len(one.pairs)


def _new_place(folder: Path, one: _Gone) -> Path:
    """Where most of what lay below a folder was found again, at the same path; else what is common to all of it."""
    votes: Counter[Path] = Counter()
    for old, new in one.pairs:
        inside = old.path.relative_to(folder).parts
        if not inside:
            votes[new.path] += 1
        elif new.path.parts[-len(inside) :] == inside and len(new.path.parts) > len(inside):
            votes[Path(*new.path.parts[: -len(inside)])] += 1
    if votes:
        return min(votes, key=lambda path: (-votes[path], os.fsencode(path)))
    return Path(os.path.commonpath([new.path.parent for _, new in one.pairs]))


def _told(gone: dict[Path, _Gone], files: dict[Path, int]) -> tuple[Move, ...]:
    """Where what went, for people: files that moved one by one are told by their folders."""
    counted: dict[tuple[Path, Path], tuple[int, int]] = {}
    for folder, one in gone.items():
        old, new = folder, _new_place(folder, one)
        if _files(one) == files[folder] == 1 and one.pairs[0][0].path == folder and old.name == new.name:
            old, new = old.parent, new.parent
        again, known = counted.get((old, new), (0, 0))
        counted[old, new] = again + _files(one), known + files[folder]
    return tuple(Move(old, new, *numbers) for (old, new), numbers in sorted(counted.items()))
