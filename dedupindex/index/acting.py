"""Apply and undo a plan: where the journal lies, and noting the results in the index."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from dedupindex import durable
from dedupindex.errors import DedupIndexError, PlanChangedError, said
from dedupindex.execution.progress import SILENT, Progress
from dedupindex.settings import Settings
from dedupindex.store.database import Database
from dedupindex.upkeep.opening import location_of, opened

if TYPE_CHECKING:
    from dedupindex.records.plans import ApplySummary, Plan


def journal_beside(file: Path, plan: Plan) -> Path:
    """Where the journal of a plan that was read from a file lies, unless somebody says otherwise."""
    return file.with_name(f"{file.stem}.{plan.digest()[:8]}.journal")


def apply_plan(
    plan: Plan,
    journal: Path | None,
    *,
    settings: Settings | None = None,
    database: str = "",
    go_on: bool = False,
    progress: Progress | None = None,
) -> ApplySummary:
    """Do what a plan says, where its index need not be within reach.

    Parameters
    ----------
    plan : Plan
    journal : Path or None
        For `undo_journal`; an existing one is continued where it ends. None: a rehearsal, in which every file is
        compared and none is touched.
    settings : Settings, optional
        Limits within which files of near-duplicates are read and compared again.
    database : str
        Of the index that notes what became of the files; "" = the one that the plan was made from.
    go_on : bool
        Leave a file that is not as planned, and go on with the next; else stop there.
    progress : Progress, optional

    Returns
    -------
    ApplySummary
        Its `unnoted` says why the index could not note it, "" = it did: then the next ingest notices.

    Raises
    ------
    PlanError
        The plan could lose a picture; the journal belongs to another plan, was undone or is in use.
    OSError
        The journal cannot be written; what was done stands in it.
    """
    from dedupindex.actions import applying
    from dedupindex.search.file_proofs import prover  # only who applies a plan compares files

    with prover(settings or Settings(), plan.settings) as compared:
        done = applying.apply_plan(plan, journal, prover=compared, go_on=go_on, progress=progress or SILENT)
    return done if journal is None else _noted(done, database or done.database, plan.to)


def undo_journal(journal: Path, *, database: str = "", progress: Progress | None = None) -> ApplySummary:
    """Undo what a run of `apply_plan` did; its index need not be within reach.

    Parameters
    ----------
    journal : Path
        That the run wrote.
    database : str
        The index that notes the changes; by default the one that the journal names.
    progress : Progress, optional

    Returns
    -------
    ApplySummary
        Files in the order of the plan.

    Raises
    ------
    PlanError
        It is no journal, or is in use.
    OSError
    """
    from dedupindex.actions import applying

    done = applying.undo_journal(journal, progress=progress or SILENT)
    return _noted(done, database or done.database) if done.outcomes else done


def apply_with(
    database: Database,
    settings: Settings,
    plan: Plan,
    journal: Path | None,
    *,
    agreed: str,
    rehearse: bool,
    go_on: bool,
    progress: Progress,
) -> ApplySummary:
    """Do what a plan says; see `Index.apply`.

    Parameters
    ----------
    database : Database
        Notes what became of the files.
    settings : Settings
        Of the index; files are read with those of the plan.
    plan : Plan
    journal : Path or None
        None: plan and journal are written beside the database.
    agreed : str
        `Plan.operations_digest` of the plan that somebody agreed to; "" = not asked for.
    rehearse : bool
        Compare the files, change nothing.
    go_on : bool
        Go on after a file that is not as planned.
    progress : Progress

    Returns
    -------
    ApplySummary

    Raises
    ------
    PlanChangedError
        The plan is not the one that was agreed to.
    PlanError
        The plan or the journal cannot be followed.
    OSError
    """
    from dedupindex.actions import applying
    from dedupindex.reports.jsonfile import to_json
    from dedupindex.reports.plans import plan_json

    if agreed and agreed != plan.operations_digest():
        raise PlanChangedError("The files are not as they were when this plan was shown: look at it again.")
    if journal is None and not rehearse:
        stamp = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{plan.digest()[:8]}"
        beside = database.beside(f"-plan-{stamp}.json")
        durable.write_whole(beside, to_json(plan_json(plan)))
        journal = beside.with_suffix(".journal")
    from dedupindex.search.file_proofs import prover

    with prover(settings, plan.settings) as compared:
        done = applying.apply_plan(plan, None if rehearse else journal, prover=compared, go_on=go_on, progress=progress)
    return done if rehearse else _settled(database, done, plan.to)


def undo_with(database: Database, journal: Path, progress: Progress) -> ApplySummary:
    """Undo what a run did, and note it in the database; see `Index.undo`.

    Parameters
    ----------
    database : Database
    journal : Path
        That the run wrote.
    progress : Progress

    Returns
    -------
    ApplySummary

    Raises
    ------
    PlanError
        It is no journal, or is in use.
    OSError
    """
    from dedupindex.actions import applying
    from dedupindex.ingest.settling import settle

    done = applying.undo_journal(journal, progress=progress)
    settle(database, done.files)
    return done


def _noted(done: ApplySummary, location: str, folder: Path | None = None) -> ApplySummary:
    """Note the results in the index, where it can be opened."""
    try:
        with opened(location_of(location), read_only=False) as database:
            return _settled(database, done, folder)
    except (DedupIndexError, OSError) as error:
        return dataclasses.replace(done, unnoted=said(error))


def _settled(database: Database, done: ApplySummary, folder: Path | None) -> ApplySummary:
    """Note what became of the files, and that later scans leave out the folder to which some were moved."""
    from dedupindex.ingest.exclusions import leave_out
    from dedupindex.ingest.settling import settle
    from dedupindex.records.plans import OutcomeKind

    settle(database, done.files)
    if folder is None or not done.of(OutcomeKind.DONE, OutcomeKind.EARLIER):
        return done
    return dataclasses.replace(done, left_out=None if leave_out(database, folder) is None else folder)
