"""Two operations over parts, whatever does the work: apply a stage to each, or to all rows of each key.

A part is a Parquet file in the work folder. The name of an output follows from the stage, its parameters and its
inputs, so what is there is not made again: an interrupted run goes on where it ended, and a part whose worker was lost
is simply asked for once more.
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
    """What has workers."""

    @property
    def started(self) -> bool:
        """Whether workers are there already; starting them takes seconds."""

    def run(self, jobs: Iterable[Job]) -> Iterator[tuple[Job, Reason | None]]:
        """Each job as it gets done, or with the reason why its worker was lost twice; a bounded number at once.

        The iterator behind *jobs* is asked again after every one, even when it had nothing the last time.
        """

    def close(self) -> None:
        """End the workers."""


@dataclass(frozen=True, slots=True)
class Grouped:
    """An output of `Executor.group_apply`: the keys of the groups that it holds (a share of), and its name."""

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
        parts : iterable of str
            Drawn from only as workers get free, and asked again after every output.
        lost : callable, optional
            Told of a part that took its worker along, twice; without, that is an error.

        Yields
        ------
        str
            The output of each part, in any job.

        Raises
        ------
        DedupIndexError
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
        key : str
            Column of integers.
        before : Stage, optional
            Applied to every part first, to what its rows are grouped.
        buckets : int
            Groups whose keys agree modulo this number are worked on together.
        most : int
            Rows a worker takes; of a larger group each of several workers gets all rows, and does its share.
            0 = all groups are done whole.

        Yields
        ------
        Grouped
            In any job; nothing of a bucket without rows.

        Raises
        ------
        DedupIndexError
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
