"""Two operations over parts, whatever runs them: apply a stage to each part, or to all rows of each key.

A part is a Parquet file in the work folder. The name of an output follows from the stage, its parameters and its
inputs, so an output that exists is not made again: an interrupted run continues where it ended, and a part whose
worker was lost is simply asked for once more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from dedupindex.engines.folder import WorkFolder
from dedupindex.engines.jobs import GroupJob, GroupStage, Job, MapJob, SplitJob, Stage
from dedupindex.errors import DedupIndexError, Reason


class JobRunner(Protocol):
    """Runs jobs on workers."""

    @property
    def started(self) -> bool:
        """Whether workers are running already; starting them takes time."""

    def run(self, jobs: Iterable[Job]) -> Iterator[tuple[Job, Reason | None]]:
        """Run jobs, a bounded number at once. Jobs come back in any order.

        The iterator behind *jobs* is asked again after every result, even when it was empty the last time.

        Yields
        ------
        job : Job
        reason : Reason or None
            None = it is done; else why its worker was lost, twice.
        """

    def close(self) -> None:
        """End the workers."""


@dataclass(frozen=True, slots=True)
class Grouped:
    """An output of `Executor.group_apply`.

    Attributes
    ----------
    keys : tuple of int
        Keys of the groups that it holds, or holds a share of.
    part : str
        Its name in the work folder.
    """

    keys: tuple[int, ...]
    part: str


class Executor:
    """A work folder and the workers that fill it."""

    def __init__(self, folder: WorkFolder, backend: JobRunner) -> None:
        self.folder = folder
        self.backend = backend

    def map_partitions(
        self, stage: Stage, parts: Iterable[str], *, lost: Callable[[str, Reason], None] | None = None
    ) -> Iterator[str]:
        """Apply a stage to every part.

        Parameters
        ----------
        stage : Stage
        parts : iterable of str
            Drawn from only as workers get free, and asked again after every output.
        lost : callable, optional
            Called with a part whose worker was lost twice, and the reason; None = that is an error.

        Yields
        ------
        str
            The output of each part, in any order.

        Raises
        ------
        DedupIndexError
            A worker was lost twice.
        """
        jobs = map(lambda part: MapJob(self.folder, stage, part), parts)  # noqa: C417 - a generator ends for good
        for job, reason in self.backend.run(jobs):
            assert isinstance(job, MapJob)
            if reason is None:
                yield job.output
            elif lost is None:
                raise _lost(stage, reason)
            else:
                lost(job.part, reason)

    def group_apply(
        self,
        stage: GroupStage,
        key: str,
        parts: Iterable[str],
        *,
        before: Stage | None = None,
        buckets: int = 1,
        most: int = 0,
    ) -> Iterator[Grouped]:
        """Apply a stage to all rows of each key.

        Parameters
        ----------
        stage : GroupStage
        key : str
            Column of integers.
        parts : iterable of str
        before : Stage, optional
            Applied to every part first; its rows are grouped. None = the rows of the parts are.
        buckets : int
            Groups whose keys agree modulo this number are worked on together.
        most : int
            Rows for one worker; of a larger group each of several workers gets all rows, and does its share.
            0 = every group is done by one worker.

        Yields
        ------
        Grouped
            In any order; nothing for a bucket without rows.

        Raises
        ------
        DedupIndexError
            A worker was lost twice.
        """
        splits: list[str] = []
        splitting = (SplitJob(self.folder, before, key, buckets, part) for part in parts)
        for job, reason in self.backend.run(splitting):
            if reason is not None:
                raise _lost(before or stage, reason)
            splits.append(job.output)
        for job, reason in self.backend.run(self._group_jobs(stage, key, tuple(sorted(splits)), buckets, most)):
            if reason is not None:
                raise _lost(stage, reason)
            assert isinstance(job, GroupJob)
            yield Grouped(job.keys, job.output)

    def _group_jobs(
        self, stage: GroupStage, key: str, splits: tuple[str, ...], buckets: int, most: int
    ) -> Iterator[GroupJob]:
        rows: Counter[int] = Counter()
        for split in splits:
            rows.update(self.folder.counts(split))
        together: dict[int, list[int]] = {}
        for group, count in sorted(rows.items()):
            shares = -(-count // most) if most else 1
            if shares == 1:
                together.setdefault(group % buckets, []).append(group)
            for share in range(shares if shares > 1 else 0):
                yield GroupJob(self.folder, stage, key, splits, group % buckets, (group,), share, shares)
        for bucket, groups in together.items():
            yield GroupJob(self.folder, stage, key, splits, bucket, tuple(groups))


def _lost(stage: object, reason: Reason) -> DedupIndexError:
    words = "took too long" if reason is Reason.TIMED_OUT else "was killed"
    return DedupIndexError(
        f"the worker that did a part of {type(stage).__name__.lower()} {words}, twice; run it again to go on from there"
    )
