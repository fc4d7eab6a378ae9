"""Apply a plan: each file is compared with its keeper once more, noted in the journal, then moved or replaced.

Neither the index nor the plan is trusted here: both files are opened, hashed and compared just before, byte for byte
where they must be the same, as pictures at full resolution where they are near-duplicates. A difference from the plan
stops the run. An interrupted run continues with the same plan and journal; `undo_journal` undoes everything, also half
a run.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from dedupindex import durable
from dedupindex.actions import file_operations, trash
from dedupindex.actions.file_operations import OperationState, Surprise
from dedupindex.actions.journal import FileOperation, Journal, JournalState, open_journal
from dedupindex.actions.plans import check_plan
from dedupindex.actions.renewed_proof import Prover, require_proof
from dedupindex.errors import DedupIndexError, PlanError
from dedupindex.execution.progress import SILENT, Progress
from dedupindex.records.plans import Action, ApplySummary, ItemOutcome, OutcomeKind, Plan, PlanItem


def apply_plan(
    plan: Plan,
    journal: Path | None,
    *,
    prover: Prover | None = None,
    go_on: bool = False,
    progress: Progress = SILENT,
) -> ApplySummary:
    """Do what a plan says.

    Parameters
    ----------
    plan : Plan
    journal : Path or None
        Written before each operation; an existing one is continued where it ends. None: a rehearsal, in which every
        file is compared and none is touched.
    prover : callable, optional
        Compares the files of a near-duplicate as pictures; see `Prover`. Without, near-duplicates are left.
    go_on : bool
        Leave a file that is not as planned, or that the system will not let go, and go on with the next; else stop.
    progress : Progress

    Returns
    -------
    ApplySummary
        What became of each file, in the order of the plan.

    Raises
    ------
    PlanError
        The plan could lose a picture; the journal belongs to another plan, was undone or is in use.
    OSError
        The journal cannot be written; what was done stands in it.
    """
    check_plan(plan)
    with contextlib.ExitStack() as stack:
        book = None
        if journal is not None:
            book = stack.enter_context(open_journal(journal, plan=plan.digest(), database=plan.database))
            if book.undone:
                raise PlanError(f"{journal}: was undone; name another journal with --journal")
        progress.start(len(plan.items), "apply" if book is not None else "compare")
        outcomes: list[ItemOutcome] = []
        stopped = False
        try:
            for number, item in enumerate(plan.items):
                if stopped:
                    outcomes.append(ItemOutcome(item.file.path, OutcomeKind.LEFT, "", item.file.size))
                    continue
                outcome, detail = _follow(book, number, item, prover)
                outcomes.append(ItemOutcome(item.file.path, outcome, detail, item.file.size))
                failed = outcome in (OutcomeKind.SURPRISE, OutcomeKind.FAILED)
                stopped = failed and not go_on
                progress.advance(1)
                if failed:
                    progress.fail(1)
        finally:
            progress.finish()
    return ApplySummary(tuple(outcomes), journal, plan.database)


def _follow(book: Journal | None, number: int, item: PlanItem, prover: Prover | None) -> tuple[OutcomeKind, str]:
    entry = None if book is None else book.entries.get(number)
    if entry is not None and entry.state == JournalState.DONE:
        return OutcomeKind.EARLIER, ""
    try:
        if (
            book is not None
            and entry is not None
            and entry.state == JournalState.BEGUN
            and _take_up(book, entry.operation)
        ):
            return OutcomeKind.EARLIER, "half done by the run before, done now"
        if book is None:
            with _compared(item, prover):
                return OutcomeKind.DONE, ""
        return _do(book, number, item, prover)
    except Surprise as error:
        return OutcomeKind.SURPRISE, str(error)
    except OSError as error:
        return OutcomeKind.FAILED, f"{item.file.path}: {error.strerror or error}"


def _do(book: Journal, number: int, item: PlanItem, prover: Prover | None) -> tuple[OutcomeKind, str]:
    with _compared(item, prover) as (status, keeper, descriptor):
        operation, note = _announce(book, number, item, status, keeper, descriptor)
        book.begin(operation)
        try:
            file_operations.perform(operation, status, note)
        except (Surprise, OSError):
            # Half an operation is undone at once where possible; else the journal's entry stays open for later.
            with contextlib.suppress(Surprise, OSError):
                if file_operations.state_of(operation) is not OperationState.AFTER:
                    file_operations.take_back(operation)
                    book.note(number, JournalState.FAILED)
            raise
        book.note(number, JournalState.DONE)
    return OutcomeKind.DONE, ""


def _take_up(book: Journal, operation: FileOperation) -> bool:
    """Finish an operation that an earlier run began; whether it is done now (else it starts again)."""
    where = file_operations.state_of(operation)
    if where is OperationState.UNKNOWN:
        raise Surprise(f"{operation.file}: the run before ended here, and neither the old nor the new state is found")
    if where is OperationState.BEFORE:
        file_operations.tidy(operation)
        return False
    if where is OperationState.BETWEEN:
        file_operations.finish(operation)
    else:
        durable.sync_folder(operation.file.parent)
        file_operations.remove(operation.temporary)
    book.note(operation.number, JournalState.DONE)
    return True


@contextlib.contextmanager
def _compared(item: PlanItem, prover: Prover | None) -> Iterator[tuple[os.stat_result, os.stat_result, int]]:
    """Open both files and compare them with the plan and with each other; they stay open while it is acted upon.

    Yields
    ------
    file, keeper : stat_result
    descriptor : int
        Of the file.

    Raises
    ------
    Surprise
    """
    with (
        file_operations.opened(item.keeper.path, "to be kept: ") as (kept, keeper),
        file_operations.opened(item.file.path) as (descriptor, status),
    ):
        if file_operations.identity(status) == file_operations.identity(keeper):
            raise Surprise(f"{item.file.path}: is the same file as {item.keeper.path}")
        for seen, planned, words in ((status, item.file, ""), (keeper, item.keeper, "to be kept: ")):
            if (seen.st_size, seen.st_mtime_ns) != (planned.size, planned.mtime_ns):
                raise Surprise(f"{words}{planned.path}: has changed since the plan was made")
        digests = [hashlib.sha256(), hashlib.sha256()]
        if item.exact:
            _compare(kept, descriptor, item, digests[0], digests[1])
        else:
            for digest, source in zip(digests, (kept, descriptor), strict=True):
                while data := os.read(source, file_operations.CHUNK):
                    digest.update(data)
        for digest, planned, words in zip(digests, (item.keeper, item.file), ("to be kept: ", ""), strict=True):
            if digest.hexdigest() != planned.sha256:
                raise Surprise(f"{words}{planned.path}: its content is not the planned one")
        if not item.exact:
            _prove_again(item, prover)
        for path, seen, words in ((item.file.path, status, ""), (item.keeper.path, keeper, "to be kept: ")):
            now = file_operations.look(path)
            if now is None or file_operations.state(now) != file_operations.state(seen):
                raise Surprise(f"{words}{path}: changed while it was read")
        yield status, keeper, descriptor


def _compare(kept: int, descriptor: int, item: PlanItem, first: hashlib._Hash, second: hashlib._Hash) -> None:
    """Read two files side by side; every byte has to agree."""
    while True:
        one, other = os.read(kept, file_operations.CHUNK), os.read(descriptor, file_operations.CHUNK)
        if one != other:
            raise Surprise(f"{item.file.path}: differs from {item.keeper.path}")
        if not one:
            return
        first.update(one)
        second.update(other)


def _prove_again(item: PlanItem, prover: Prover | None) -> None:
    """Compare the pictures again. Their digests show that the files read here are those that are open.

    Raises
    ------
    Surprise
    """
    if prover is None:
        raise Surprise(f"{item.file.path}: cannot be compared with {item.keeper.path} again here")
    try:
        proof = prover(item)
    except DedupIndexError as error:
        raise Surprise(f"{item.file.path}: cannot be compared with {item.keeper.path} again: {error}") from error
    require_proof(item, proof)


def _announce(
    book: Journal, number: int, item: PlanItem, status: os.stat_result, keeper: os.stat_result, descriptor: int
) -> tuple[FileOperation, bytes]:
    """Return the operation as the journal keeps it, and the trash's note."""
    path = item.file.path
    if item.action not in (Action.TRASH, Action.MOVE) and status.st_nlink > 1:
        raise Surprise(f"{path}: has {status.st_nlink} hard links now; undo could not join them again")
    target, info, note = item.target, None, b""
    if item.action is Action.TRASH:
        bin_, top = trash.trash_of(path)
        trash.make_trash(bin_)
        name = trash.free_name(bin_, path.name)
        target, info = bin_ / "files" / name, bin_ / "info" / f"{name}.trashinfo"
        note = trash.info_text(path, top, datetime.now())
    if target is not None and os.path.lexists(target):
        raise Surprise(f"{target}: something is there already")
    operation = FileOperation(
        number=number,
        action=item.action,
        file=path,
        keeper=item.keeper.path,
        sha256=item.file.sha256,
        size=status.st_size,
        mtime_ns=status.st_mtime_ns,
        atime_ns=status.st_atime_ns,
        mode=status.st_mode & 0o7777,
        uid=status.st_uid,
        gid=status.st_gid,
        identity=file_operations.identity(status),
        keeper_identity=file_operations.identity(keeper),
        temporary=path.parent / f".dedupindex-{book.token}-{number}",
        target=target,
        info=info,
        made=() if target is None else _missing_folders(target.parent),
        xattrs=_attributes(descriptor),
    )
    return operation, note


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


