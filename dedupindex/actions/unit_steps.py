"""The steps in which a plan's units are done: which file, in favour of which one, in which order.

Each step has a number of its own in the journal: a file that of its item, the companions those that follow after the
last item, and the sidecars of keepers those that follow after the last companion.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from dedupindex.actions import file_access, trash
from dedupindex.actions.file_access import Surprise
from dedupindex.actions.journal import FileOperation, Journal, SidecarAction
from dedupindex.actions.merging import merged, opened_sidecar
from dedupindex.records.plans import Action, Plan, PlanItem, PlannedCompanion, PlannedFile, PlannedMetadata


@dataclass(frozen=True, slots=True)
class Step:
    """One file of a unit that goes, or the sidecar of its keeper, which is written."""

    number: int  # in the journal
    unit: int  # number of the item
    action: Action
    file: PlannedFile
    keeper: Path  # what is kept for it: a companion's equal, or the copy of the picture
    target: Path | None
    companion: PlannedCompanion | None = None  # None: the picture itself, or a sidecar
    metadata: PlannedMetadata | None = None  # of a sidecar


@dataclass(frozen=True, slots=True)
class Unit:
    """A file of a plan with all that goes with it."""

    item: PlanItem
    steps: tuple[Step, ...]  # the companions, the sidecar of the keeper, and last the picture

    @property
    def last(self) -> Step:
        """The step of the picture."""
        return self.steps[-1]

    @property
    def sidecar(self) -> Path | None:
        """The sidecar of the keeper, where it takes something over."""
        return next((step.metadata.sidecar for step in self.steps if step.metadata is not None), None)


def units_in(plan: Plan) -> Iterator[Unit]:
    """Yield the units of a plan in its order."""
    following = len(plan.items)
    sidecars = following + plan.companions
    for number, item in enumerate(plan.items):
        steps = []
        for companion in item.companions:
            if companion.file is not None:
                keeper = item.keeper.path if companion.equal is None else companion.equal.path
                steps.append(Step(following, number, item.action, companion.file, keeper, companion.target, companion))
                following += 1
        if item.metadata is not None and item.metadata.carried:
            sidecar = item.metadata.existing or PlannedFile(item.metadata.sidecar, "", 0, 0)
            keeper = item.keeper.path
            steps.append(Step(sidecars + number, number, item.action, sidecar, keeper, None, metadata=item.metadata))
        picture = Step(number, number, item.action, item.file, item.keeper.path, item.target)
        yield Unit(item, (*steps, picture))


def announce(
    book: Journal, step: Step, status: os.stat_result, keeper: os.stat_result, descriptor: int
) -> tuple[FileOperation, bytes]:
    """Return the operation of a step as the journal keeps it, and the trash's note.

    Parameters
    ----------
    book : Journal
    step : Step
    status, keeper : stat_result
        Of the file, and of what is kept for it.
    descriptor : int
        Of the open file.

    Raises
    ------
    Surprise
        The file has further names, or something is where it would go.
    OSError
    """
    path = step.file.path
    if step.action not in (Action.TRASH, Action.MOVE) and status.st_nlink > 1:
        raise Surprise(f"{path}: has {status.st_nlink} hard links now; undo could not join them again")
    target, info, note = step.target, None, b""
    if step.action is Action.TRASH:
        bin_, top = trash.trash_of(path)
        trash.make_trash(bin_)
        name = trash.free_name(bin_, path.name)
        target, info = bin_ / "files" / name, bin_ / "info" / f"{name}.trashinfo"
        note = trash.info_text(path, top, datetime.now())
    if target is not None and os.path.lexists(target):
        raise Surprise(f"{target}: something is there already")
    operation = FileOperation(
        number=step.number,
        action=step.action,
        file=path,
        keeper=step.keeper,
        sha256=step.file.sha256,
        size=status.st_size,
        mtime_ns=status.st_mtime_ns,
        atime_ns=status.st_atime_ns,
        mode=status.st_mode & 0o7777,
        uid=status.st_uid,
        gid=status.st_gid,
        identity=file_access.identity(status),
        keeper_identity=file_access.identity(keeper),
        temporary=path.parent / f".dedupindex-{book.token}-{step.number}",
        target=target,
        info=info,
        made=() if target is None else _missing_folders(target.parent),
        xattrs=_attributes(descriptor),
        unit=step.unit,
    )
    return operation, note


def announce_sidecar(
    book: Journal, step: Step, metadata: PlannedMetadata, keeper: os.stat_result
) -> tuple[FileOperation, bytes] | None:
    """Return the operation that writes a keeper's sidecar, and its content; None where it says all of it already.

    Parameters
    ----------
    book : Journal
    step : Step
    metadata : PlannedMetadata
        Of the step.
    keeper : stat_result
        Of the picture that is kept.

    Raises
    ------
    Surprise
        The sidecar is neither as planned nor as this run left it.
    OSError
    """
    path = metadata.sidecar
    with opened_sidecar(metadata, book.written(path)) as sidecar:
        data = None if sidecar is None else sidecar.data
        content = merged(path, data, metadata.carried)
        if content == data:
            return None
        status = keeper if sidecar is None else sidecar.status
        operation = FileOperation(
            number=step.number,
            action=SidecarAction.WRITE,
            file=path,
            keeper=step.keeper,
            sha256="" if data is None else file_access.sha256_of(data),
            size=0 if data is None else status.st_size,
            mtime_ns=status.st_mtime_ns,
            atime_ns=status.st_atime_ns,
            mode=status.st_mode & (0o666 if data is None else 0o7777),
            uid=status.st_uid,
            gid=status.st_gid,
            identity=file_access.identity(status),
            keeper_identity=file_access.identity(keeper),
            temporary=path.parent / f".dedupindex-{book.token}-{step.number}",
            xattrs=() if sidecar is None else _attributes(sidecar.descriptor),
            unit=step.unit,
            before=None if data is None else data.hex(),
            after=file_access.sha256_of(content),
        )
    return operation, content


def _missing_folders(folder: Path) -> tuple[Path, ...]:
    missing: list[Path] = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    return tuple(reversed(missing))


def _attributes(descriptor: int) -> tuple[tuple[str, str], ...]:
    if not hasattr(os, "listxattr"):
        return ()
    try:
        return tuple((name, os.getxattr(descriptor, name).hex()) for name in os.listxattr(descriptor))
    except OSError:  # a file system without them
        return ()
