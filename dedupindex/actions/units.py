"""Plan whole units: what belongs to a file goes with it, or the file stays.

A companion that belongs to several pictures stays while one of them stays. One that goes must have its equal, byte for
byte, beside the copy that is kept, unless somebody named its kind (`PlanOptions.may_lack`). A file that becomes a link
keeps its name and with it its companions, so nothing is done about them.
"""

from __future__ import annotations

import dataclasses
import os
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from dedupindex.actions import file_access
from dedupindex.actions.merging import Merger
from dedupindex.actions.plan_options import PlanOptions
from dedupindex.actions.plans import is_under
from dedupindex.groups.unit_files import UnitFinder
from dedupindex.records import ImageRecord
from dedupindex.records.companions import Companion, CompanionKind
from dedupindex.records.plans import (
    Action,
    LeftOut,
    LeftOutReason,
    PlanItem,
    PlannedCompanion,
    PlannedFile,
)

LINKS = frozenset({Action.HARDLINK, Action.SYMLINK, Action.REFLINK})
_STAYS_ALSO = frozenset({  # for these reasons a file stays whatever it belongs to
    LeftOutReason.PROTECTED, LeftOutReason.NOT_SELECTED, LeftOutReason.KEEP_BOTH, LeftOutReason.HARD_LINK,
    LeftOutReason.SAME_FILE,
})  # fmt: skip


def whole_units(
    items: Sequence[PlanItem],
    left_out: Sequence[LeftOut],
    finder: UnitFinder,
    images: Mapping[Path, ImageRecord],
    options: PlanOptions,
    may_go: Callable[[Path], bool],
    merger: Merger | None = None,
) -> tuple[list[PlanItem], list[LeftOut]]:
    """Add to each file what goes with it, and turn down those whose units cannot go whole.

    An item that is turned down makes no other one impossible: its file just stays. So every item is looked at once.

    Parameters
    ----------
    items, left_out : sequence
        As decided file by file.
    finder : UnitFinder
    images : mapping
        The files that were looked at, with the images that they hold.
    options : PlanOptions
    may_go : callable
        Whether the plan's selection covers a file.
    merger : Merger, optional
        Carries over what only the files that go say of their pictures.

    Returns
    -------
    items : list of PlanItem
    left_out : list of LeftOut
    """
    if options.action in LINKS:
        return list(items), list(left_out)
    maker = _Units(items, left_out, finder, images, options, may_go, merger)
    turned_down = [reason for item in items if (reason := maker.look_at(item)) is not None]
    whole = maker.with_companions() if merger is None else merger.with_metadata(maker.with_companions())
    gone = {companion.path for item in whole for companion in item.going} | {item.file.path for item in whole}
    return whole, [file for file in (*left_out, *turned_down) if file.path not in gone]


