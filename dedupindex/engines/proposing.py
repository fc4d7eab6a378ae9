"""Candidates of new images by a join over the whole collection, in parts.

The main process only writes descriptors into parts and reads hits from them, a block of images at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dedupindex.engines.executor import Executor
from dedupindex.engines.folder import WorkFolder
from dedupindex.engines.jobs import put_part
from dedupindex.engines.joining import CODE, HITS, IMAGES, Assign, Join, centres_table, codes_column
from dedupindex.features import DESCRIPTOR_DIMENSIONS, packed_aim, unpack
from dedupindex.features.descriptor import TURNED_REACH
from dedupindex.features.negative import negative_descriptors
from dedupindex.records import Candidate, CodeArray
from dedupindex.search.candidates import NEGATIVE_RADIUS, is_crowded, merge, radius_for, thinned
from dedupindex.search.crowds import CROWD
from dedupindex.settings import Settings
from dedupindex.store import catalog_images
from dedupindex.store.database import Database
from dedupindex.vectors import FLAT_LIMIT, Ids, Neighbours, sample_of, train_centres

IMAGES_A_PART = 8_192
IMAGES_A_BLOCK = 8_192  # hits of so many images are read at once: at most 1,024 each, 17 bytes a hit
MEMBERS_A_BUCKET = 65_536  # 26 MB
MEMBERS_A_TASK = 32_768  # of a large cell, the share of a worker
IMAGES_A_CELL = 1_000
FEATURES_AT_ONCE = 512  # images whose features are in memory, 29 kB each
NEGATIVE_ORIENTATIONS = 2  # as they are, and mirrored
COPIES, HOMES = 16, 4


@dataclass(frozen=True, slots=True)
class Blocks:
    """Hits with the number of the block that their image belongs to."""

    size: int
    version: str = "1"

    def __call__(self, table: pa.Table, folder: WorkFolder) -> pa.Table:
        """`HITS` with a further column ``block``."""
        return table.append_column("block", pa.array(table["image"].to_numpy() // self.size))


@dataclass(frozen=True, slots=True)
class Gather:
    """Hits of a block, image by image."""

    version: str = "1"

    def __call__(self, table: pa.Table, share: int, shares: int) -> pa.Table:
        """`HITS` by image, nearest first."""
        order = np.lexsort([table[name].to_numpy() for name in ("other", "distance", "image")])
        return table.select(HITS.names).take(order)


@dataclass(frozen=True, slots=True)
class JoinLayout:
    """How a collection is divided into cells.

    Attributes
    ----------
    cells : int
        How many; 1 = the join is exhaustive.
    copies, homes : int
        See `Assign`.
    """

    cells: int
    copies: int
    homes: int


def layout_for(images: int) -> JoinLayout:
    """Exhaustive up to `FLAT_LIMIT` images; above, cells of equal size, so that time is linear in the collection."""
    if images <= FLAT_LIMIT:
        return JoinLayout(1, 1, 1)
    return JoinLayout(max(1, images // IMAGES_A_CELL), COPIES, HOMES)


def join(
    executor: Executor, parts: Sequence[str], images: int, layout: JoinLayout, centres: str, radius: float, most: int
) -> dict[int, str]:
    """Hits of all probes within parts of `IMAGES`.

    Parameters
    ----------
    executor : Executor
    parts : sequence of str
        Names of the parts.
    images : int
        How many the parts hold.
    layout : JoinLayout
    centres : str
        The part with the centres of the cells; empty = a single cell.
    radius : float
        Largest distance (1 - cosine).
    most : int
        Distinct vectors kept for a probe.

    Returns
    -------
    dict of int to str
        Block (image id // `IMAGES_A_BLOCK`) to the part with its hits.

    Raises
    ------
    DedupIndexError
        The work folder cannot be used, or a worker was lost twice.
    """
    members = images * (layout.copies + layout.homes)
    joined = executor.group_apply(
        Join(radius, most, exhaustive=layout.cells == 1),
        "cell",
        parts,
        before=Assign(centres, layout.copies, layout.homes),
        buckets=max(1, min(layout.cells, members // MEMBERS_A_BUCKET)),
        most=MEMBERS_A_TASK,
    )
    hits = sorted(grouped.part for grouped in joined)
    gathered = executor.group_apply(
        Gather(), "block", hits, before=Blocks(IMAGES_A_BLOCK), buckets=images // IMAGES_A_BLOCK + 1
    )
    return {block: grouped.part for grouped in gathered for block in grouped.keys}


class JoinProposer:
    """Candidates by the join, which runs when this object is made."""

    def __init__(self, executor: Executor, database: Database, settings: Settings, todo: Sequence[int]) -> None:
        self._executor, self._database, self._settings = executor, database, settings
        with database.read() as connection:
            ids = catalog_images.indexable_ids(connection)
        layout = layout_for(len(ids))
        negatives = len(ids) <= settings.negatives
        parts, images = [], 0
        for table in _image_tables(database, ids, set(todo), settings.profile, negatives=negatives):
            parts.append(put_part(executor.folder, table))
            images += int(np.count_nonzero(table["target"]))
        self.radius = radius_for(settings, images)
        centres = ""
        if layout.cells > 1:
            with database.read() as connection:
                _, sample = catalog_images.descriptors(
                    connection, ids[sample_of(len(ids), layout.cells)], DESCRIPTOR_DIMENSIONS
                )
            centres = put_part(executor.folder, centres_table(train_centres(sample, layout.cells)))
        self._blocks = join(executor, parts, images, layout, centres, self.radius, settings.candidates * CROWD)
        self._block = lru_cache(maxsize=2)(self._read)

    def near(self, ids: Sequence[int]) -> Mapping[int, tuple[list[Candidate], bool]]:
        """Candidates of each described image, and whether there were more than are kept."""
        with self._database.read() as connection:
            described = sorted(catalog_images.described(connection, ids))
            merged = {image: self._merged(image) for image in described}
            most = self._settings.candidates
            crowded = {image: near for image, (near, _) in merged.items() if is_crowded(image, near, most)}
            return merged | thinned(connection, crowded, most)

    def ranked(self, todo: Sequence[int], deadline: float) -> list[int]:
        """Order images by the distance to their nearest neighbour. *deadline* has no effect: all are known."""
        nearest: dict[int, float] = {}
        for block in sorted(self._blocks):
            images, others, distances, _ = self._block(block)
            first = np.flatnonzero(np.diff(images[images != others], prepend=-1))
            nearest.update(
                zip(images[images != others][first].tolist(), distances[images != others][first].tolist(), strict=True)
            )
        return sorted(todo, key=lambda image: (nearest.get(image, 2.0), image))

    def _merged(self, image: int) -> tuple[list[Candidate], bool]:
        images, others, distances, overflow = self._block(image // IMAGES_A_BLOCK)
        rows = slice(*np.searchsorted(images, (image, image + 1)).tolist())
        neighbours = Neighbours(others[rows], distances[rows], bool(overflow[rows].any()))
        return merge([neighbours], 2.0)  # the join has kept to the radius of each picture

    def _read(self, block: int) -> tuple[Any, ...]:
        part = self._blocks.get(block)
        table = HITS.empty_table() if part is None else self._executor.folder.read(part)
        return tuple(table[name].to_numpy() for name in HITS.names)


def _image_tables(database: Database, ids: Ids, new: set[int], profile: str, *, negatives: bool) -> Iterator[pa.Table]:
    """`IMAGES` of a database, in batches; those without a descriptor are left out, as the vector index does.

    With *negatives*, new images occur a second time as their negatives, which are probes but no targets.
    """
    for start in range(0, len(ids), IMAGES_A_PART):
        batch = ids[start : start + IMAGES_A_PART]
        fresh = [image for image in batch.tolist() if image in new]
        probes = np.zeros(len(batch), np.int8)
        reach = np.full(len(batch), -1.0)
        turned = np.zeros(len(batch), bool)
        with database.read() as connection:
            known, codes = catalog_images.descriptors(connection, batch, DESCRIPTOR_DIMENSIONS)
            sketches = catalog_images.sketches(connection, fresh, "frame")
        for row, image in enumerate(known.tolist()):
            if image in sketches:
                aim = packed_aim(sketches[image], profile)
                probes[row], reach[row], turned[row] = aim.probes, aim.reach, aim.turned
        shown = codes.any(axis=1)
        rows = np.flatnonzero(shown)
        table = images_table(known[rows], codes[rows], probes[rows], reach[rows])
        again = rows[turned[rows]]  # a second time with all orientations, within a smaller radius
        within = np.maximum(reach[again], TURNED_REACH)
        others = images_table(known[again], codes[again], np.full(len(again), 8, np.int8), within, target=False)
        more = _negatives(database, fresh) if negatives else iter(())
        yield pa.concat_tables([table, others, *more])


def _negatives(database: Database, fresh: Sequence[int]) -> Iterator[pa.Table]:
    """`IMAGES` of the negatives of new images."""
    for start in range(0, len(fresh), FEATURES_AT_ONCE):
        with database.read() as connection:
            stored = catalog_images.features(connection, fresh[start : start + FEATURES_AT_ONCE])
        ids = np.array(sorted(stored), np.int64)
        with_one, codes = negative_descriptors([unpack(stored[image]) for image in ids.tolist()])
        count = len(with_one)
        probes, reach = np.full(count, NEGATIVE_ORIENTATIONS, np.int8), np.full(count, 1 - NEGATIVE_RADIUS)
        yield images_table(ids[with_one], codes, probes, reach, target=False)


def images_table(
    ids: Ids, codes: CodeArray, probes: NDArray[np.int8], reach: NDArray[np.float64], *, target: bool = True
) -> pa.Table:
    """`IMAGES` from their columns.

    Parameters
    ----------
    ids : (N,) int64
    codes : (N, D) int8
        Descriptors.
    probes : (N,) int8
        Orientations that are searched for; 0 = not new.
    reach : (N,) float64
        Smallest cosine of a candidate; -1 = any.
    target : bool
        Whether these images can be candidates of others.

    Returns
    -------
    pyarrow.Table
    """
    targets = np.full(len(ids), target)
    columns = {"id": ids, "code": codes_column(codes, CODE), "probes": probes, "reach": reach, "target": targets}
    return pa.table(columns, schema=IMAGES)
