"""Jobs as tasks of Ray, on this machine or on a cluster.

Inputs and outputs are in the work folder, so a task carries only names, and no data is lost with a worker or a node.
Ray's port for remote clients is not used (Ray advises against it for work of this kind): the program runs on a machine
of the cluster.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from dedupindex.engines.jobs import Job
from dedupindex.errors import DedupIndexError, Reason
from dedupindex.execution.kept import CHANCES
from dedupindex.execution.pool import IN_FLIGHT
from dedupindex.execution.worker import Limits, allow, begin_worker
from dedupindex.settings import Settings
from dedupindex.system import usable_cores

log = logging.getLogger(__name__)

LONGEST_TASK = 3_600.0  # seconds of computing
OBJECT_STORE = 100_000_000  # bytes; tasks carry only names
_TOKENS = ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class RayRunner:
    """Ray, started or joined when the first job comes.

    Parameters
    ----------
    settings : Settings
        `workers` is used where Ray is started here.
    address : str
        ``auto`` or ``HOST:PORT`` of a running cluster; empty = start Ray on this machine, and end it in `close`.
    """

    def __init__(self, settings: Settings, address: str) -> None:
        self._settings, self._address = settings, address
        self._ray: Any = None
        self._folder: Path | None = None
        self._joined = False

    @property
    def started(self) -> bool:
        """Whether Ray is running already; starting it takes time."""
        return self._ray is not None

    def run(self, jobs: Iterable[Job]) -> Iterator[tuple[Job, Reason | None]]:
        """Run jobs; see `JobRunner.run`."""
        source = iter(jobs)
        running: dict[Any, Job] = {}
        try:
            while True:
                while len(running) < self._most() and (job := next(source, None)) is not None:
                    running[self._submit(job)] = job
                if not running:
                    return
                [done], _ = self._ray.wait(list(running), num_returns=1)
                yield running.pop(done), self._outcome(done)
        finally:
            for reference in running:
                self._ray.cancel(reference, force=True)

    def close(self) -> None:
        """Leave the cluster, or end it where we started it."""
        if self._ray is not None and not self._joined:
            self._ray.shutdown()
        self._ray = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _most(self) -> int:
        if self._ray is None:
            return 1  # Ray is not started before there is a job
        return IN_FLIGHT * max(1, int(self._ray.cluster_resources().get("CPU", 1)))

    def _submit(self, job: Job) -> Any:
        if self._ray is None:
            self._start()
        return self._task.remote(job)

    def _outcome(self, reference: Any) -> Reason | None:
        failures = self._ray.exceptions
        try:
            self._ray.get(reference)
        except (failures.WorkerCrashedError, failures.NodeDiedError, failures.LocalRayletDiedError):
            return Reason.WORKER_DIED
        except failures.OutOfMemoryError:
            return Reason.OUT_OF_MEMORY
        except failures.RayTaskError as error:
            raise getattr(error, "cause", None) or DedupIndexError(f"on the cluster: {error}") from error
        except failures.RayError as error:
            raise DedupIndexError(f"Ray: {error}") from error
        return None

    def _start(self) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        options: dict[str, Any] = {"address": self._address}
        if not self._address:
            parent = "/tmp" if os.name == "posix" else None  # names of sockets have at most 107 bytes
            self._folder = Path(tempfile.mkdtemp(prefix="dedupindex-ray-", dir=parent))
            if not any(name in os.environ for name in _TOKENS):  # else Ray writes a token file to the user's home
                os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
            options = {
                "address": "local",
                "num_cpus": self._settings.workers or usable_cores(),
                "include_dashboard": False,
                "object_store_memory": OBJECT_STORE,
                "_temp_dir": str(self._folder),
            }
        import ray
        from ray._private import worker

        logging.getLogger("ray").setLevel(logging.WARNING)
        if hasattr(worker, "print_to_stdstream"):  # Ray prints on stdout, where our results are; it has no option
            worker.print_to_stdstream = _log_lines
        self._joined = ray.is_initialized()  # by a program that uses us as a library
        if not self._joined:
            try:
                ray.init(
                    **options,
                    configure_logging=False,
                    log_to_driver=False,
                    logging_level=logging.WARNING,
                    runtime_env={"env_vars": _ONE_THREAD},
                )
            except (OSError, RuntimeError, ValueError) as error:
                self.close()
                raise DedupIndexError(f"Ray at {self._address or 'this machine'}: {error}") from error
        self._ray = ray
        self._task = ray.remote(max_retries=CHANCES - 1, num_cpus=1)(_run)


def _log_lines(data: dict[str, Any], *_: object, **__: object) -> None:
    """Log the output of the cluster. A worker that died is reported by the job's outcome, not here."""
    for line in data.get("lines", ()):
        if line.strip():
            log.info("Ray: %s", line.strip())


@cache
def _begin() -> None:
    begin_worker(Limits())


def _run(job: Job) -> None:
    """What a worker of Ray does."""
    _begin()
    allow(LONGEST_TASK)
    job.run()
