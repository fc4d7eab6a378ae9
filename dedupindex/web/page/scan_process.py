"""A scan that the page started, in a process of its own: asked on stdin, says on stdout how far it is.

Both are JSON; stdout has a line for each change, at most some a second. An interrupt stops it: what was committed
stays, and the next scan of the same folders goes on from there.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from dedupindex.errors import DedupIndexError, said

EVERY = 0.2  # seconds between two lines of a phase
INTERRUPTED = 130


class Lines:
    """A listener of progress that writes a line for each change."""

    def __init__(self) -> None:
        self._phase, self._total, self._done, self._failed, self._said = "", 0, 0, 0, 0.0

    def start(self, total: int | None, what: str) -> None:
        """A phase begins."""
        self._phase, self._total, self._done = what, total or 0, 0
        self._say()

    def expect(self, total: int) -> None:
        """There are so many in all."""
        self._total = total

    def advance(self, n: int) -> None:
        """*n* more are done."""
        self._done += n
        if time.monotonic() - self._said >= EVERY:
            self._say()

    def fail(self, n: int) -> None:
        """*n* of them failed."""
        self._failed += n

    def finish(self) -> None:
        """The phase is over."""
        self._say()

    def _say(self) -> None:
        self._said = time.monotonic()
        say(phase=self._phase, done=self._done, total=self._total, failures=self._failed)


def say(**values: Any) -> None:
    """Write a line."""
    print(json.dumps(values), flush=True)


def main() -> int:
    """Scan what stdin asks for; return the exit code."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have started the page with it ignored
    asked = json.loads(sys.stdin.read())
    from dedupindex.index import Index, fork_workers_here
    from dedupindex.reports.text import ingest_text, search_text

    fork_workers_here()  # before there are open files and threads
    paths = [Path(os.fsdecode(bytes.fromhex(path))) for path in asked["paths"]]
    try:
        with Index.open(asked["database"], **asked["settings"]) as index:
            look = index.ingest(paths, recursive=asked["recursive"], dry_run=True)
            say(found=look.found, unread=look.read)
            lines = Lines()
            ingested = index.ingest(paths, recursive=asked["recursive"], progress=lines)
            say(found=ingested.found, failures=len(ingested.failures))
            searched = index.find_duplicates(progress=lines)
            say(words=f"{ingest_text(ingested)}\n{search_text(searched)}", failures=len(ingested.failures))
    except (DedupIndexError, OSError) as error:
        say(error=said(error))
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
