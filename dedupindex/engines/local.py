"""Jobs in a pool of processes on this machine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from dedupindex.engines.jobs import Job, run_jobs
from dedupindex.errors import Reason
from dedupindex.execution.limits import limits_of
from dedupindex.execution.pool import Pool
from dedupindex.execution.worker import Limits
from dedupindex.settings import Settings

LONGEST_JOB = 3_600.0  # seconds of computing for a job of many files, where single files have a limit


@dataclass(frozen=True, slots=True)
class JobResult:
    """A job, and why its worker was lost; None = it is done."""

    job: Job
    reason: Reason | None = None


class LocalRunner:
    """Worker processes."""

    def __init__(self, settings: Settings) -> None:
        limits = limits_of(settings)
        patient = Limits(limits.memory, max(LONGEST_JOB, limits.seconds) if limits.seconds else 0.0)
        self._pool = Pool(_results, died=_died, workers=settings.workers, limits=patient)

    @property
    def started(self) -> bool:
        """Whether workers are running already."""
        return self._pool.started

    def run(self, jobs: Iterable[Job]) -> Iterator[tuple[Job, Reason | None]]:
        """Run jobs; see `JobRunner.run`."""
        for outcomes in self._pool.map(_Single(jobs)):
            yield from ((outcome.job, outcome.reason) for outcome in outcomes)

    def close(self) -> None:
        """End the workers."""
        self._pool.close()


class _Single:
    """Tasks of one job each; asks again when there was none the last time."""

    def __init__(self, jobs: Iterable[Job]) -> None:
        self._jobs = iter(jobs)

    def __iter__(self) -> Iterator[list[Job]]:
        return self

    def __next__(self) -> list[Job]:
        return [next(self._jobs)]


def _results(jobs: Sequence[Job]) -> list[JobResult]:
    run_jobs(jobs)
    return [JobResult(job) for job in jobs]


def _died(job: Job, reason: Reason) -> JobResult:
    return JobResult(job, reason)
