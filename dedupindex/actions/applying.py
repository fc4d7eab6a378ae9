"""Apply a plan: each file is compared with its keeper once more, noted in the journal, then moved or replaced.

Neither the index nor the plan is trusted here: both files are opened, hashed and compared just before, byte for byte
where they must be the same, as pictures at full resolution where they are near-duplicates. A difference from the plan
stops the run. An interrupted run continues with the same plan and journal; `undo_journal` undoes everything, also half
a run.

A file and its companions are one unit. All of it is compared before any of it moves; the companions go first, then the
keeper's sidecar takes over what only the file says, and the picture goes last, so a picture that is still there is
looked at again, and where one step fails, those before it are taken back.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from dedupindex import durable
from dedupindex.actions import file_access, file_operations
from dedupindex.actions.comparing import compared, compared_companion, require_unit
from dedupindex.actions.file_access import Surprise
from dedupindex.actions.file_operations import OperationState
from dedupindex.actions.journal import FileOperation, Journal, JournalEntry, JournalState, SidecarAction, open_journal
from dedupindex.actions.merging import opened_sidecar
from dedupindex.actions.plans import check_plan
from dedupindex.actions.renewed_proof import Prover
from dedupindex.actions.unit_steps import Step, Unit, announce, announce_sidecar, units_in
from dedupindex.actions.units import LINKS
from dedupindex.errors import PlanError
from dedupindex.execution.progress import SILENT, Progress
from dedupindex.groups.unit_files import UnitFinder
from dedupindex.records.plans import ApplySummary, ItemOutcome, OutcomeKind, Plan


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
        finder = None
        if plan.units is not None:
            finder = UnitFinder(str(plan.settings.get("mask_pattern", "")), plan.units)
        progress.start(len(plan.items), "apply" if book is not None else "compare")
        outcomes: list[ItemOutcome] = []
        stopped = False
        try:
            for unit in units_in(plan):
                path, companions = unit.item.file.path, tuple(companion.path for companion in unit.item.going)
                if stopped:
                    if book is not None:
                        _bring_back(book, unit)
                    outcomes.append(ItemOutcome(path, OutcomeKind.LEFT, "", unit.item.bytes, companions))
                    continue
                outcome, detail = _follow(book, unit, prover, finder)
                sidecar = unit.sidecar if outcome is OutcomeKind.DONE else None
                outcomes.append(ItemOutcome(path, outcome, detail, unit.item.bytes, companions, sidecar))
                failed = outcome in (OutcomeKind.SURPRISE, OutcomeKind.FAILED)
                stopped = failed and not go_on
                progress.advance(1)
                if failed:
                    progress.fail(1)
        finally:
            progress.finish()
    return ApplySummary(tuple(outcomes), journal, plan.database)


def _follow(
    book: Journal | None, unit: Unit, prover: Prover | None, finder: UnitFinder | None
) -> tuple[OutcomeKind, str]:
    """Do a unit, or what an earlier run left of it."""
    try:
        if book is None:
            with _unit_compared(unit, unit.steps, prover, finder, None):
                return OutcomeKind.DONE, ""
        if _is_done(book, unit.last):
            return OutcomeKind.EARLIER, ""
        try:
            for step in unit.steps:
                entry = book.entries.get(step.number)
                if entry is not None and entry.state == JournalState.BEGUN:
                    _take_up(book, entry.operation)
            if _is_done(book, unit.last):
                return OutcomeKind.EARLIER, "half done by the run before, done now"
            return _do(book, unit, prover, finder)
        except (Surprise, OSError):
            _bring_back(book, unit)
            raise
    except Surprise as error:
        return OutcomeKind.SURPRISE, str(error)
    except OSError as error:
        return OutcomeKind.FAILED, f"{unit.item.file.path}: {error.strerror or error}"


def _is_done(book: Journal, step: Step) -> bool:
    entry = book.entries.get(step.number)
    return entry is not None and entry.state == JournalState.DONE


def _do(book: Journal, unit: Unit, prover: Prover | None, finder: UnitFinder | None) -> tuple[OutcomeKind, str]:
    left = [step for step in unit.steps if not _is_done(book, step)]
    with _unit_compared(unit, left, prover, finder, book) as seen:
        for step, (status, keeper, descriptor) in zip(left, seen, strict=True):
            announced: tuple[FileOperation, bytes] | None
            if step.metadata is None:
                announced = announce(book, step, status, keeper, descriptor)
            else:
                announced = announce_sidecar(book, step, step.metadata, keeper)
            if announced is None:
                continue
            operation, note = announced
            book.begin(operation)
            try:
                file_operations.perform(operation, status, note)
            except (Surprise, OSError):
                # Half an operation is undone at once where possible; else the journal's entry stays open for later.
                with contextlib.suppress(Surprise, OSError):
                    if file_operations.state_of(operation) is not OperationState.AFTER:
                        file_operations.take_back(operation)
                        book.note(step.number, JournalState.FAILED)
                raise
            book.note(step.number, JournalState.DONE)
    return OutcomeKind.DONE, ""


def _bring_back(book: Journal, unit: Unit) -> None:
    """Undo what was done of a unit whose picture did not go; what cannot be undone now stays in the journal."""
    if not _is_there(book.entries.get(unit.last.number)):  # the next run, or undo, will see
        return
    for step in reversed(unit.steps[:-1]):
        entry = book.entries.get(step.number)
        if entry is not None and entry.state in (JournalState.BEGUN, JournalState.DONE):
            with contextlib.suppress(Surprise, OSError):
                file_operations.take_back(entry.operation)
                book.note(step.number, JournalState.FAILED)


def _is_there(entry: JournalEntry | None) -> bool:
    """Whether a file has certainly not gone."""
    if entry is None or entry.state == JournalState.FAILED:
        return True
    try:
        return entry.state == JournalState.BEGUN and file_operations.state_of(entry.operation) is OperationState.BEFORE
    except OSError:
        return False


@contextlib.contextmanager
def _unit_compared(
    unit: Unit, steps: Sequence[Step], prover: Prover | None, finder: UnitFinder | None, book: Journal | None
) -> Iterator[list[tuple[os.stat_result, os.stat_result, int]]]:
    """Open and compare the files of some steps, the picture's among them; they stay open while they are acted upon.

    Yields
    ------
    list of (file, keeper, descriptor)
        As `compared` gives them, one a step; of a sidecar those of the picture.

    Raises
    ------
    Surprise
    """
    with contextlib.ExitStack() as stack:
        picture = stack.enter_context(compared(unit.item, prover))
        if finder is not None and unit.item.action not in LINKS:
            require_unit(unit.item, finder)
        written = (lambda path: None) if book is None else book.written
        seen = []
        for step in steps:
            if step.companion is not None:
                seen.append(stack.enter_context(compared_companion(step.companion, step.file, picture[1], written)))
                continue
            if step.metadata is not None:
                with opened_sidecar(step.metadata, written(step.metadata.sidecar)):
                    pass
            seen.append(picture)
        yield seen


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
        file_access.remove(operation.temporary)
    book.note(operation.number, JournalState.DONE)
    return True


def undo_journal(journal: Path, *, progress: Progress = SILENT) -> ApplySummary:
    """Undo everything in a journal, the last unit first.

    What cannot be undone (another file has the name; the content does not exist any more) is left as it is and
    reported, with the rest of its unit. Everything else is undone, and another call tries again.

    Raises
    ------
    PlanError
        It is no journal, or in use.
    OSError
        The journal cannot be written.
    """
    outcomes: list[ItemOutcome] = []
    with open_journal(journal) as book:
        units = _last_first(book)
        progress.start(len(units), "undo")
        try:
            for number in units:
                done = [e for e in units[number] if e.state not in (JournalState.UNDONE, JournalState.FAILED)]
                if done:
                    outcomes.append(_take_back(book, number, [entry.operation for entry in done]))
                progress.advance(1)
            for number in sorted(book.entries, reverse=True):
                # a folder may have been in use by an operation that was undone later than the one it was made for
                if book.entries[number].state == JournalState.UNDONE:
                    file_operations.remove_folders(book.entries[number].operation)
        finally:
            progress.finish()
    return ApplySummary(tuple(reversed(outcomes)), journal, book.database)


def _last_first(book: Journal) -> dict[int, list[JournalEntry]]:
    """The entries of each unit: units that wrote into a sidecar in the order in which they did so, the last one first.

    A sidecar that several units wrote into has to be taken back in that order; for all else any order would do.
    """
    units: dict[int, list[JournalEntry]] = {}
    order: dict[int, int] = {}
    for position, (number, entry) in enumerate(book.entries.items()):
        unit = number if entry.operation.unit < 0 else entry.operation.unit
        units.setdefault(unit, []).append(entry)
        if isinstance(entry.operation.action, SidecarAction):
            order[unit] = position
        order.setdefault(unit, position)
    return {unit: units[unit] for unit in sorted(units, key=order.__getitem__, reverse=True)}


def _take_back(book: Journal, unit: int, operations: Sequence[FileOperation]) -> ItemOutcome:
    """Undo the operations of a unit: the picture first, as it went last; the sidecar of the keeper in the end.

    A sidecar that somebody changed meanwhile is left as it is, and keeps nothing else from coming back.
    """
    ordered = sorted(operations, key=lambda operation: (operation.number != unit, -operation.number))
    sidecars = [operation for operation in ordered if isinstance(operation.action, SidecarAction)]
    ordered = [operation for operation in ordered if operation not in sidecars]
    file, size = (ordered or sidecars)[0].file, sum(operation.size for operation in ordered)
    companions = tuple(operation.file for operation in ordered[1:])
    try:
        for operation in ordered if companions else ():
            file_operations.require_known(operation)
        for operation in (*ordered, *sidecars):
            file_operations.take_back(operation)
            book.note(operation.number, JournalState.UNDONE)
    except Surprise as error:
        return ItemOutcome(file, OutcomeKind.SURPRISE, str(error), size, companions)
    except OSError as error:
        return ItemOutcome(file, OutcomeKind.FAILED, f"{file}: {error.strerror or error}", size, companions)
    return ItemOutcome(file, OutcomeKind.BACK, "", size, companions)
