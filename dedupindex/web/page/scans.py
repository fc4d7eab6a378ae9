"""Scans that the page starts: one at a time, in a process of its own, so that pages stay quick and a stop is clean."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from dedupindex.errors import IndexBusyError, SettingsError

STOP_SECONDS = 20.0  # after which a scan that was told to stop is ended
COMMAND = (sys.executable, "-m", "dedupindex.web.page.scan_process")


class ScanPhase(StrEnum):
    """What a scan is doing."""

    NONE = "none"  # there was none since the start
    LOOK = "look"  # counts the files
    DESCRIBE = "ingest"
    SEARCH = "duplicates"
    PROVE = "prove"
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"


RUNNING = frozenset({ScanPhase.LOOK, ScanPhase.DESCRIBE, ScanPhase.SEARCH, ScanPhase.PROVE})


@dataclass(frozen=True, slots=True)
class ScanState:
    """How far a scan is. Each change is a new record."""

    phase: ScanPhase = ScanPhase.NONE
    found: int = 0  # pictures
    unread: int = 0  # of them, those that have to be described
    described: int = 0
    to_search: int = 0
    searched: int = 0
    to_prove: int = 0
    proven: int = 0
    failures: int = 0
    began: float = 0.0  # of the phase, seconds of the monotonic clock
    started: float = 0.0  # of the scan
    words: str = ""  # result, or why it failed
    number: int = 0  # of the change

    @property
    def running(self) -> bool:
        """Whether it is at work."""
        return self.phase in RUNNING

    @property
    def step(self) -> tuple[int, int]:
        """What is done and what there is to do, of the phase."""
        return {
            ScanPhase.DESCRIBE: (self.described, self.unread),
            ScanPhase.SEARCH: (self.searched, self.to_search),
            ScanPhase.PROVE: (self.proven, self.to_prove),
        }.get(self.phase, (0, 0))

    def told(self, now: float) -> dict[str, Any]:
        """Return it for the page, with rate (a second) and time left (seconds; None = not known yet) of the phase."""
        done, total = self.step
        rate = done / max(now - self.began, 1e-3) if done else 0.0
        left = (total - done) / rate if rate and self.running else None
        return {
            "phase": str(self.phase),
            "running": self.running,
            "found": self.found,
            "unread": self.unread,
            "described": self.described,
            "searched": self.searched,
            "toSearch": self.to_search,
            "proven": self.proven,
            "toProve": self.to_prove,
            "failures": self.failures,
            "done": done,
            "total": total,
            "rate": rate,
            "left": left,
            "seconds": now - self.started if self.started else 0.0,
            "words": self.words,
        }


@dataclass(frozen=True, slots=True)
class Job:
    """What to scan."""

    paths: tuple[Path, ...]
    recursive: bool = True
    settings: Mapping[str, Any] | None = None  # single settings by name


class Scans:
    """The scan that runs, and the one that ran last."""

    def __init__(self, settings: Mapping[str, Any] | None = None) -> None:
        self._settings = dict(settings or {})  # of the command line
        self._lock = threading.Condition()
        self._state = ScanState()
        self._process: subprocess.Popen[str] | None = None
        self._stopped = False
        self._ended = False
        self.job: Job | None = None

    @property
    def state(self) -> ScanState:
        """How far the scan is."""
        return self._state

    @property
    def ended(self) -> bool:
        """Whether the page ends: nobody need wait for changes any more."""
        return self._ended

    def start(self, database: Path | str, job: Job, done: Callable[[], None] = lambda: None) -> None:
        """Start a scan.

        Parameters
        ----------
        database : Path or str
            What opens the database; of a server with its password, which goes through a pipe.
        job : Job
        done : callable
            Is called once it has ended, however it did.

        Raises
        ------
        IndexBusyError
            One is running.
        SettingsError
            There is nothing to scan.
        """
        if not job.paths:
            raise SettingsError("choose a folder first")
        with self._lock:
            if self._ended or self._state.running:
                raise IndexBusyError("a scan is running; stop it, or wait until it is done")
            self.job, self._stopped = job, False
            now = time.monotonic()
            self._put(ScanState(ScanPhase.LOOK, began=now, started=now, number=self._state.number))
            self._process = subprocess.Popen(
                COMMAND,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                start_new_session=True,  # Ctrl-C ends the page, and the page ends the scan
            )
        asked = {
            "database": os.fspath(database),
            "paths": [os.fsencode(path).hex() for path in job.paths],
            "recursive": job.recursive,
            "settings": {**self._settings, **(job.settings or {})},
        }
        threading.Thread(target=self._follow, args=(self._process, json.dumps(asked), done), daemon=True).start()

    def stop(self) -> None:
        """Tell the scan to stop; what was committed stays. Nothing where none runs."""
        with self._lock:
            process, self._stopped = self._process, True
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGINT)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()

    def end(self) -> None:
        """Stop, and start no other one."""
        with self._lock:
            self._ended = True
            self._lock.notify_all()
        self.stop()

    def wait(self, number: int, seconds: float) -> ScanState:
        """Return the state once it is another one than that of this number, or after so many seconds."""
        with self._lock:
            self._lock.wait_for(lambda: self._ended or self._state.number != number, seconds)
            return self._state

    def _put(self, state: ScanState) -> None:
        self._state = replace(state, number=state.number + 1)
        self._lock.notify_all()

    def _follow(self, process: subprocess.Popen[str], asked: str, done: Callable[[], None]) -> None:
        """Read what the scan says until it ends."""
        assert process.stdin is not None
        assert process.stdout is not None
        said: dict[str, Any] = {}
        try:
            process.stdin.write(asked)
            process.stdin.close()
            for line in process.stdout:
                said = json.loads(line)
                with self._lock:
                    self._put(_after(self._state, said))
        except (OSError, ValueError):  # it ended while it was asked, or was killed in the middle of a line
            process.kill()
        process.stdout.close()
        code = process.wait()
        with self._lock:
            state = self._state
            if self._stopped:
                state = replace(state, phase=ScanPhase.STOPPED)
            elif code or "words" not in said:
                words = said.get("error") or f"the scan ended without a word (exit code {code})"
                state = replace(state, phase=ScanPhase.FAILED, words=str(words))
            else:
                state = replace(state, phase=ScanPhase.DONE, words=str(said["words"]))
            self._put(state)
        done()


def _after(state: ScanState, said: Mapping[str, Any]) -> ScanState:
    """Return the state after a line of the scan."""
    known = {name: said[name] for name in ("found", "unread", "failures") if name in said}
    state = replace(state, **known)
    phase = said.get("phase")
    if phase is None or phase not in set(ScanPhase):
        return state
    if phase != state.phase:
        state = replace(state, phase=ScanPhase(phase), began=time.monotonic())
    done, total = int(said.get("done", 0)), int(said.get("total") or 0)
    if phase == ScanPhase.DESCRIBE:
        return replace(state, described=done, unread=max(state.unread, done))
    if phase == ScanPhase.SEARCH:
        return replace(state, searched=done, to_search=total)
    return replace(state, proven=done, to_prove=total) if phase == ScanPhase.PROVE else state
