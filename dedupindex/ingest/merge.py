"""Merges a catalogue that was made elsewhere: images with their features, places, pairs, failures, decisions.

Nothing is described again; content says which images are the same. Images that are new here have to be searched,
because they were not compared with ours. The pairs that the other catalogue confirmed are taken over with their proofs
and are not compared again. So the next search costs as much as if the pictures had been ingested here, less those
pairs.

The other catalogue's own paths become places on a volume (``laptop:/home/me/x.jpg``) where one is named. The other
catalogue is the authority on that volume: what is no longer in it is missing. Without a volume both catalogues mean the
same disk, and of two states of one place the one with the later modification time counts: so it does not matter which
catalogue is merged into which. With equal states a place is present when either catalogue says so; the next ingest
looks.

Images come first, then what refers to them, each in batches that are committed. After an interrupted merge the next one
continues: what is there already is recognised.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from dedupindex.errors import SettingsError, SettingsMismatchError
from dedupindex.execution.progress import SILENT, Progress
from dedupindex.groups import snapshots
from dedupindex.groups.decisions import take_over
from dedupindex.places import check_volume, is_local, on_volume
from dedupindex.records import Failure, Outcome
from dedupindex.records.upkeep import MergeSummary
from dedupindex.settings import Settings
from dedupindex.store import (
    catalog,
    catalog_decisions,
    catalog_images,
    catalog_locations,
    catalog_merge,
    catalog_pairs,
    catalog_proofs,
    checksums,
)
from dedupindex.store.catalog_merge import Placed, PresentPlace, Transaction
from dedupindex.store.catalog_proofs import StoredProof
from dedupindex.store.database import Database
from dedupindex.store.rows import FileState
from dedupindex.verify.proof.thresholds import VERSION as PROOF_VERSION
from dedupindex.verify.verification import VERSION
from dedupindex.versions import versions

BATCH = 500  # rows in a transaction; of images about 12 MB of features

_Row = TypeVar("_Row")


@dataclass(slots=True)
class _Merge:
    """The state of a running merge."""

    ours: Database
    other: Transaction
    settings: Settings
    volume: str
    run: int
    progress: Progress
    counts: dict[str, int] = field(default_factory=dict)

    def count(self, name: str, number: int) -> None:
        self.counts[name] = self.counts.get(name, 0) + number

    def place(self, path: Path) -> Path:
        """Our path for a place of the other catalogue."""
        return on_volume(path, self.volume) if self.volume and is_local(path) else path

    def is_theirs(self, path: Path) -> bool:
        """Whether the other catalogue is the authority on a place, given by its own path."""
        return bool(self.volume) and is_local(path)


def merge(
    ours: Database,
    other: Database,
    settings: Settings,
    fingerprint: str,
    *,
    volume: str = "",
    progress: Progress = SILENT,
) -> MergeSummary:
    """Bring another catalogue into ours.

    Parameters
    ----------
    ours : Database
    other : Database
        Of the same schema; only read, in one consistent state.
    settings : Settings
        In force for ours.
    fingerprint : str
        Of our features.
    volume : str
        Name of a volume for the other catalogue's own paths; empty = both catalogues are of this machine.
    progress : Progress
        Told of every image.

    Returns
    -------
    MergeSummary

    Raises
    ------
    SettingsError
        The volume cannot have that name; or both are the same database.
    SettingsMismatchError
        The other catalogue's features were made with other settings.
    StoreError
        One of them cannot be used; what was committed stays, the next merge continues from there.
    """
    began = time.monotonic()
    if volume:
        try:
            check_volume(volume)
        except ValueError as error:
            raise SettingsError(str(error)) from error
    if ours.name == other.name:
        raise SettingsError(f"{other.name} is the database into which is merged")
    with other.read() as connection:
        theirs = catalog.get_meta(connection, "fingerprint")
        if theirs not in (None, fingerprint):
            raise SettingsMismatchError(
                f"{other.name} holds features made with other settings than {ours.name}; open both with the same "
                f"settings, and run `dedupindex -d {other.name} rebuild --describe` where its pictures are"
            )
        if catalog.is_hash_only(connection) and not settings.hash_only:
            raise SettingsError(
                f"{other.name} holds hashes only, and {ours.name} thumbnails too; merge it into a database that was "
                f"made with --hash-only"
            )
        with ours.write() as writing:
            run = catalog.start_run(writing, catalog.RunKind.MERGE)
        work = _Merge(ours, connection, settings, volume, run, progress)
        progress.start(catalog.counts(connection)["images"], "merge")
        try:
            _images(work)
            _places(work)
            if volume:
                _gone(work)
            _failures(work)
            _pairs(work)
            taken, _ = take_over(ours, catalog_decisions.decisions(connection))
            work.count("decisions", taken)
        finally:
            progress.finish()
    summary = MergeSummary(run_id=run, source=other.name, seconds=time.monotonic() - began, **work.counts)
    with ours.write() as writing:
        catalog.finish_run(writing, run, {**work.counts, "from": other.name, "volume": volume})
    snapshots.remember(ours, summary.run_id)
    return summary


def _images(work: _Merge) -> None:
    damaged = {image for image, _ in checksums.damaged_features(work.other)}
    bad = catalog_merge.keys_of(work.other, damaged)
    made = versions(work.settings)
    total = last = 0
    while True:
        images, last = catalog_merge.images_after(work.other, last, BATCH)
        if not last:
            break
        images = [image for image in images if image.key not in bad]
        with work.ours.write() as connection:
            _, added = catalog_images.put_images(connection, images, made, work.run)
        work.count("images", added)
        work.count("known", len(images) - added)
        total += len(images)
        work.progress.advance(len(images))
    work.count("undescribed", catalog.counts(work.other)["images"] - total)


def _places(work: _Merge) -> None:
    for rows in _batches(lambda last: catalog_merge.locations_after(work.other, last, BATCH)):
        moved = [replace(row, state=replace(row.state, path=work.place(row.state.path))) for row in rows]
        theirs = {
            new.state.path for old, new in zip(rows, moved, strict=True) if work.is_theirs(old.state.path)
        }  # by our paths
        with work.ours.write() as connection:
            ids = catalog_images.ids_of_content(connection, [row.key for row in moved])
            present = catalog_merge.present_places(connection, [(row.state.path, row.frame) for row in moved])
            chosen = [
                row
                for row in moved
                if row.key in ids
                and _is_news(
                    row,
                    ids[row.key],
                    present.get((row.state.path, row.frame)),
                    authority=row.state.path in theirs,
                )
            ]
            _put(work, connection, chosen, ids)


def _put(work: _Merge, connection: Transaction, rows: Sequence[Placed], ids: dict[tuple[bytes, int], int]) -> None:
    paths = list({row.state.path for row in rows})
    catalog_locations.put_locations(connection, [(r.state, r.frame, ids[r.key]) for r in rows], work.run)
    catalog_locations.mark(connection, [r.state.path for r in rows if r.missing], work.run, missing=True)
    catalog_locations.put_labels(connection, {r.state.path: r.label for r in rows if r.label is not None})
    catalog.clear_failures(connection, paths)
    work.count("places", len(rows))


def _is_news(row: Placed, image: int, present: PresentPlace | None, *, authority: bool) -> bool:
    """Whether a place of the other catalogue is new here, or its state counts more than ours."""
    if present is None:
        return True
    state = row.state
    same = (state.size, state.mtime_ns, state.inode, image) == (
        present.size,
        present.mtime_ns,
        present.inode,
        present.image_id,
    )
    if same:
        relabelled = row.label is not None and row.label != present.label
        return relabelled or (row.missing != present.missing and (authority or not row.missing))
    return authority or state.mtime_ns > present.mtime_ns


def _gone(work: _Merge) -> None:
    """Mark places of the volume that are no longer in the other catalogue; delete frames that files lost there."""
    root = Path(f"{work.volume}:")
    with work.ours.read() as connection:
        paths = [path for batch in catalog_locations.paths_under(connection, root) for path in batch]
    for batch in catalog.chunks(paths, BATCH):
        back = {path: Path("/", *path.parts[1:]) for path in batch}  # by their paths
        there = catalog_merge.frames_at(work.other, list(back.values()))
        there_at_all = {path for path, _ in there}
        failed = catalog_merge.failed_at(work.other, list(back.values()))
        with work.ours.write() as connection:
            gone = [path for path, theirs in back.items() if theirs not in there_at_all]
            ours = catalog_merge.frames_at(connection, [path for path in batch if path not in gone])
            lost = [(path, frame) for path, frame in ours if (back[path], frame) not in there]
            catalog_merge.drop_frames(connection, lost)
            work.count("missing", catalog_locations.mark(connection, gone, work.run, missing=True))
            catalog.clear_failures(connection, [path for path, theirs in back.items() if theirs not in failed])


def _failures(work: _Merge) -> None:
    for rows in _batches(lambda last: catalog_merge.failures_after(work.other, last, BATCH)):
        moved: list[tuple[FileState, Failure]] = []
        for state, failure in rows:
            path = work.place(state.path)
            moved.append((replace(state, path=path), replace(failure, path=path)))
        with work.ours.write() as connection:
            known = catalog_locations.known_files(connection, [state.path for state, _ in moved])
            taken = [
                new
                for old, new in zip(rows, moved, strict=True)
                if work.is_theirs(old[0].path)
                or (before := known.get(new[0].path)) is None
                or before.state.mtime_ns < new[0].mtime_ns
                or (before.failure is None and before.state == new[0])  # some frames of it
            ]
            catalog.put_failures(connection, taken, work.run)
        work.count("failures", len(taken))


def _pairs(work: _Merge) -> None:
    after = (0, 0)
    while True:
        rows, last = catalog_merge.pairs_after(work.other, after, BATCH)
        if last is None:
            return
        after = last
        good = [row for row in rows if row[2].version == VERSION and row[2].score >= work.settings.threshold]
        work.count("pairs_left", len(rows) - len(good))
        with work.ours.write() as connection:
            keys = list({key for a, b, _, _ in good for key in (a, b)})
            ids = catalog_images.ids_of_content(connection, keys)
            known = catalog_pairs.known_pairs(connection, sorted(ids.values()))
            new = [
                (ids[a], ids[b], verification)
                for a, b, verification, _ in good
                if a in ids and b in ids and (ids[a], ids[b]) not in known
            ]
            work.count("pairs", catalog_pairs.put_pairs(connection, new, work.run))
            proofs = [
                replace(proof, a=ids[a], b=ids[b])
                for a, b, _, proof in good
                if proof is not None and a in ids and b in ids and _is_worth_keeping(proof)
            ]
            ours = {
                (one.a, one.b)
                for one in catalog_proofs.rows_among(connection, [(one.a, one.b) for one in proofs])
                if _is_worth_keeping(one)
            }
            catalog_proofs.put_proofs(connection, [one for one in proofs if (one.a, one.b) not in ours], work.run)


def _is_worth_keeping(proof: StoredProof) -> bool:
    """Whether a proof has an outcome and is of this version; others are made here."""
    return proof.proof.version == PROOF_VERSION and proof.proof.outcome is not Outcome.NONE


def _batches(read: Callable[[int], tuple[list[_Row], int]]) -> Iterator[list[_Row]]:
    last = 0
    while True:
        rows, last = read(last)
        if not last:
            return
        yield rows
