"""Background search for duplicates of uploaded pictures, one at a time in a replica.

Replicas need not agree on who searches. Of two images that come in at once through two of them, the one that is
committed later is searched for after that, and so meets the other one; where two replicas search for the same images,
what they store is the same, and only the work is done twice.
"""

from __future__ import annotations

import logging
import random
import threading

from dedupindex.errors import DedupIndexError
from dedupindex.index import Index
from dedupindex.records import DuplicatesSummary
from dedupindex.web.service.measures import Measures

log = logging.getLogger(__name__)

LOOK_AGAIN = 60.0  # seconds between looks for images that nobody searched for: their replica may have ended
STOP_WITHIN = 10.0  # seconds; what was committed by then stays, the next search goes on from there


class Searcher:
    """Searches when something new was stored.

    Parameters
    ----------
    after : float
        Seconds for which a new image waits for others; 0 = only when asked to.
    """

    def __init__(self, index: Index, measures: Measures, after: float) -> None:
        self._index, self._measures, self._after = index, measures, after
        self._turn = threading.Lock()
        self._new, self._hurry, self._end = threading.Event(), threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="searcher", daemon=True)

    def start(self) -> None:
        """Begin; first with what others have left."""
        if self._after:
            self._new.set()
        self._thread.start()

    def stop(self) -> None:
        """End, at the next batch where a search is going on."""
        self._end.set()
        self._hurry.set()
        self._new.set()
        if self._thread.is_alive():
            self._thread.join(STOP_WITHIN)

    def tell(self) -> None:
        """Note that something new is stored."""
        if self._after:
            self._new.set()

    def soon(self) -> None:
        """Search in the background, without waiting for more."""
        self._hurry.set()
        self._new.set()

    def now(self) -> DuplicatesSummary | None:
        """Search, after one that is going on; None where nothing is new.

        Raises
        ------
        DedupIndexError
        """
        with self._turn:
            if not self._index.info()["unsearched"]:
                return None
            self._measures.searches.inc()
            return self._index.find_duplicates(_Listener(self._end))

    def _run(self) -> None:
        while not self._end.is_set():
            wait = LOOK_AGAIN * random.uniform(1.0, 2.0) if self._after else None
            if self._new.wait(wait) and self._after:
                self._hurry.wait(self._after)
            if self._end.is_set():
                return
            self._new.clear()
            self._hurry.clear()
            try:
                self.now()
            except DedupIndexError as error:
                if not self._end.is_set():
                    log.warning("the search for duplicates failed, and is tried again later: %s", error)
            except Exception:
                log.exception("the search for duplicates failed, and is tried again later")


class _Listener:
    """A progress listener that leaves a search when the service ends."""

    def __init__(self, end: threading.Event) -> None:
        self._end = end

    def start(self, total: int | None, what: str) -> None:
        """Begin a stage."""
        self._leave()

    def advance(self, n: int) -> None:
        """Go on, or not."""
        self._leave()

    def fail(self, n: int) -> None:
        """Count failures."""

    def finish(self) -> None:
        """End a stage."""

    def _leave(self) -> None:
        if self._end.is_set():
            raise DedupIndexError("the service ends; the search goes on when it is back")
