"""Changes of what an index knows of places: merged from elsewhere, relocated, forgotten."""

from __future__ import annotations

import os
from collections.abc import Sequence

from dedupindex.execution.progress import SILENT, Progress
from dedupindex.index.reading import ReadableIndex
from dedupindex.records.roots import RelocateSummary
from dedupindex.records.upkeep import ForgetSummary, MergeSummary
from dedupindex.settings import seconds_of
from dedupindex.threads import on_one_thread
from dedupindex.upkeep.opening import location_of, opened, places_of

PathLike = str | os.PathLike[str]


class PlacedIndex(ReadableIndex):
    """What an index knows of places, and how that is changed; see `Index`."""

    @on_one_thread
    def merge(self, other: PathLike, *, volume: str = "", progress: Progress | None = None) -> MergeSummary:
        """Bring in a catalogue that was made elsewhere, without describing anything again; see `ingest.merge`.

        Parameters
        ----------
        other : path or URL
            Its database; it is only read.
        volume : str
            Its paths are known here as ``VOLUME:/path``; "" = it is of this machine.
        progress : Progress, optional

        Returns
        -------
        MergeSummary

        Raises
        ------
        SettingsError
            The name of the volume is not allowed, or both are the same database.
        SettingsMismatchError
            Its features were made with other settings.
        StoreError
        """
        from dedupindex.ingest import merge as merging

        self._refuse_mismatch()
        with opened(location_of(other)) as theirs:
            return merging.merge(
                self._database, theirs, self.settings, self.fingerprint, volume=volume, progress=progress or SILENT
            )

    def relocate(
        self, old: PathLike, new: PathLike, *, dry_run: bool = False, progress: Progress | None = None
    ) -> RelocateSummary:
        """Rewrite the places below a folder that was renamed or is mounted elsewhere; each file is checked before.

        Parameters
        ----------
        old, new : path or str
            Where the files were, and where they are. Files that are not at the new place are marked as missing.
        dry_run : bool
            Check, and write nothing.
        progress : Progress, optional

        Returns
        -------
        RelocateSummary

        Raises
        ------
        SettingsError
            The index knows nothing there; files are still at the old place; none is at the new one.
        StoreError
        """
        from dedupindex.ingest import relocate as relocating

        paths = places_of([old, new])
        return relocating.relocate(self._database, self.settings, *paths, dry_run=dry_run, progress=progress or SILENT)

    def forget(
        self, paths: Sequence[PathLike] = (), *, missing_for: float | str | None = None, dry_run: bool = False
    ) -> ForgetSummary:
        """Take files, and folders with all below them, out of the index; the files themselves are never touched.

        Parameters
        ----------
        paths : sequence of path or str
        missing_for : float or str, optional
            Only places that have been missing for so long, in seconds or like "90d"; without paths, all of these.
        dry_run : bool
            Only count.

        Returns
        -------
        ForgetSummary

        Raises
        ------
        SettingsError
            The time has no meaning.
        StoreError
        """
        from dedupindex.ingest import forget as forgetting

        seconds = seconds_of(missing_for) if isinstance(missing_for, str) else missing_for
        return forgetting.forget(self._database, places_of(paths), missing_for=seconds, dry_run=dry_run)
