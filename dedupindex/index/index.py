"""`Index`: the one facade over database, vectors and all that is done with them."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dedupindex import __version__
from dedupindex.execution.progress import SILENT, Progress
from dedupindex.groups import decisions as deciding
from dedupindex.groups import report as reporting
from dedupindex.index import notebook
from dedupindex.index.moderating import ModeratingIndex
from dedupindex.records import (
    Decision,
    DuplicatesSummary,
    Failure,
    IngestSummary,
    Match,
    Problem,
    ProofSummary,
)
from dedupindex.records.decisions import Decided
from dedupindex.records.plans import ApplySummary, Plan
from dedupindex.records.reports import Report, Selection
from dedupindex.records.upkeep import BackupSummary
from dedupindex.search.due import PROFILE, duplicates_due, pieces_due
from dedupindex.store.database import database_path
from dedupindex.threads import on_one_thread
from dedupindex.upkeep.opening import location_of, places_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dedupindex.actions.plan_options import PlanOptions
    from dedupindex.actions.plan_rules import PlanByRules, PlanRules
    from dedupindex.search.uploads import Uploads
    from dedupindex.sources import SourceList

PathLike = str | os.PathLike[str]
notebook.install()


class Index(ModeratingIndex):
    """An image de-duplication index: a database, its vector files, and everything one does with them.

    Made by `Index.open`; use it as a context manager. Its methods may be called from several threads.

    Examples
    --------
    >>> with Index.open("photos.db", create=True) as index:            # doctest: +SKIP
    ...     summary = index.ingest(["~/Pictures"])
    ...     for group in index.report().groups:
    ...         print(group.id, [member.path for member in group.members])
    """

    # ------------------------------------------------------------------------------------------------ the work
    @on_one_thread
    def ingest(
        self,
        paths: Sequence[PathLike] = (),
        *,
        lists: Sequence[SourceList | PathLike] = (),
        recursive: bool = True,
        dry_run: bool = False,
        forget_excludes: bool = False,
        against: Sequence[PathLike] = (),
        progress: Progress | None = None,
    ) -> IngestSummary:
        """Bring the database up to date with files and folders; idempotent, and bad files are collected, not raised.

        Parameters
        ----------
        paths : sequence of path or str
            Files, folders, tar shards; URLs of objects and prefixes in object stores (``s3://bucket/prefix``).
        lists : sequence of SourceList or path
            Lists with a path or URL a row.
        recursive : bool
            Go into folders below those that are named.
        dry_run : bool
            Only count what would be read.
        forget_excludes : bool
            Forget the patterns that earlier ingests left out of these places. The setting `exclude` replaces them.
        against : sequence of path or str
            Ingested too, as a reference: from now on their pictures are compared with others only, not among
            themselves, and no plan removes one. To ingest such a place among *paths* ends that.
        progress : Progress, optional

        Returns
        -------
        IngestSummary

        Raises
        ------
        StoreError
        SettingsError
            A URL, list or file of patterns has no meaning, or a package is missing.
        """
        from dedupindex.execution.engine import WORK
        from dedupindex.ingest import ingest as ingesting
        from dedupindex.sources import SourceList

        self._refuse_mismatch()
        return ingesting.ingest(
            self._database,
            self.settings,
            places_of(paths),
            lists=[source if isinstance(source, SourceList) else SourceList(Path(source)) for source in lists],
            recursive=recursive,
            dry_run=dry_run,
            forget_excludes=forget_excludes,
            exclude=[*self._database.own_files, self._database.beside(WORK)],
            against=places_of(against),
            progress=progress or SILENT,
            engine=self._engine,
        )

    @on_one_thread
    def find_duplicates(self, progress: Progress | None = None) -> DuplicatesSummary:
        """Search every image that is new for duplicates, and store the confirmed pairs.

        With the profile ``pieces``, also for parts that it shares with others.

        Raises
        ------
        StoreError
        """
        from dedupindex.search import duplicates
        from dedupindex.search import pieces as piece_search

        self._refuse_mismatch()
        told = progress or SILENT
        summary = duplicates.find_duplicates(
            self._database, self._vectors, self.settings, progress=told, engine=self._engine
        )
        if self.settings.profile != PROFILE:
            return summary
        searched = piece_search.find_new_pieces(
            self._database, self._pieces, self.settings, progress=told, engine=self._engine
        )
        return dataclasses.replace(summary, pieces=searched)

    @on_one_thread
    def prove(self, again: bool = False, progress: Progress | None = None) -> ProofSummary:
        """Compare the files of confirmed pairs not proven yet; with *again*, also those of pairs without an outcome."""
        from dedupindex.search import proving

        self._refuse_mismatch()
        return proving.prove(self._database, self.settings, progress or SILENT, self._engine, again=again)

    @on_one_thread
    def query(self, picture: PathLike | NDArray[Any], limit: int = 10) -> list[Match]:
        """Best confirmed matches of a picture that need not be stored.

        Parameters
        ----------
        picture : path, address or array
            A file or URL, ``path#frame=12``, or pixels (H, W), (H, W, 3) or (H, W, 4) of any real dtype; NaN = no data.
        limit : int
            Most matches.

        Returns
        -------
        list of Match
            Best first; the query is *a*, the stored image *b*. Matches proven to be another picture are left out.

        Raises
        ------
        ReadError
            The file cannot be read as a picture.
        ValueError, TypeError
            The array is no picture.
        """
        from dedupindex.ingest.query_pictures import describe_picture
        from dedupindex.search import candidates, match_proofs

        self._refuse_mismatch()
        image, features = describe_picture(picture, self.settings)
        matches = candidates.query(self._database, self._vectors.current(), self.settings, image, features, limit=limit)
        return match_proofs.prove_matches(self._database, self.settings, picture, image, matches)

    def report(
        self,
        since: int | str | datetime | None = None,
        min_score: float | None = None,
        *,
        selection: Selection | None = None,
        find: bool = True,
        progress: Progress | None = None,
    ) -> Report:
        """Duplicate groups.

        Parameters
        ----------
        since : int, str or datetime, optional
            Only what is different from the groups as they stood after a run: its number; a time ("2026-11-01", "7d"
            ago), for the last run before it; "last", for the search for duplicates before the latest one.
        min_score : float, optional
            Leave out weaker pairs, 0..1; short for a selection that says so.
        selection : Selection, optional
            Which pairs and places the groups are made of.
        find : bool
            Search images that are new first (unless opened read-only).
        progress : Progress, optional

        Returns
        -------
        Report

        Raises
        ------
        StoreError
        SettingsError
            *since* is no run; the selection has no meaning, or goes across a path of which the index knows nothing.
        """
        if (
            find
            and not self._database.read_only
            and (
                duplicates_due(self._database, self.settings, after_any=since == reporting.LAST)
                or pieces_due(self._database, self.settings)
            )
        ):
            self.find_duplicates(progress)
        chosen = selection or Selection()
        if min_score is not None:
            chosen = dataclasses.replace(chosen, min_score=min_score)
        with self._database.read() as connection:
            return reporting.report(connection, chosen, since=since, settings=self.settings)

    def uploads(self, workers: int = 0) -> Uploads:
        """Return a handler of uploads; a context manager, because it has worker processes.

        They start with the first picture; *workers* of them, 0 = as many as the settings say.
        """
        from dedupindex.search.uploads import Uploads

        self._refuse_mismatch()
        return Uploads(self._database, self._vectors, self.settings, workers=workers)

    # ------------------------------------------------------------------------------------------------- decisions
    def decide(self, kind: str, pictures: Sequence[PathLike], note: str = "") -> Decided:
        """Remember a decision; what was decided before on the same pictures is replaced.

        Parameters
        ----------
        kind : DecisionKind or str
            ``not-duplicate`` and ``keep-both`` are about every two of *pictures*, ``keeper`` about each of them;
            ``keep-one`` makes the first the keeper beside each of the others, which are pictures of the same scene.
        pictures : sequence of path or str
            Paths, ``path#frame=12``, or content keys of which at least 8 digits are given.
        note : str
            For people.

        Returns
        -------
        Decided
            The decisions, and the generation of the database that holds them.

        Raises
        ------
        SettingsError
            There is no such kind; too few pictures; one is not in the index, was changed since, or is ambiguous.
        StoreError
        """
        return deciding.decide(self._database, kind, pictures, note)

    def redecide(
        self,
        *,
        make: Iterable[tuple[str, Sequence[PathLike]]] = (),
        forget: Iterable[Decision] = (),
        restore: Iterable[Decision] = (),
    ) -> Decided:
        """Change several decisions in one transaction.

        Parameters
        ----------
        make : iterable of (kind, pictures)
            As `decide` takes them.
        forget : iterable of Decision
            Where they still stand.
        restore : iterable of Decision
            Put back where nothing is decided on the same pictures.

        Returns
        -------
        Decided
            The decisions that were made, and the generation of the database that holds them.

        Raises
        ------
        SettingsError
            As `decide`; nothing was changed.
        StoreError
        """
        return deciding.redecide(self._database, make=make, forget=forget, restore=restore)

    def undecide(self, pictures: Sequence[PathLike], kind: str | None = None) -> int:
        """Forget what was decided on one picture, or between several; return how many decisions."""
        return deciding.undecide(self._database, pictures, kind)

    def take_over(self, decisions: Iterable[Decision]) -> tuple[int, int]:
        """Bring in decisions from elsewhere, the later of two counts; how many were taken, and how many left."""
        return deciding.take_over(self._database, decisions)

    def plan(
        self,
        options: PlanOptions | None = None,
        *,
        selection: Selection | None = None,
        min_score: float | None = None,
    ) -> Plan:
        """What could be done about the duplicates; nothing is touched.

        Parameters
        ----------
        options : PlanOptions, optional
        selection : Selection, optional
            Which files may go, and in favour of which ones. A file that it does not cover stays.
        min_score : float, optional
            Leave out weaker pairs, 0..1; short for a selection that says so.

        Returns
        -------
        Plan

        Raises
        ------
        StoreError
        SettingsError
            The selection has no meaning, or names a path or a group that the index does not know.
        """
        from dedupindex.actions import planning
        from dedupindex.actions.plan_options import PlanOptions

        asked = selection or Selection()
        if min_score is not None:
            asked = dataclasses.replace(asked, min_score=min_score)
        chosen = options or PlanOptions()
        return planning.plan(self._database, self.settings, chosen, version=__version__, selection=asked)

    def plan_by_rules(self, rules: PlanRules) -> PlanByRules:
        """What rules take (`read_rules`); nothing is touched.

        Parameters
        ----------
        rules : PlanRules

        Returns
        -------
        PlanByRules

        Raises
        ------
        StoreError
        SettingsError
            The keep rules of the settings have no meaning.
        """
        from dedupindex.actions.plan_rules import plan_by_rules

        return plan_by_rules(self._database, self.settings, rules, version=__version__)

    def apply(
        self,
        plan: Plan,
        journal: PathLike | None = None,
        *,
        agreed: str = "",
        rehearse: bool = False,
        go_on: bool = False,
        progress: Progress | None = None,
    ) -> ApplySummary:
        """Do what a plan says, each file only after it was compared with its keeper; note the results in the index.

        Parameters
        ----------
        plan : Plan
        journal : path, optional
            For `undo`; an existing one is continued where it ends. Without, the plan and its journal are written beside
            the database.
        agreed : str
            `Plan.operations_digest` of the plan that somebody saw and agreed to.
        rehearse : bool
            Compare every file, touch none, write no journal.
        go_on : bool
            Leave a file that is not as planned, or that the system will not let go, and go on; else stop there.
        progress : Progress, optional

        Returns
        -------
        ApplySummary
            What became of each file, in the order of the plan.

        Raises
        ------
        PlanChangedError
            The plan says something else than what was *agreed* to; nothing was touched.
        PlanError
            The plan could lose a picture; the journal belongs to another plan, was undone or is in use.
        StoreError
            What was done could not be noted; the next ingest notices.
        OSError
            The journal cannot be written; what was done stands in it.
        """
        from dedupindex.index import acting

        return acting.apply_with(
            self._database,
            self.settings,
            plan,
            None if journal is None else Path(journal),
            agreed=agreed,
            rehearse=rehearse,
            go_on=go_on,
            progress=progress or SILENT,
        )

    def undo(self, journal: PathLike, *, progress: Progress | None = None) -> ApplySummary:
        """Undo what `apply` did, also half a run; newer files are not overwritten.

        Raises
        ------
        PlanError
            It is no journal, or is in use.
        StoreError, OSError
        """
        from dedupindex.index import acting

        return acting.undo_with(self._database, Path(journal), progress or SILENT)

    @on_one_thread
    def check(self, deep: bool = False, progress: Progress | None = None) -> list[Problem]:
        """Look for damage and disagreement, without what dead writers left. *deep* also reads every page and file."""
        from dedupindex.upkeep import check as checking

        return checking.check(self._vectors.database, self.fingerprint, deep=deep, progress=progress or SILENT)

    @on_one_thread
    def rebuild(self, describe: bool = False, progress: Progress | None = None) -> list[Failure]:
        """Make the vector files anew from the database; with *describe*, first the features anew from the files.

        Returns
        -------
        list of Failure
            Files that could not be described again.

        Raises
        ------
        StoreError, VectorIndexError
        """
        from dedupindex.upkeep import rebuild

        failures: list[Failure] = []
        if describe:
            failures = rebuild.describe_again(
                self._database, self.settings, self.fingerprint, progress=progress or SILENT
            )
            self._mismatch = ""
        self._refuse_mismatch()
        self._vectors.rebuild()
        if self.settings.profile == PROFILE:
            self._pieces.rebuild()
        return failures

    def backup(self, target: PathLike) -> BackupSummary:
        """Copy the database and its vector files while others may be writing; verified, then put in place.

        Parameters
        ----------
        target : path
            The copy, a database of its own. An earlier backup there is replaced.

        Raises
        ------
        StoreError
            *target* is something else, is in use, or cannot be written; what was there stays.
        """
        from dedupindex.upkeep import backup as backups

        if self._database.shared:
            self._database.backup(Path(target))  # says what to use
        return backups.backup(self.path, Path(target))

    @staticmethod
    def restore(source: PathLike, path: PathLike) -> BackupSummary:
        """Replace the database at *path* by a backup; the replaced one is kept beside it.

        Raises
        ------
        StoreError
            The backup is damaged, or of a newer dedupindex; the database stays as it was then.
        """
        from dedupindex.upkeep import backup as backups

        return backups.restore(Path(source), database_path(location_of(path)))
