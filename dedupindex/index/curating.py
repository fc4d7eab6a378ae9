"""Data sets: parts that share no picture, and what leaks between parts."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dedupindex.execution.progress import SILENT, Progress
from dedupindex.index.placing import PlacedIndex
from dedupindex.records import IngestSummary
from dedupindex.records.splits import DEFAULT_RATIOS, LeakReport, Part, Split
from dedupindex.threads import on_one_thread

PathLike = str | os.PathLike[str]


class CuratingIndex(PlacedIndex):
    """What an index tells of data sets; see `Index`."""

    @on_one_thread
    def ingest_pictures(
        self,
        pictures: Any,
        ids: Iterable[object] | None = None,
        *,
        source: str = "pictures",
        column: str = "image",
        id_column: str = "",
        progress: Progress | None = None,
    ) -> IngestSummary:
        """Take in pictures that are no files; idempotent, and what cannot be read is collected, not raised.

        They are stored under ``SOURCE:/ID`` with their id as the label; their bytes are not kept. Without a file no
        pair can be proven at full resolution, so near-duplicates among them stay `unproven`.

        Parameters
        ----------
        pictures : mapping, iterable or Hugging Face data set
            Arrays as `query` takes them, PIL pictures, encoded bytes, paths; of a mapping by their ids. Of a data set
            the column of pictures is read undecoded; rows that name a file are stored as that file.
        ids : iterable, optional
            Ids of the pictures of an iterable, in its order; without, their numbers.
        source : str
            Name of the place.
        column, id_column : str
            Of a data set.
        progress : Progress, optional

        Returns
        -------
        IngestSummary

        Raises
        ------
        SettingsError
            The source cannot have that name; an id comes twice; the data set has no such column.
        TypeError, ValueError
            Something is no picture; what came before it is stored.
        StoreError
        """
        from dedupindex.ingest import pictures as taking
        from dedupindex.ingest.picture_sources import given_pictures

        self._refuse_mismatch()
        given = given_pictures(pictures, ids, source=source, column=column, id_column=id_column)
        return taking.ingest_pictures(
            self._database, self.settings, given, engine=self._engine, progress=progress or SILENT
        )

    def split(
        self,
        pictures: Sequence[PathLike],
        ratios: Mapping[str, float] | str = DEFAULT_RATIOS,
        *,
        seed: int = 0,
        existing: Sequence[Part] = (),
        drop: bool = False,
        images: PathLike | None = None,
    ) -> Split:
        """Divide stored pictures into parts; copies and alternates never lie in two of them.

        Pictures must have been ingested and searched for (`find_duplicates`).

        Parameters
        ----------
        pictures : sequence of path or str
            Folders, files, and lists of pictures: CSV, Parquet, text, COCO ``.json``.
        ratios : mapping of str to float, or str
            Shares of the files, as ``{"train": 0.8, "test": 0.2}`` or ``"train=0.8,test=0.2"``.
        seed : int
        existing : sequence of Part
            What lies in a part already stays there (`read_split`).
        drop : bool
            Of what lies in several parts already, only the files in the last of these parts stay.
        images : path, optional
            Folder of the pictures that a COCO file names.

        Returns
        -------
        Split

        Raises
        ------
        SettingsError
            The shares have no meaning, or there is nothing to divide.
        StoreError
        """
        from dedupindex.curation import splitting
        from dedupindex.curation.parts import part_of

        text = ratios if isinstance(ratios, str) else ",".join(f"{name}={share}" for name, share in ratios.items())
        wanted = part_of("", pictures, images=None if images is None else Path(images))
        with self._database.read() as connection:
            return splitting.split(
                connection, wanted, splitting.parse_ratios(text), seed=seed, existing=existing, drop=drop
            )

    def leaks(
        self,
        parts: Mapping[str, Iterable[PathLike]] | Sequence[Part],
        *,
        alternates: bool = True,
        accepted: Collection[str] = (),
        images: PathLike | None = None,
    ) -> LeakReport:
        """List every picture of a part that shows what a picture of an earlier part shows.

        Pictures must have been ingested and searched for (`find_duplicates`).

        Parameters
        ----------
        parts : mapping of str to paths, or sequence of Part
            The training set first: ``{"train": ["data/train"], "test": ["data/test.json"]}``; folders, files, and
            lists of pictures.
        alternates : bool
            Pictures of one scene or template with other content are leaks too.
        accepted : collection of str
            `Leak.fingerprint` of those that are no fault.
        images : path, optional
            Folder of the pictures that a COCO file names.

        Returns
        -------
        LeakReport

        Raises
        ------
        SettingsError
            A part has no known picture; there are fewer than two.
        StoreError
        """
        from dedupindex.curation import leaks as leaking
        from dedupindex.curation.parts import part_of

        folder = None if images is None else Path(images)
        if isinstance(parts, Mapping):
            parts = [part_of(name, given, images=folder) for name, given in parts.items()]
        with self._database.read() as connection:
            return leaking.find_leaks(connection, parts, alternates=alternates, accepted=accepted)
