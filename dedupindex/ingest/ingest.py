"""Files into the database: find, recognise what is unchanged, describe the rest in workers, write in batches.

Identity follows content. An unchanged file (size, mtime in ns, inode) is not read. A moved file is a new location of a
known image, a changed one shows another image at a known location, a vanished one is marked missing; a library that was
renamed as a whole keeps its locations (`dedupindex.ingest.moves`) and is not decoded again. The content of
the database afterwards does not depend on the order of the files nor on the number of workers; only ids do.

Order of writing: each image with all its features in one transaction. A stack of many frames comes in several batches;
its frames are images at once, but the location of its first frame, which says "this file was read", is written last.
So an interrupted stack is read again, and the frames already stored are recognised by content.

Several processes may ingest the same files into a catalogue on a server. Each file is read by the process that claimed
it (`dedupindex.store.claims`). Files that others hold are put aside and looked at again, until they are in the
catalogue, or free because their reader died. So an ingest ends when every file that it found is in the catalogue.
"""

from __future__ import annotations

import logging
import math
import os
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeAlias

from dedupindex.errors import Reason, SettingsError
from dedupindex.execution.contained import within_limits
from dedupindex.execution.engine import Engine
from dedupindex.execution.progress import SILENT, Progress
from dedupindex.execution.tasks import FileResult, FileTask
from dedupindex.groups import snapshots
from dedupindex.ingest import exclusions, moves
from dedupindex.ingest.counting import PASSING, Counting, ReadingProgress, count_unchanged, is_unchanged
from dedupindex.ingest.describing import take_task
from dedupindex.ingest.known_archives import KnownArchives
from dedupindex.ingest.recognition import Recognition
from dedupindex.ingest.scanned_roots import remember_roots, renamed_roots
from dedupindex.ingest.vanished import mark_missing
from dedupindex.places import absolute, text_of
from dedupindex.records import Failure, FoundFile, IngestSummary, SkippedFile
from dedupindex.records.selected_places import below
from dedupindex.settings import Settings
from dedupindex.sources import Finder, SourceList, decoder_fingerprint
from dedupindex.sources.archives.limits import limits_of
from dedupindex.sources.readers.documents import document_suffixes, why_passed_over
from dedupindex.sources.scope import LEFT_OUT
from dedupindex.store import catalog, catalog_images, catalog_locations
from dedupindex.store.claims import Claims, NoClaims
from dedupindex.store.database import Database
from dedupindex.store.rows import FileState, KnownFile, NewImage
from dedupindex.versions import versions

log = logging.getLogger(__name__)

MOST_ASIDE = 4096  # files that others are reading; with more, the oldest are looked at again before the walk's end
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 2.0  # seconds between two looks at what others are reading
SAY_AFTER = 10.0  # seconds of waiting for others
LONGEST_WAIT = 5.0  # seconds that described images may wait for a full batch
# Reasons that say nothing about the content: the stored location stays.
NOT_CONTENT = PASSING | {Reason.WORKER_DIED, Reason.TIMED_OUT, Reason.OUT_OF_MEMORY}

_Place: TypeAlias = tuple[FileState, int, tuple[bytes, int]]  # file, frame, content key