class _Units:
    """Shared state: which items still go, and what the files hold."""

    def __init__(
        self,
        items: Sequence[PlanItem],
        left_out: Iterable[LeftOut],
        finder: UnitFinder,
        images: Mapping[Path, ImageRecord],
        options: PlanOptions,
        may_go: Callable[[Path], bool],
        merger: Merger | None,
    ) -> None:
        self._going = {item.file.path: item for item in items}
        self._keepers = {item.keeper.path for item in items}
        self._staying = {file.path: file for file in left_out if file.why in _STAYS_ALSO}
        self._finder, self._images, self._options, self._may_go = finder, images, options, may_go
        self._merger = merger
        self._files: dict[Path, PlannedFile | None] = {}
        self._equals: dict[tuple[Path, Path], PlannedFile | None] = {}  # (companion, keeper) -> equal beside the keeper

    def look_at(self, item: PlanItem) -> LeftOut | None:
        """Why a file stays because of its companions; then it goes no more. None: it goes with them."""
        objection = self._objection(item)
        if objection is None:
            return None
        del self._going[item.file.path]
        return LeftOut(item.group, item.file.path, item.keeper.path, *objection)

    def _objection(self, item: PlanItem) -> tuple[LeftOutReason, str] | None:
        beside = self._finder.companions(item.keeper.path)
        lacking: list[str] = []
        for companion in self._finder.companions(item.file.path):
            if not self._may_leave(companion):
                continue
            path = companion.path
            objection = self._must_stay(path)
            if objection is not None:
                return objection
            if self._equal(companion, item.keeper.path, beside) is None and self._is_needed(companion.kind):
                lacking.append(f"{path.name} ({companion.kind})")
        further = self._lacking_pictures(item)
        if further and self._is_needed(CompanionKind.EMBEDDED):
            lacking.append(f"{further} further picture{'s' if further > 1 else ''} in the file (embedded)")
        if lacking:
            return LeftOutReason.COMPANIONS, f"no equal beside the copy that is kept: {', '.join(lacking)}"
        return None if self._merger is None else self._merger.look_at(item)

    def _may_leave(self, companion: Companion) -> bool:
        """Whether every picture that a companion belongs to goes, and it does not go for itself."""
        owners = self._finder.owners(companion.path)
        return companion.path not in self._going and bool(owners) and all(owner in self._going for owner in owners)

    def _is_needed(self, kind: CompanionKind) -> bool:
        return kind not in self._options.may_lack

    def _must_stay(self, path: Path) -> tuple[LeftOutReason, str] | None:
        """Why a companion may not go, whatever the keeper has."""
        belongs = f"{path.name}, which belongs to it,"
        if path in self._keepers:
            return LeftOutReason.UNIT, f"{belongs} is kept for another file"
        if path in self._staying:
            stays = self._staying[path]
            return stays.why, f"{belongs} stays: {stays.detail}"
        if is_under(path, self._options.protect):
            return LeftOutReason.PROTECTED, f"{belongs} is protected"
        if not self._may_go(path):
            return LeftOutReason.NOT_SELECTED, f"{belongs} is not below a path that was asked for"
        file = self._file(path)
        if file is None:
            return LeftOutReason.COMPANIONS, f"{belongs} cannot be read, or has further hard links"
        return None

    def _lacking_pictures(self, item: PlanItem) -> int:
        """How many further pictures of its file a keeper of other bytes has fewer."""
        if item.exact:
            return 0
        file, keeper = self._images.get(item.file.path), self._images.get(item.keeper.path)
        return max(0, (file.further_pictures if file else 0) - (keeper.further_pictures if keeper else 0))

    def with_companions(self) -> list[PlanItem]:
        """The items that go, with their companions; a shared one goes with the last of its pictures."""
        order = {path: number for number, path in enumerate(self._going)}
        return [
            dataclasses.replace(
                item, companions=tuple(self._planned(item, companion, order) for companion in companions)
            )
            if (companions := self._finder.companions(path))
            else item
            for path, item in self._going.items()
        ]

    def _planned(self, item: PlanItem, companion: Companion, order: Mapping[Path, int]) -> PlannedCompanion:
        path = companion.path
        owners = self._finder.owners(path)
        last = self._may_leave(companion) and max(owners, key=order.__getitem__) == item.file.path
        if not last:
            return PlannedCompanion(companion.kind, path)
        beside = self._finder.companions(item.keeper.path)
        return PlannedCompanion(
            companion.kind, path, self._file(path), self._equal(companion, item.keeper.path, beside)
        )

    # --------------------------------------------------------------------------------------------------- contents
    def _equal(self, companion: Companion, keeper: Path, beside: Iterable[Companion]) -> PlannedFile | None:
        """The keeper's companion of the same kind and bytes."""
        key = (companion.path, keeper)
        if key not in self._equals:
            self._equals[key] = self._find_equal(companion, beside)
        return self._equals[key]

    def _find_equal(self, companion: Companion, beside: Iterable[Companion]) -> PlannedFile | None:
        for other in beside:
            same_kind = other.kind is companion.kind and other.path.suffix.lower() == companion.path.suffix.lower()
            if not same_kind or other.path == companion.path or other.path in self._going:
                continue
            try:  # sizes first: most are told apart without being read
                if other.path.lstat().st_size != companion.path.lstat().st_size:
                    continue
            except OSError:
                continue
            own, others = self._file(companion.path), self._file(other.path)
            if own is not None and others is not None and own.sha256 == others.sha256:
                return others
        return None

    def _file(self, path: Path) -> PlannedFile | None:
        """A file with its digest; None where it cannot be read, or has other names too."""
        if path not in self._files:
            self._files[path] = self._read(path)
        return self._files[path]

    def _read(self, path: Path) -> PlannedFile | None:
        image = self._images.get(path)
        try:
            status = os.lstat(path)
            if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
                return None
            for place in image.locations if image else ():
                if place.path == path and (place.size, place.mtime_ns) == (status.st_size, status.st_mtime_ns):
                    return PlannedFile(path, image.sha256.hex() if image else "", place.size, place.mtime_ns)
            with file_access.opened(path) as (descriptor, status):
                return PlannedFile(path, file_access.digest_of(descriptor), status.st_size, status.st_mtime_ns)
        except (OSError, file_access.Surprise):
            return None