def undo_journal(journal: Path, *, progress: Progress = SILENT) -> ApplySummary:
    """Undo everything in a journal, the last operation first.

    What cannot be undone (another file has the name; the content does not exist any more) is left as it is and
    reported. The rest is undone, and another call tries again.

    Raises
    ------
    PlanError
        It is no journal, or in use.
    OSError
        The journal cannot be written.
    """
    outcomes: list[ItemOutcome] = []
    with open_journal(journal) as book:
        progress.start(len(book.entries), "undo")
        try:
            for number in sorted(book.entries, reverse=True):
                entry = book.entries[number]
                if entry.state not in (JournalState.UNDONE, JournalState.FAILED):
                    outcomes.append(_take_back(book, entry.operation))
                progress.advance(1)
            for number in sorted(book.entries, reverse=True):
                # a folder may have been in use by an operation that was undone later than the one it was made for
                if book.entries[number].state == JournalState.UNDONE:
                    file_operations.remove_folders(book.entries[number].operation)
        finally:
            progress.finish()
    return ApplySummary(tuple(reversed(outcomes)), journal, book.database)


def _take_back(book: Journal, operation: FileOperation) -> ItemOutcome:
    try:
        file_operations.take_back(operation)
    except Surprise as error:
        return ItemOutcome(operation.file, OutcomeKind.SURPRISE, str(error), operation.size)
    except OSError as error:
        return ItemOutcome(
            operation.file, OutcomeKind.FAILED, f"{operation.file}: {error.strerror or error}", operation.size
        )
    book.note(operation.number, JournalState.UNDONE)
    return ItemOutcome(operation.file, OutcomeKind.BACK, "", operation.size)