def ingest(
    database: Database,
    settings: Settings,
    paths: Sequence[Path],
    *,
    lists: Sequence[SourceList] = (),
    recursive: bool = True,
    dry_run: bool = False,
    forget_excludes: bool = False,
    exclude: Sequence[Path] = (),
    against: Sequence[Path] = (),
    progress: Progress = SILENT,
    engine: Engine,
) -> IngestSummary:
    """Bring the database up to date with files and folders, here and in object stores.

    Parameters
    ----------
    paths : sequence of Path
        Files, folders, archives and places in object stores (see `dedupindex.places`).
    lists : sequence of SourceList
        Lists of further files.
    recursive : bool
        Look into folders of folders too.
    dry_run : bool
        Only look and count; decode and write nothing.
    forget_excludes : bool
        Forget which patterns earlier ingests left out of these places.
    exclude : sequence of Path
        Never looked into (the program's own data).
    against : sequence of Path
        Places that serve as a reference, also in later runs (see `dedupindex.groups.roots`): they are ingested too.
    progress : Progress
        Told of every file.
    engine : Engine
        Describes the files.

    Returns
    -------
    IngestSummary
        Bad files are in its `failures`, including those that failed before and did not change.

    Raises
    ------
    StoreError
        The database cannot be written. What was committed stays; the next run continues from there.
    SettingsError
        A list or a file of patterns cannot be read, a package is missing, or a reference is to be searched too.
    """
    began = time.monotonic()
    searched, references = ([absolute(path) for path in given] for given in (paths, against))
    if twice := set(references).intersection(searched):
        raise SettingsError(f"{text_of(min(twice))}: is the reference, and is to be searched for duplicates too")
    roots = [*searched, *references]
    decoder, run = decoder_fingerprint(settings), 0
    followed = moves.Followed()
    known_references: tuple[Path, ...] = ()
    with database.read() if dry_run else database.write() as connection:
        same_decoder = catalog.get_meta(connection, "decoder") == decoder
        if not dry_run:
            run = catalog.start_run(connection, catalog.RunKind.INGEST)
        if not (dry_run or same_decoder):
            catalog.give_another_chance(connection)
            catalog.set_meta(connection, decoder=decoder)
        renamed = renamed_roots(connection, roots)
        patterns = exclusions.settled(
            connection, settings, roots, renamed=renamed, forget=forget_excludes, write=not dry_run
        )
        if not dry_run:
            moves.begin(connection)
            known_references = remember_roots(connection, searched, references)
    documents = document_suffixes(settings)
    known_archives = KnownArchives(database, settings, decoder, documents)
    finder = Finder(
        roots,
        lists,
        recursive=recursive,
        exclude=exclude,
        mask_pattern=settings.mask_pattern,
        scope=exclusions.scope_of(settings, patterns),
        contained=partial(within_limits, settings),
        limits=limits_of(settings),
        documents=documents,
        known=known_archives,
    )
    tally = _Tally()
    unchanged = partial(count_unchanged, database, settings, same_decoder or not dry_run)
    told = ReadingProgress(progress, Counting(finder, documents, unchanged))
    try:
        if dry_run:
            dry = Recognition(database, settings, 0)
            for task in _Feed(database, settings, finder, NoClaims(), tally, dry, told, trust_failures=same_decoder):
                tally.read += len(task)
                told.advance(len(task), tally.further)
        else:
            with database.claims() as claims:
                feed = _Feed(database, settings, finder, claims, tally, Recognition(database, settings, run), told)
                _describe_and_write(database, settings, engine, run, feed, tally, told)
            followed = moves.follow(database, run, roots)
        missing, still_known = mark_missing(database, finder, run, dry_run)
    finally:
        told.finish()
    if not dry_run:
        with database.write() as connection:
            tally.moved = followed.places
            known_archives.remember(connection, finder.scanned)
            missing += followed.missing
            catalog.finish_run(connection, run, tally.numbers() | {"missing": missing, "moved": followed.places})
        snapshots.remember(database, run)
    return IngestSummary(
        run_id=run,
        found=tally.found,
        unchanged=tally.unchanged,
        read=tally.read,
        added=tally.added,
        known=tally.known,
        missing=missing,
        skipped=dict(sorted(tally.skipped.items())),
        left_out=tally.left_out,
        still_known=still_known,
        patterns={folder: kept for folder, kept in patterns.items() if any(below(folder, root) for root in roots)},
        failures=tuple(sorted(tally.failures.values(), key=lambda failure: os.fsencode(failure.path))),
        seconds=time.monotonic() - began,
        bytes_read=tally.bytes_read,
        recognised=tally.recognised,
        moved=followed.moved,
        perhaps_moved=followed.perhaps,
        references=known_references,
    )


@dataclass(slots=True)
class _Tally:
    """Counts of one run."""

    found: int = 0
    unchanged: int = 0
    read: int = 0
    added: int = 0
    recognised: int = 0
    members: int = 0  # of archives, to be read
    placed: int = 0  # locations that are new or show another image
    moved: int = 0  # of them, those that stand for a place that is gone
    bytes_read: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    failures: dict[Path, Failure] = field(default_factory=dict)

    @property
    def known(self) -> int:
        """New locations of images that were there already."""
        return max(0, self.placed - self.added - self.moved)

    @property
    def further(self) -> int:
        """As `ReadingProgress.advance` wants it."""
        return self.members - self.recognised

    @property
    def left_out(self) -> dict[str, int]:
        """What was skipped because somebody, or the default, wants it left out: why, and how many entries."""
        return {str(why): self.skipped[why] for why in LEFT_OUT if self.skipped[why]}

    def numbers(self) -> dict[str, int | float | str]:
        """For the run's summary."""
        names = ("found", "unchanged", "read", "added", "known", "bytes_read")
        return {name: getattr(self, name) for name in names} | {
            "skipped": sum(self.skipped.values()),
            "left_out": sum(self.left_out.values()),
            "failures": len(self.failures),
        }


