"""Data sets: parts that share no picture, and what leaks between parts."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from dedupindex.curation import leaks as leaking
from dedupindex.curation import splitting
from dedupindex.curation.parts import part_of
from dedupindex.index.placing import PlacedIndex
from dedupindex.records.splits import LeakReport, Part, Split

PathLike = str | os.PathLike[str]


class CuratingIndex(PlacedIndex):
    """What an index tells of data sets; see `Index`."""

    def split(
        self,
        pictures: Sequence[PathLike],
        ratios: Mapping[str, float] | str = splitting.DEFAULT_RATIOS,
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
        folder = None if images is None else Path(images)
        if isinstance(parts, Mapping):
            parts = [part_of(name, given, images=folder) for name, given in parts.items()]
        with self._database.read() as connection:
            return leaking.find_leaks(connection, parts, alternates=alternates, accepted=accepted)
