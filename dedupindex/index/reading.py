"""Read access to an index."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dedupindex import __version__
from dedupindex.errors import ReadError, Reason, SettingsError
from dedupindex.groups import decisions as deciding
from dedupindex.groups import report as reporting
from dedupindex.groups.regrouping import all_regrouped
from dedupindex.groups.roots import remembered
from dedupindex.index.opening import OpenIndex
from dedupindex.places import absolute
from dedupindex.records import Decision, DuplicateGroup, Failure, Features, ImageRecord, Pair, RunRecord
from dedupindex.records.pictures import FileFacts, Thumbnail, TiledPicture
from dedupindex.records.pieces import Box, FoundPiece, PieceMatch
from dedupindex.records.plans import Plan
from dedupindex.records.reports import Overview
from dedupindex.records.roots import Root
from dedupindex.records.upkeep import Vitals
from dedupindex.search.due import PROFILE
from dedupindex.store import catalog, catalog_images
from dedupindex.threads import on_one_thread
from dedupindex.upkeep import info as describing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dedupindex.actions.plan_options import PlanOptions

PathLike = str | os.PathLike[str]


class ReadableIndex(OpenIndex):
    """What an index holds; see `Index`."""

    def pairs(self, min_score: float | None = None) -> list[Pair]:
        """Confirmed pairs of different images that are still somewhere, best first."""
        with self._database.read() as connection:
            return reporting.present_pairs(connection, min_score=min_score)

    def images(self) -> Iterator[ImageRecord]:
        """Every stored image."""
        with self._database.read() as connection:
            yield from catalog_images.all_images(connection)

    def image(self, image_id: int) -> ImageRecord | None:
        """The image of that id; None when there is none."""
        with self._database.read() as connection:
            return catalog_images.by_id(connection, [image_id]).get(image_id)

    def image_at(self, place: PathLike) -> ImageRecord | None:
        """The image that is, or was last seen, at a path or address (``path#frame=12``); None when there is none."""
        from dedupindex.sources import parse_address

        path, frame = parse_address(os.fspath(place))
        with self._database.read() as connection:
            return catalog_images.at_location(connection, absolute(path), frame or 0)

    def features_of(self, image_id: int) -> Features:
        """The stored features of an image.

        Raises
        ------
        KeyError
            No such image, or it has no features.
        SettingsError
            The database holds hashes only.
        """
        from dedupindex.features import unpack

        if self.settings.hash_only:
            raise SettingsError(f"{self.name} holds hashes only: the thumbnail among the features is not stored")
        with self._database.read() as connection:
            return unpack(catalog_images.features(connection, [image_id])[image_id])

    @on_one_thread
    def query_pieces(
        self, picture: PathLike | NDArray[Any], limit: int = 10, *, box: Box | None = None, key: str = ""
    ) -> list[PieceMatch]:
        """Stored images that share a part with a picture that need not be stored; needs the profile ``pieces``.

        Parameters
        ----------
        picture : path, address or array
            As for `query`.
        limit : int
            Most matches.
        box : (top, left, height, width), optional
            Search only for this region of the picture, in its pixels.
        key : str
            Content key that the picture must have; "" = any.

        Returns
        -------
        list of PieceMatch
            Surest first. Boxes on the query are in pixels of the whole picture, also where *box* is given. One image
            may stand there several times, where it shows several parts, or one part several times.

        Raises
        ------
        ReadError
            The file cannot be read as a picture, or has another content than the key says.
        SettingsError
            Another profile, or the box has no pixel in common with the picture.
        ValueError, TypeError
            The array is no picture.
        """
        from dedupindex.ingest.query_pictures import describe_picture
        from dedupindex.search import pieces as piece_search

        self._refuse_other_profiles()
        image, features = describe_picture(picture, self.settings, box=box)
        if key and deciding.content_of(key) != (image.sha256, image.frame):
            raise ReadError(Path(str(picture)), Reason.CHANGED_WHILE_READ, "it holds another content now")
        return piece_search.query_pieces(self._database, self._pieces, self.settings, features, limit=limit)

    @on_one_thread
    def copies_within(self, picture: PathLike | NDArray[Any]) -> list[FoundPiece]:
        """Parts of a picture that stand in it twice (copy-move); needs the profile ``pieces``.

        Parameters
        ----------
        picture : path, address or array
            As for `query`; it need not be stored.

        Returns
        -------
        list of FoundPiece
            Surest first; `box` is one of the two places, `part_box` the other one.

        Raises
        ------
        ReadError
            The file cannot be read as a picture.
        SettingsError
            Another profile.
        ValueError, TypeError
            The array is no picture.
        """
        from dedupindex.ingest.query_pictures import describe_picture
        from dedupindex.search import pieces as piece_search

        self._refuse_other_profiles()
        return piece_search.copies_within(self.settings, describe_picture(picture, self.settings)[1])

    def _refuse_other_profiles(self) -> None:
        self._refuse_mismatch()
        if self.settings.profile != PROFILE:
            raise SettingsError(
                "pieces are found with the profile pieces: `dedupindex --profile pieces` in a new database, "
                "or `dedupindex rebuild --describe --profile pieces`"
            )

    def stored_thumbnails(self, ids: Iterable[int]) -> dict[int, Thumbnail]:
        """Stored thumbnails of images, by id; images without one are left out, with `hash_only` all."""
        from dedupindex.groups.thumbnails import stored_thumbnails

        return stored_thumbnails(self._database, ids)

    def thumbnail(self, image: ImageRecord, side: int, *, max_bytes: int | None = None) -> Thumbnail | None:
        """Small picture of an image from its file.

        Parameters
        ----------
        image : ImageRecord
        side : int
            Longest side, pixels.
        max_bytes : int, optional
            Larger files are not read.

        Returns
        -------
        Thumbnail or None
            None where no file still holds the image, or all are too large; and where the database holds hashes only.
        """
        from dedupindex.groups.thumbnails import from_file

        if self.settings.hash_only:
            return None
        return from_file(image, self.settings, side, max_bytes=max_bytes)

    def tiled(
        self, image: ImageRecord, window: tuple[float, float] = (0.0, 1.0), *, max_bytes: int | None = None
    ) -> TiledPicture | None:
        """Tiles of an image at the full size of its file; see `groups.tiles.tiled_picture`.

        Parameters
        ----------
        image : ImageRecord
        window : (float, float)
            Shares 0..1 of the valid range of a frame deeper than 8 bits that are shown as black and as white.
        max_bytes : int, optional
            Larger files are not read.

        Returns
        -------
        TiledPicture or None
            None where no file still holds the image, or all are too large; and where the database holds hashes only.
        """
        from dedupindex.groups.tiles import tiled_picture

        if self.settings.hash_only:
            return None
        return tiled_picture(image, self.settings, window, max_bytes=max_bytes)

    def file_facts(self, image: ImageRecord, *, max_bytes: int | None = None) -> FileFacts:
        """What the file of an image says of how it was made; empty where none can be read."""
        from dedupindex.groups.thumbnails import file_facts

        return file_facts(image, self.settings, max_bytes=max_bytes)

    def failures(self, run: int | None = None) -> list[Failure]:
        """Files that gave no frame, and why; by path. Of one ingest: those that failed anew in it."""
        with self._database.read() as connection:
            return catalog.failures(connection, run=run)

    def runs(self, limit: int = 100) -> list[RunRecord]:
        """The latest finished runs, newest first."""
        with self._database.read() as connection:
            return catalog.runs(connection, limit=limit)

    def info(self) -> Mapping[str, int | float | str]:
        """Counts, sizes, versions and settings, by name."""
        return describing.info(self._database, self.settings, self.fingerprint)

    def pulse(self) -> int:
        """The generation, once the database has answered with the right schema and the vector index has caught up."""
        from dedupindex.upkeep.vitals import pulse

        return pulse(self._database, self._vectors)

    def vitals(self) -> Vitals:
        """State of an index in service, for monitoring."""
        from dedupindex.upkeep.vitals import vitals

        return vitals(self._database, self._vectors)

    def overview(self, runs: int = 8) -> Overview:
        """The report of everything, with counts and the latest *runs*, of one state; nothing is searched for."""
        with self._database.read() as connection:
            return describing.overview(connection, runs, self.settings)

    def roots(self) -> tuple[Root, ...]:
        """The places that ingests were told to look into, by path; a reference among them is marked as such."""
        with self._database.read() as connection:
            return remembered(connection)

    def decisions(self) -> list[Decision]:
        """Every decision, oldest first."""
        return deciding.decisions(self._database)

    def surplus(self) -> dict[str, str]:
        """Pictures that are not wanted beside another one of the same scene, by decisions ``keep-one``.

        Returns
        -------
        dict of str to str
            Content key of the one that may go, to that of the one that stays.
        """
        return deciding.surplus(self.decisions())

    def images_of(self, keys: Collection[str]) -> dict[str, ImageRecord]:
        """The stored images among some content keys."""
        return deciding.images_of(self._database, keys)

    def regrouped(self, group: DuplicateGroup) -> tuple[DuplicateGroup, ...]:
        """What a group becomes by the decisions as they are: itself, smaller ones, or nothing."""
        return self.all_regrouped([group])[0]

    def all_regrouped(self, groups: Sequence[DuplicateGroup]) -> list[tuple[DuplicateGroup, ...]]:
        """What each of several groups becomes by the decisions as they are; see `regrouped`."""
        return all_regrouped(groups, self.decisions(), self.settings)

    def plan_of(
        self,
        groups: Sequence[DuplicateGroup],
        options: PlanOptions | None = None,
        *,
        without: Collection[Path] = (),
        alternates: Collection[str] = (),
    ) -> Plan:
        """What could be done about some groups of a report; nothing is touched.

        Unlike `Index.plan` with a selection it makes no other groups, so it takes no longer in a large index.

        Parameters
        ----------
        groups : sequence of DuplicateGroup
            As the report has them.
        options : PlanOptions, optional
        without : collection of Path
            Files that stay although they could go.
        alternates : collection of str
            Content keys of pictures that may go by decisions ``keep-one``, although no copy of them stays.

        Returns
        -------
        Plan

        Raises
        ------
        StoreError
        """
        from dedupindex.actions.chosen_groups import plan_of_groups
        from dedupindex.actions.plan_options import PlanOptions

        return plan_of_groups(
            self._database,
            self.settings,
            groups,
            options or PlanOptions(),
            version=__version__,
            without=without,
            alternates=alternates,
        )