class _Feed:
    """Tasks for the workers: walks, looks files up, leaves out unchanged ones. Takes follow-up tasks as well."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        finder: Finder,
        claims: Claims,
        tally: _Tally,
        recognition: Recognition,
        progress: ReadingProgress,
        *,
        trust_failures: bool = True,
    ) -> None:
        self.database, self.settings, self.tally, self.trust_failures = database, settings, tally, trust_failures
        self.claims, self.recognition, self.progress = claims, recognition, progress
        self._documents = document_suffixes(settings)
        self.back: list[Path] = []  # files that were missing and are there again, as they were
        self.labels: dict[Path, str] = {}  # ids that lists gave
        self._found = iter(finder)
        self._files: deque[FileTask] = deque()
        self._aside: deque[FileTask] = deque()  # to be read, but by others as it seems
        self._further: deque[FileTask] = deque()

    def __iter__(self) -> Iterator[Sequence[FileTask]]:
        return self

    def __next__(self) -> Sequence[FileTask]:
        if self._further:
            return [self._further.popleft()]
        while not self._files:
            if not self._look():
                raise StopIteration
        self.progress.begin()
        return take_task(self._files)

    def put(self, tasks: Sequence[FileTask]) -> None:
        """Add the tasks that describe further frames of a stack."""
        self._further.extend(tasks)

    def look_again(self) -> bool:
        """Wait until the files that others are reading are known or free; whether there is something to read now.

        The caller has written all its own results before, so that no two processes wait for each other.
        """
        pause, say = FIRST_PAUSE, time.monotonic() + SAY_AFTER
        while self._aside and not self._files:
            if self._look_aside(len(self._aside)):
                continue
            if time.monotonic() > say:
                log.warning("waiting for %d files that others read; `dedupindex doctor` shows who", len(self._aside))
                say = math.inf
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        return bool(self._files)

    def _look(self) -> bool:
        """Take the next files of the walk and queue those that have to be read; whether there were any."""
        files: list[FoundFile] = []
        for entry in self._found:
            if isinstance(entry, SkippedFile):
                self.tally.skipped[entry.why] += 1
            elif isinstance(entry, Failure):
                self.tally.failures[entry.path] = entry
            elif len(os.fsencode(entry.path)) > self.database.longest_path:
                words = f"its path is longer than {self.database.longest_path:,} bytes"
                self.tally.failures[entry.path] = Failure(entry.path, Reason.UNREADABLE, words)
            else:
                files.append(entry)
                if len(files) == self.claims.at_once:
                    break
        if not files:
            return False
        self.labels.update((file.path, file.label) for file in files if file.label is not None)
        tasks = [
            FileTask(FileState(file.path, file.size, file.mtime_ns, file.inode), self.settings, found=file)
            for file in files
        ]
        known = self._known(tasks)
        unread: list[FileTask] = []
        for file, task in zip(files, tasks, strict=True):
            if file.path in known:
                continue
            if (why := why_passed_over(file, self._documents)) is not None:
                self.tally.skipped[why] += 1
                continue
            self.tally.found += 1
            unread.append(task)
        self._claim(unread)
        if len(self._aside) > MOST_ASIDE:
            self._look_aside(self.claims.at_once)
        return True

    def _look_aside(self, count: int) -> bool:
        """Look again at the oldest files that were put aside; whether any of them is settled now."""
        before = len(self._aside)
        for start in range(0, count, self.claims.at_once):
            batch = [self._aside.popleft() for _ in range(min(self.claims.at_once, count - start))]
            known = self._known(batch, counted=False)
            self._claim([task for task in batch if task.state.path not in known])
        return len(self._aside) < before

    def _claim(self, tasks: Sequence[FileTask]) -> None:
        """Claim files; queue those that this process may read, and put the others aside."""
        ours = self.claims.take([task.state.path for task in tasks])
        known: set[Path] = set()
        if self.database.shared and ours:  # their last reader may have ended just before we claimed them
            known = self._known([task for task in tasks if task.state.path in ours], counted=False)
        elsewhere = self.recognition.take([t for t in tasks if t.state.path in ours and t.state.path not in known])
        self.tally.recognised += len(elsewhere)
        known |= elsewhere
        self.claims.done(known)
        for task in tasks:
            if task.state.path not in ours:
                self._aside.append(task)
            elif task.state.path not in known:
                self._files.append(task)
                self.tally.members += task.found is not None and task.found.offset is not None

    def _known(self, tasks: Sequence[FileTask], *, counted: bool = True) -> set[Path]:
        """Files that need not be read, because the database knows them as they are.

        They count as unchanged; and as found, unless *counted* is false.
        """
        states = {task.state.path: task.state for task in tasks}
        with self.database.read() as connection:
            known = catalog_locations.known_files(connection, list(states))
        unchanged = {path for path, state in states.items() if self._is_unchanged(known.get(path), state)}
        self.tally.unchanged += len(unchanged)
        self.tally.found += counted * len(unchanged)
        return unchanged

    def _is_unchanged(self, known: KnownFile | None, state: FileState) -> bool:
        if known is None or not is_unchanged(known, state, self.settings, self.trust_failures):
            return False
        if known.failure is not None:
            self.tally.failures[state.path] = known.failure
        elif known.missing:
            self.back.append(state.path)
        return True


def _describe_and_write(
    database: Database, settings: Settings, engine: Engine, run: int, feed: _Feed, tally: _Tally, told: ReadingProgress
) -> None:
    writer = _Writer(database, settings, run, feed.claims, tally)
    with engine.describing(settings) as workers:
        try:
            more = True
            while more:
                for results in workers.map(feed):
                    for result in results:
                        tally.bytes_read += result.bytes_read
                        if result.task.first == 0:
                            tally.read += 1
                            told.advance(1, tally.further)
                        if result.failure is not None:
                            told.fail()
                        writer.take(result)
                        feed.put(result.rest)
                    writer.write_when_full()
                writer.write()
                more = feed.look_again()
        except KeyboardInterrupt:
            writer.write()  # so that the next run need not describe these again
            raise
    tally.placed += feed.recognition.placed
    tally.bytes_read += feed.recognition.bytes_read
    if feed.back:
        with database.write() as connection:
            catalog_locations.mark(connection, feed.back, run, missing=False)
    with database.read() as connection:
        labels = catalog_locations.changed_labels(connection, feed.labels)
    if labels:
        with database.write() as connection:
            catalog_locations.put_labels(connection, labels)


@dataclass(slots=True)
class _OpenStack:
    """A file of which some frames are still to come."""

    tasks: int  # not yet back
    first: list[_Place]  # the location that says "this file was read"
    failure: Failure | None


class _Writer:
    """Collects results and commits them in batches."""

    def __init__(self, database: Database, settings: Settings, run: int, claims: Claims, tally: _Tally) -> None:
        self._database, self._run, self._claims, self._tally = database, run, claims, tally
        self._batch = settings.batch
        self._versions: Mapping[str, str] = versions(settings)
        self._open: dict[Path, _OpenStack] = {}
        self._begin()

    def _begin(self) -> None:
        self._results = 0
        self._images: list[NewImage] = []
        self._places: list[_Place] = []
        self._finished: list[FileState] = []
        self._failed: list[tuple[FileState, Failure]] = []
        self._last = time.monotonic()

    def take(self, result: FileResult) -> None:
        """Accept a result."""
        self._results += 1
        self._images += result.images
        path = result.state.path
        places = [(result.state, image.frame, image.key) for image in result.images]
        failure = result.failure
        if result.rest:
            first = [place for place in places if place[1] == 0]
            self._open[path] = _OpenStack(len(result.rest), first, failure)
            self._places += [place for place in places if place[1] != 0]
            return
        self._places += places
        stack = self._open.get(path)
        if stack is not None:
            stack.tasks -= 1
            stack.failure = failure = stack.failure or failure
            if stack.tasks:
                return
            del self._open[path]
            self._places += stack.first
        if failure is not None:
            self._failed.append((result.state, failure))
        if failure is None or places or stack is not None:
            self._finished.append(result.state)

    def write_when_full(self) -> None:
        """Commit when a batch is full, or its images have waited long enough."""
        full = max(self._results, len(self._images)) >= self._batch
        if full or (self._results and time.monotonic() - self._last > LONGEST_WAIT):
            self.write()

    def write(self) -> None:
        """Commit all that was taken."""
        if not self._results:
            return
        with self._database.write() as connection:
            ids, added = catalog_images.put_images(connection, self._images, self._versions, self._run)
            held = [key for _, _, key in self._places if key not in ids]  # images of an earlier batch
            ids |= catalog_images.ids_of_content(connection, held)
            rows = [(state, frame, ids[key]) for state, frame, key in self._places]
            changed = catalog_locations.put_locations(connection, rows, self._run)
            whole = [state.path for state in self._finished]
            catalog.clear_failures(connection, whole)
            catalog_locations.drop_other_frames(connection, whole, self._run)
            catalog.put_failures(connection, self._failed, self._run)
            kept = set(whole)
            gone = [s.path for s, f in self._failed if f.reason not in NOT_CONTENT and s.path not in kept]
            catalog_locations.mark(connection, gone, self._run, missing=True)
        self._claims.done([*whole, *(state.path for state, _ in self._failed)])
        self._tally.added += added
        self._tally.placed += changed
        self._tally.failures.update((state.path, failure) for state, failure in self._failed)
        self._begin()
