"""What a reviewer has put into the plan: groups, alternates that may go, files and places that shall stay.

It is remembered in a file beside the database, so that an evening's choice survives the end of the page.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Collection, Iterable
from pathlib import Path

from dedupindex import durable
from dedupindex.index import Index, largest_first
from dedupindex.records import DuplicateGroup
from dedupindex.web.page.group_lists import GroupList

TAIL = "-collected.json"  # behind the name of the database


class Collected:
    """Groups and files that were chosen for the plan."""

    def __init__(self, index: Index) -> None:
        self._file = index.beside(TAIL)
        self._lock = threading.Lock()
        known = _read(self._file)
        self.groups: frozenset[str] = frozenset(known.get("groups", ()))  # ids
        self.left: frozenset[Path] = _paths(known.get("left", ()))  # files whose tick was taken away
        self.stays: frozenset[Path] = _paths(known.get("stays", ()))  # of equal files these places stay
        self.surplus: frozenset[str] = frozenset(known.get("surplus", ()))  # content keys of alternates that may go

    def __len__(self) -> int:
        return len(self.groups) + len(self.surplus)

    def put_surplus(self, keys: Iterable[str]) -> None:
        """Put alternates that somebody decided against into the plan, by content key."""
        self._change(surplus=self.surplus.union(keys))

    def take_surplus(self, keys: Iterable[str]) -> None:
        """Take alternates out of the plan."""
        self._change(surplus=self.surplus.difference(keys))

    def put(self, groups: Iterable[str]) -> None:
        """Put groups into the plan."""
        self._change(groups=self.groups.union(groups))

    def take(self, groups: Iterable[str]) -> None:
        """Take groups out of the plan."""
        self._change(groups=self.groups.difference(groups))

    def tick(self, paths: Collection[Path], *, goes: bool) -> None:
        """Let files of the plan go, or stay."""
        self._change(left=self.left.difference(paths) if goes else self.left.union(paths))

    def choose(self, group: DuplicateGroup, path: Path) -> None:
        """Let one place of equal files stay; one that was chosen before, of the same picture, no longer counts."""
        others = {
            place.path
            for member in group.members
            if any(place.path == path for place in member.image.locations)
            for place in member.image.locations
        }
        self._change(stays=self.stays.difference(others).union([path]))

    def clear(self) -> None:
        """Empty the plan."""
        self._change(groups=frozenset(), left=frozenset(), surplus=frozenset())

    def of(self, group_list: GroupList) -> list[DuplicateGroup]:
        """Return those of the groups that there still are, in the order of the list."""
        groups = [entry.group for entry in map(group_list.group, self.groups) if entry is not None]
        return sorted(groups, key=largest_first)

    def _change(
        self,
        *,
        groups: frozenset[str] | None = None,
        left: frozenset[Path] | None = None,
        stays: frozenset[Path] | None = None,
        surplus: frozenset[str] | None = None,
    ) -> None:
        with self._lock:
            self.groups = self.groups if groups is None else groups
            self.left = self.left if left is None else left
            self.stays = self.stays if stays is None else stays
            self.surplus = self.surplus if surplus is None else surplus
            known = {
                "groups": sorted(self.groups),
                "left": sorted(map(os.fspath, self.left)),
                "stays": sorted(map(os.fspath, self.stays)),
                "surplus": sorted(self.surplus),
            }
            durable.make_private_file(self._file)  # paths are nobody else's business
            durable.write_whole(self._file, json.dumps(known, indent=1).encode())


def _read(file: Path) -> dict[str, list[str]]:
    """Read what was collected; nothing where there is no file, or one that says nothing."""
    try:
        known = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(known, dict):
        return {}
    return {
        name: [text for text in values if isinstance(text, str)]
        for name, values in known.items()
        if isinstance(values, list)
    }


def _paths(texts: Iterable[str]) -> frozenset[Path]:
    return frozenset(map(Path, texts))  # bytes that are no UTF-8 stand as escapes in text and in JSON alike
