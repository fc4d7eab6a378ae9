"""The self-join of descriptors by cells: assign images to cells, join within each.

Every image is a target in the cells whose centres are nearest to it. Every probe of a new image (itself, mirrored,
turned) is compared with all targets of its own nearest cells. So new images meet each other from both sides and meet
all old ones, and old images never meet: each image is searched once, when it is new. With a single cell the join is
exhaustive.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dedupindex.engines.folder import WorkFolder
from dedupindex.features import DESCRIPTOR_DIMENSIONS, unit
from dedupindex.features.descriptor import orientations
from dedupindex.records import CodeArray, FloatArray
from dedupindex.vectors import SLACK, Ids, first_equal, nearest, pairs_by_sign, ranks

_Number = TypeVar("_Number", bound=np.generic)
PROBES_AT_ONCE, TARGETS_AT_ONCE = 1_024, 8_192  # a block of cosines: 32 MB
PAIRS_AT_ONCE = 256
HELD = 1 << 22  # hits held before all but the nearest of each probe are dropped
CODE = pa.binary(DESCRIPTOR_DIMENSIONS)
CENTRE = pa.binary(4 * DESCRIPTOR_DIMENSIONS)
IMAGES = pa.schema(
    [
        ("id", pa.int64()),
        ("code", CODE),
        ("probes", pa.int8()),  # orientations that are searched for; 0 = not new
        ("reach", pa.float64()),  # smallest cosine of a candidate; -1 = any
        ("target", pa.bool_()),  # can be a candidate of others; a negative cannot
    ]
)
MEMBERS = pa.schema(
    [
        ("cell", pa.int64()),
        ("id", pa.int64()),
        ("code", CODE),
        ("orientation", pa.int8()),
        ("reach", pa.float64()),
        ("target", pa.bool_()),
        ("probe", pa.bool_()),
    ]
)
HITS = pa.schema(
    [
        ("image", pa.int64()),  # whose probe it was
        ("other", pa.int64()),
        ("distance", pa.float32()),
        ("overflow", pa.bool_()),  # the probe had more hits than are kept
    ]
)


@dataclass(frozen=True, slots=True)
class Assign:
    """Images to members of cells.

    Attributes
    ----------
    centres : str
        The part with the centres (`centres_table`); empty = a single cell.
    copies : int
        Cells in which an image is a target.
    homes : int
        Cells in which a probe is searched for; at most `copies`.
    """

    centres: str = ""
    copies: int = 1
    homes: int = 1
    version: str = "2"

    def __call__(self, table: pa.Table, folder: WorkFolder) -> pa.Table:
        """`IMAGES` to `MEMBERS`."""
        ids, codes = table["id"].to_numpy(), vectors_of(table["code"], np.int8)
        probes, reach, findable = (table[name].to_numpy() for name in ("probes", "reach", "target"))
        centres = _centres(folder, self.centres) if self.centres else None
        parts: list[pa.Table] = []
        for orientation in range(max(1, int(probes.max(initial=0)))):
            chosen = np.arange(len(ids)) if orientation == 0 else np.flatnonzero(probes > orientation)
            if not len(chosen):
                continue
            cells = nearest_cells(
                oriented(codes[chosen], orientation), centres, self.copies if orientation == 0 else self.homes
            )
            rows, ranks = np.repeat(chosen, cells.shape[1]), np.tile(np.arange(cells.shape[1]), len(chosen))
            target, probe = findable[rows] & (orientation == 0), (probes[rows] > orientation) & (ranks < self.homes)
            kept = target | probe
            rows = rows[kept]
            columns = {
                "cell": cells.ravel()[kept],
                "id": ids[rows],
                "code": codes_column(codes[rows], CODE),
                "orientation": np.full(len(rows), orientation, np.int8),
                "reach": reach[rows],
                "target": target[kept],
                "probe": probe[kept],
            }
            parts.append(pa.table(columns, schema=MEMBERS))
        return pa.concat_tables(parts) if parts else MEMBERS.empty_table()


@dataclass(frozen=True, slots=True)
class Join:
    """Members of a cell to hits.

    Attributes
    ----------
    radius : float
        Largest distance.
    most : int
        Distinct vectors kept for a probe, the nearest ones; at most so many images of each.
    exhaustive : bool
        Compute every cosine; else only those of pairs that pass `pairs_by_sign`.
    """

    radius: float
    most: int
    exhaustive: bool = True
    version: str = "1"

    def __call__(self, table: pa.Table, share: int, shares: int) -> pa.Table:
        """`MEMBERS` of one cell to `HITS`."""
        target, probe = (np.flatnonzero(table[name].to_numpy()) for name in ("target", "probe"))
        ids, codes = table["id"].to_numpy(), vectors_of(table["code"], np.int8)
        orientation, reach = table["orientation"].to_numpy(), table["reach"].to_numpy()
        target = target[np.argsort(ids[target], kind="stable")]
        probe = probe[np.lexsort((orientation[probe], ids[probe]))][share::shares]
        vectors = np.empty((len(probe), codes.shape[1]), np.float32)
        for number in np.unique(orientation[probe]).tolist():
            same = orientation[probe] == number
            vectors[same] = oriented(codes[probe[same]], number)
        hits = join_cell(ids[target], codes[target], vectors, self.radius, self.most, exhaustive=self.exhaustive)
        own = np.minimum(self.radius, 1 - reach[probe])
        image, within = ids[probe][hits.probe], hits.distance <= own[hits.probe]
        beyond = np.zeros(len(probe), bool)
        beyond[hits.probe[~within]] = True
        overflow = (hits.overflow & ~beyond)[hits.probe]
        kept = within & ((hits.id != image) | overflow)
        columns = (image[kept], hits.id[kept], hits.distance[kept], overflow[kept])
        return pa.table(dict(zip(HITS.names, columns, strict=True)), schema=HITS)


@dataclass(frozen=True, slots=True)
class CellHits:
    """Neighbours of probes, probe by probe, nearest first, equal distances by id.

    Attributes
    ----------
    probe : (n,) int64
        Number of the probe.
    id : (n,) int64
    distance : (n,) float32
    overflow : (Q,) bool
        For each probe: more distinct vectors were within the radius than were kept.
    """

    probe: Ids
    id: Ids
    distance: FloatArray
    overflow: NDArray[np.bool_]


def join_cell(
    ids: Ids, codes: CodeArray, probes: FloatArray, radius: float, most: int, *, exhaustive: bool = True
) -> CellHits:
    """The targets within the radius of each probe, at most *most* distinct ones.

    Parameters
    ----------
    ids : (N,) int64
        Of the targets, rising.
    codes : (N, D) int8
    probes : (Q, D) float32
        Unit length.
    radius : float
        Largest distance (1 - cosine).
    most : int
        Distinct vectors of a probe, the nearest ones; besides the first image of a vector, at most *most* others of it.
    exhaustive : bool
        Compute every cosine; else only those of pairs that pass `pairs_by_sign`.

    Returns
    -------
    CellHits
    """
    heads = first_equal(codes) if len(codes) else np.empty(0, np.int64)
    distinct = np.flatnonzero(heads == np.arange(len(ids)))
    targets = unit(codes[distinct])
    parts = [
        _block(probes[start : start + PROBES_AT_ONCE], targets, radius, most, start, exhaustive)
        for start in range(0, len(probes), PROBES_AT_ONCE)
    ]
    row, column, distance = (np.concatenate(values) for values in zip(*parts, strict=True)) if parts else _NOTHING
    rank = ranks(row)
    overflow = np.zeros(len(probes), bool)
    overflow[row[rank >= most]] = True
    row, column, distance = (values[rank < most] for values in (row, column, distance))
    # the images of each distinct vector follow each other: the first, then its twins
    order = np.argsort(heads, kind="stable")
    start = np.searchsorted(heads[order], distinct)
    size = np.minimum(np.diff(start, append=len(ids)), most + 1)
    each = size[column]
    within = np.arange(int(each.sum())) - np.repeat(np.cumsum(each) - each, each)
    others = ids[order[np.repeat(start[column], each) + within]]
    row, distance = np.repeat(row, each), np.repeat(distance, each)
    last = np.lexsort((others, distance, row))
    return CellHits(row[last], others[last], distance[last], overflow)


def _block(
    probes: FloatArray, targets: FloatArray, radius: float, most: int, first: int, exhaustive: bool
) -> tuple[Ids, Ids, FloatArray]:
    """Probe number, target number and distance of the *most* + 1 nearest within the radius, nearest first."""
    held: list[tuple[Ids, Ids, FloatArray]] = []
    count = 0
    for start in range(0, len(targets), TARGETS_AT_ONCE):
        batch = targets[start : start + TARGETS_AT_ONCE]
        if exhaustive:
            products = probes @ batch.T
            row, column = np.nonzero(products >= np.float32(1 - radius - SLACK))
            cosines = products[row, column]
        else:
            row, column = pairs_by_sign(probes, batch, 1 - radius)
            cosines = _cosines(probes, batch, row, column)
        # rounded as the vector index does, because a product may differ in the last bit with the size of the block
        distance = np.round(1.0 - cosines.astype(np.float64), 6).clip(0.0, 2.0).astype(np.float32)
        kept = distance <= radius
        held.append((row[kept], column[kept] + start, distance[kept]))
        count += int(kept.sum())
        if count > HELD:
            held = [_nearest(held, most + 1)]
            count = len(held[0][0])
    row, column, distance = _nearest(held, most + 1)
    return row + first, column, distance


def _cosines(probes: FloatArray, targets: FloatArray, row: Ids, column: Ids) -> FloatArray:
    """Cosines of single pairs, as many at once as the cache of a core holds."""
    cosines = np.empty(len(row), np.float32)
    for start in range(0, len(row), PAIRS_AT_ONCE):
        rows = slice(start, start + PAIRS_AT_ONCE)
        cosines[rows] = np.einsum("ij,ij->i", probes[row[rows]], targets[column[rows]])
    return cosines


def _nearest(held: list[tuple[Ids, Ids, FloatArray]], most: int) -> tuple[Ids, Ids, FloatArray]:
    row, column, distance = (np.concatenate(values) for values in zip(*held, strict=True)) if held else _NOTHING
    order = nearest(row, distance, column, most)
    return row[order], column[order], distance[order]


_NOTHING = (np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))


def nearest_cells(vectors: FloatArray, centres: FloatArray | None, count: int) -> Ids:
    """The cells whose centres are nearest.

    Parameters
    ----------
    vectors : (N, D) float32
        Unit length.
    centres : (C, D) float32, optional
        None = a single cell.
    count : int
        Cells for each vector.

    Returns
    -------
    (N, min(count, C)) int64
        Numbers of the cells, nearest first; without centres (N, 1) zeros.
    """
    if centres is None:
        return np.zeros((len(vectors), 1), np.int64)
    cosines = vectors @ centres.T
    count = min(count, len(centres))
    cells = np.argpartition(-cosines, count - 1, axis=1)[:, :count]
    order = np.argsort(-np.take_along_axis(cosines, cells, axis=1), axis=1, kind="stable")
    return np.take_along_axis(cells, order, axis=1).astype(np.int64)


def oriented(codes: CodeArray, orientation: int) -> FloatArray:
    """Unit-length probes (N, D) float32 of descriptors in another orientation; 0 = as they are."""
    return unit(codes) if orientation == 0 else orientations(codes, 2 if orientation < 2 else 8)[orientation]


def centres_table(centres: FloatArray) -> pa.Table:
    """Centres (C, D) as a part."""
    return pa.table({"centre": codes_column(centres, CENTRE)})


@lru_cache(maxsize=1)
def _centres(folder: WorkFolder, name: str) -> FloatArray:
    return vectors_of(folder.read(name)["centre"], np.float32)


def codes_column(rows: NDArray[np.generic], kind: pa.DataType) -> pa.Array:
    """Rows (N, D) of an array as a column of fixed-size blobs of type *kind*."""
    return pa.FixedSizeBinaryArray.from_buffers(kind, len(rows), [None, pa.py_buffer(np.ascontiguousarray(rows))])


def vectors_of(column: pa.ChunkedArray, kind: type[_Number]) -> NDArray[_Number]:
    """A column of `codes_column` as an array (N, D) of dtype *kind*."""
    width = column.type.byte_width
    chunks = [
        np.frombuffer(chunk.buffers()[1], np.uint8, len(chunk) * width, chunk.offset * width)
        for chunk in column.chunks
        if len(chunk)
    ]
    data = chunks[0] if len(chunks) == 1 else np.concatenate([np.empty(0, np.uint8), *chunks])
    result: NDArray[_Number] = data.view(kind).reshape(len(column), width // np.dtype(kind).itemsize)
    return result
