"""How many files an ingest is going to read, counted while it reads them.

Only folders of this machine are counted ahead. What lists, object stores and archives hold is not known before they
are opened.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from dedupindex.errors import DedupIndexError, Reason
from dedupindex.execution.progress import Progress, expect
from dedupindex.places import is_archive
from dedupindex.records import FoundFile
from dedupindex.settings import Settings
from dedupindex.sources.finding import Finder
from dedupindex.sources.sniff import IMAGE_SUFFIXES
from dedupindex.store import catalog_locations
from dedupindex.store.database import Database
from dedupindex.store.rows import FileState, KnownFile

AT_ONCE = 500  # files looked up together
STAGE = "ingest"


# Reasons that may be gone next time although the file looks the same.
PASSING = frozenset({Reason.UNREADABLE, Reason.MISSING, Reason.CHANGED_WHILE_READ})


def is_unchanged(known: KnownFile, state: FileState, settings: Settings, trust_failures: bool) -> bool:
    """Whether a file need not be read, because the database knows it as it is.

    Parameters
    ----------
    known : KnownFile
    state : FileState
        As it is now.
    settings : Settings
    trust_failures : bool
        A file that failed before would fail again.
    """
    if not catalog_locations.same_state(known, state):
        return False
    if known.failure is not None:
        return trust_failures and known.failure.reason not in PASSING
    return not (settings.all_frames and known.frames < known.frame_count)


def count_unchanged(database: Database, settings: Settings, trust_failures: bool, files: Sequence[FoundFile]) -> int:
    """How many of some files need not be read.

    Parameters
    ----------
    database : Database
    settings : Settings
    trust_failures : bool
        As `is_unchanged` takes it.
    files : sequence of FoundFile
    """
    states = {file.path: FileState(file.path, file.size, file.mtime_ns, file.inode) for file in files}
    with database.read() as connection:
        known = catalog_locations.known_files(connection, list(states))
    return sum(is_unchanged(one, states[path], settings, trust_failures) for path, one in known.items())


class Counting:
    """A thread that walks through the same folders, and counts what has to be read.

    Names decide: files without an ending of pictures or documents, which have to be opened to be known, are left out.

    Parameters
    ----------
    finder : Finder
    documents : container of str
        Endings of documents and videos that are taken.
    unchanged : callable
        How many of some files need not be read.
    """

    def __init__(
        self, finder: Finder, documents: frozenset[str], unchanged: Callable[[Sequence[FoundFile]], int]
    ) -> None:
        self._finder, self._endings, self._unchanged = finder, documents | IMAGE_SUFFIXES, unchanged
        self._count = 0
        self._end = threading.Event()
        self._done = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def total(self) -> int | None:
        """Files to read in the folders; None while they are counted, and where they cannot be."""
        return self._count if self._done.is_set() else None

    def start(self) -> None:
        """Begin, where there is something that can be counted ahead."""
        if self._thread is None and self._finder.is_plain:
            self._thread = threading.Thread(target=self._run, name="count-files", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End, whether all is counted or not."""
        self._end.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        try:
            files = self._files()
            while not self._end.is_set() and (batch := list(islice(files, AT_ONCE))):
                self._count += len(batch) - self._unchanged(batch)
        except (DedupIndexError, OSError):  # the ingest itself says what is wrong
            return
        if not self._end.is_set():
            self._done.set()

    def _files(self) -> Iterator[FoundFile]:
        for entry in self._finder.plain_files():
            if self._end.is_set():
                return
            if isinstance(entry, FoundFile) and (entry.explicit or _ending(entry.path) in self._endings):
                yield entry


class ReadingProgress:
    """Progress of an ingest: it begins with the first file that is to be read, and learns meanwhile how many there are.

    Parameters
    ----------
    progress : Progress
    counting : Counting
    """

    def __init__(self, progress: Progress, counting: Counting) -> None:
        self._progress, self._counting = progress, counting
        self._begun, self._done, self._expected = False, 0, 0

    def begin(self) -> None:
        """A file is to be read: say so, once."""
        if not self._begun:
            self._begun = True
            self._progress.start(None, STAGE)
            self._counting.start()

    def advance(self, number: int, further: int) -> None:
        """Files were read.

        Parameters
        ----------
        number : int
        further : int
            Files so far that were not counted ahead, less those that were and need not be read after all.
        """
        self._done += number
        self._progress.advance(number)
        total = self._counting.total
        if total is not None and (expected := max(self._done, total + further)) != self._expected:
            self._expected = expected
            expect(self._progress, expected)

    def fail(self) -> None:
        """A file of those that were read failed."""
        self._progress.fail(1)

    def finish(self) -> None:
        """Nothing more is read."""
        self._counting.stop()
        if self._begun:
            self._progress.finish()


def _ending(path: Path) -> str:
    return "" if is_archive(path.name) else path.suffix.lower()
