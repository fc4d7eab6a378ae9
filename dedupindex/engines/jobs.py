"""Jobs for workers: each makes one output file from input files. Picklable; running one again changes nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
import pyarrow as pa

from dedupindex.engines.folder import COUNTS, SUFFIX, WorkFolder


class Stage(Protocol):
    """A pure function of a table. Its `repr` holds all of its parameters, and goes into the name of the output."""

    @property
    def version(self) -> str:
        """Changes when the outcome does."""

    def __call__(self, table: pa.Table, folder: WorkFolder) -> pa.Table:
        """The output for a part; *folder* holds further parts that parameters name."""


class GroupStage(Protocol):
    """A pure function of all rows of one key."""

    @property
    def version(self) -> str:
        """Changes when the outcome does."""

    def __call__(self, table: pa.Table, share: int, shares: int) -> pa.Table:
        """The output for a group, or for one share of it.

        Parameters
        ----------
        table : pyarrow.Table
            All rows of the group.
        share : int
            Number of the share to do, from 0.
        shares : int
            How many workers share the group; 1 = all of it is to be done.

        Returns
        -------
        pyarrow.Table
        """


class Job(Protocol):
    """One output file to make."""

    @property
    def output(self) -> str:
        """Its name, which follows from everything that shapes its content."""

    def run(self) -> None:
        """Make it, unless it is there."""


@dataclass(frozen=True, slots=True)
class MapJob:
    """Apply a stage to a part."""

    folder: WorkFolder
    stage: Stage
    part: str

    @property
    def output(self) -> str:
        """Name of the output."""
        return name_of(self.stage, self.part)

    def run(self) -> None:
        """Make the output, unless it is there."""
        if not self.folder.has(self.output):
            self.folder.write(self.output, [self.stage(self.folder.read(self.part), self.folder)])


@dataclass(frozen=True, slots=True)
class SplitJob:
    """Sort the output of a stage for a part by a key: bucket (key modulo *buckets*) number i is row group i."""

    folder: WorkFolder
    stage: Stage | None  # None: the part as it is
    key: str
    buckets: int
    part: str

    @property
    def output(self) -> str:
        """Name of the output."""
        return name_of(self.stage, self.part, "split", self.key, str(self.buckets))

    def run(self) -> None:
        """Make the output, unless it is there."""
        if self.folder.has(self.output):
            return
        table = self.folder.read(self.part)
        if self.stage is not None:
            table = self.stage(table, self.folder)
        keys = table[self.key].to_numpy()
        groups, rows = np.unique(keys, return_counts=True)
        counts = json.dumps(dict(zip(groups.tolist(), rows.tolist(), strict=True)))
        table = table.replace_schema_metadata({COUNTS: counts})
        order = np.lexsort((keys, keys % self.buckets))
        edges = np.searchsorted((keys % self.buckets)[order], np.arange(self.buckets + 1))
        table = table.take(order)
        self.folder.write(
            self.output,
            [table.slice(start, stop - start) for start, stop in pairwise(edges.tolist())],
        )


@dataclass(frozen=True, slots=True)
class GroupJob:
    """Apply a stage to the groups of a bucket, or to a share of one large group.

    Attributes
    ----------
    splits : tuple of str
        Outputs of `SplitJob`.
    keys : tuple of int
        The groups.
    share, shares : int
        See `GroupStage`.
    """

    folder: WorkFolder
    stage: GroupStage
    key: str
    splits: tuple[str, ...]
    bucket: int
    keys: tuple[int, ...]
    share: int = 0
    shares: int = 1

    @property
    def output(self) -> str:
        """Name of the output."""
        words = (self.key, self.bucket, self.keys, self.share, self.shares)
        return name_of(self.stage, *self.splits, *map(str, words))

    def run(self) -> None:
        """Make the output, unless it is there."""
        if self.folder.has(self.output):
            return
        table = pa.concat_tables(self.folder.read(split, [self.bucket]) for split in self.splits)
        table = table.replace_schema_metadata(None)
        keys = table[self.key].to_numpy()
        order = np.argsort(keys, kind="stable")
        edges = np.searchsorted(keys[order], [(key, key + 1) for key in self.keys])
        made = [self.stage(table.take(order[start:stop]), self.share, self.shares) for start, stop in edges.tolist()]
        self.folder.write(self.output, [pa.concat_tables(made).combine_chunks()])


def name_of(stage: object, *words: str) -> str:
    """Name of an output: its stage, and a digest of everything that shapes it."""
    version = getattr(stage, "version", "")
    digest = hashlib.sha256("\0".join((repr(stage), version, *words)).encode("utf-8", "surrogatepass"))
    return f"{type(stage).__name__.lower()}-{digest.hexdigest()[:32]}{SUFFIX}"


def put_part(folder: WorkFolder, table: pa.Table) -> str:
    """Write an input part, unless it is there; its name is a digest of its content."""
    digest = hashlib.sha256(str(table.schema).encode())
    for batch in table.combine_chunks().to_batches():
        digest.update(batch.serialize())
    name = f"part-{digest.hexdigest()[:32]}{SUFFIX}"
    if not folder.has(name):
        folder.write(name, [table])
    return name


def run_jobs(jobs: Sequence[Job]) -> None:
    """Run jobs one after the other."""
    for job in jobs:
        job.run()
