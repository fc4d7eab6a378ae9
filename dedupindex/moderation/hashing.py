"""Hashes of files and of stored pictures. Files are decoded in workers."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dedupindex.errors import ReadError, Reason
from dedupindex.execution.contained import within_limits
from dedupindex.execution.limits import limits_of
from dedupindex.execution.pool import Pool, Single
from dedupindex.execution.progress import Progress
from dedupindex.features import aim, probes
from dedupindex.ingest.describing import describe_frames
from dedupindex.moderation import pdq
from dedupindex.places import absolute, text_of
from dedupindex.records import DecodedFile, Failure, FloatArray, FoundFile
from dedupindex.records.banks import Signal, SignalKind
from dedupindex.settings import Settings
from dedupindex.sources import decode_file, is_candidate, parse_address, walk
from dedupindex.store import catalog_images
from dedupindex.store.database import Database

AT_ONCE = 256  # images of one transaction


@dataclass(frozen=True, slots=True)
class Hashed:
    """The hashes of a picture, and the probes by which its descriptor is searched for, (P, 384) float32."""

    signals: tuple[Signal, ...]
    probes: FloatArray


@dataclass(frozen=True, slots=True)
class _Task:
    """A frame of a file to hash; *sha256*: of the content that must be there, b"" = any."""

    path: Path
    frame: int | None
    settings: Settings
    image: int = 0
    sha256: bytes = b""


@dataclass(frozen=True, slots=True)
class _Result:
    image: int
    path: Path
    signal: Signal | None = None
    failure: Failure | None = None


def hash_file(address: str, settings: Settings, signature: str) -> Hashed:
    """PDQ and descriptor of a file, or of one frame of it.

    Parameters
    ----------
    address : str
        A path, or ``path#frame=12``.
    settings : Settings
    signature : str
        Fingerprint of all that shapes the descriptor.

    Returns
    -------
    Hashed

    Raises
    ------
    ReadError
        It cannot be read as a picture.
    SettingsError
        pdqhash is not installed.
    """
    pdq.require_pdqhash()
    path, number = parse_address(address)
    return within_limits(settings, absolute(path), _hash_file, absolute(path), number, settings, signature)


def _hash_file(path: Path, number: int | None, settings: Settings, signature: str) -> Hashed:
    frame = _decoded(path, number, settings).frames[0]
    [(_, features)] = describe_frames([frame], settings)
    own = Signal(SignalKind.DESCRIPTOR, features.descriptor.tobytes(), signature=signature)
    [wanted] = probes([aim(features, settings.profile)])
    return Hashed((pdq.pdq_of(frame), own), wanted)


def _decoded(path: Path, number: int | None, settings: Settings) -> DecodedFile:
    """A file with the frame that is wanted alone, at full resolution: PDQ of a reduced JPEG is another one."""
    decoded = decode_file(path, settings, min_side=None, frame=number)
    frames = [frame for frame in decoded.frames if number in (None, frame.number)]
    if not frames:
        raise ReadError(path, Reason.NO_VALID_PIXELS, f"there is no frame {number}")
    return dataclasses.replace(decoded, frames=(frames[0],))


def _hash_all(tasks: Sequence[_Task]) -> list[_Result]:
    return [_hashed(task) for task in tasks]


def _hashed(task: _Task) -> _Result:
    try:
        decoded = _decoded(task.path, task.frame, task.settings)
    except ReadError as error:
        return _Result(task.image, task.path, failure=Failure(error.path, error.reason, error.detail))
    if task.sha256 and decoded.sha256 != task.sha256:
        return _Result(task.image, task.path, failure=Failure(task.path, Reason.MISSING, "was changed since"))
    return _Result(task.image, task.path, pdq.pdq_of(decoded.frames[0]))


def _died(task: _Task, reason: Reason) -> _Result:
    return _Result(task.image, task.path, failure=Failure(task.path, reason, "the worker ended"))


def pictures_in(paths: Sequence[Path], settings: Settings) -> list[Path]:
    """The files in folders that an ingest would read, and the files that are named; by path."""
    walked = walk(paths, mask_pattern=settings.mask_pattern)
    return [one.path for one in walked if isinstance(one, FoundFile) and is_candidate(one)]


def hash_files(
    paths: Iterable[Path], settings: Settings, progress: Progress, *, name: Callable[[Path], str] = text_of
) -> Iterator[Signal | Failure]:
    """Yield PDQ of the first frame of each file, and what could not be read; nothing is stored.

    Parameters
    ----------
    paths : iterable of Path
    settings : Settings
    progress : Progress
    name : callable
        Makes the id of a file.

    Raises
    ------
    SettingsError
        pdqhash is not installed.
    """
    tasks = [_Task(path, None, settings) for path in paths]
    for result in _results(tasks, settings, progress):
        if result.failure is not None:
            yield result.failure
        elif result.signal is not None:
            yield dataclasses.replace(result.signal, id=name(result.path))


def _results(tasks: Sequence[_Task], settings: Settings, progress: Progress) -> Iterator[_Result]:
    pdq.require_pdqhash()
    progress.start(len(tasks), "hashes")
    pool = Pool(_hash_all, died=_died, workers=settings.workers, limits=limits_of(settings), single=Single.SHARED)
    try:
        for results in pool.map([task] for task in tasks):
            progress.advance(len(results))
            yield from results
    finally:
        pool.close()
        progress.finish()


def stored_pdq(database: Database, settings: Settings, progress: Progress) -> tuple[list[Signal], list[Failure]]:
    """PDQ of every stored picture; those that are missing are made from the files, and stored.

    Parameters
    ----------
    database : Database
    settings : Settings
    progress : Progress

    Returns
    -------
    signals : list of Signal
        By id of the image; their id is the place of the picture.
    failures : list of Failure
        Pictures without a hash, whose file is not there or has changed.

    Raises
    ------
    SettingsError
        pdqhash is not installed.
    StoreError
    """
    with database.read() as connection:
        images = {image.id: image for image in catalog_images.all_images(connection) if image.locations}
        known = catalog_images.features(connection, images, (pdq.FEATURE,))
    signals = {number: pdq.unpacked(parts[pdq.FEATURE], "") for number, parts in known.items() if pdq.FEATURE in parts}
    failures: list[Failure] = []
    tasks: list[_Task] = []
    for number, image in images.items():
        if number in signals:
            continue
        place = next((one for one in image.locations if not one.missing), None)
        if place is None:
            failures.append(Failure(image.locations[0].path, Reason.MISSING, "the file is gone"))
        else:
            tasks.append(_Task(place.path, place.frame, settings, number, image.sha256))
    fresh: dict[int, Signal] = {}
    for result in _results(tasks, settings, progress):
        if result.failure is not None:
            failures.append(result.failure)
        elif result.signal is not None:
            fresh[result.image] = result.signal
        if len(fresh) >= AT_ONCE:
            _store(database, fresh)
            signals |= fresh
            fresh = {}
    _store(database, fresh)
    signals |= fresh
    named = [dataclasses.replace(signals[n], id=images[n].locations[0].address) for n in sorted(signals)]
    return named, failures


def _store(database: Database, signals: dict[int, Signal]) -> None:
    if not signals or database.read_only:
        return
    with database.write() as connection:
        there = catalog_images.described(connection, signals)
        parts = {number: {pdq.FEATURE: pdq.packed(signal)} for number, signal in signals.items() if number in there}
        catalog_images.put_features(connection, parts, {pdq.FEATURE: pdq.VERSION})


def stored_descriptors(database: Database, signature: str) -> list[Signal]:
    """The descriptors of the stored pictures, of those that can be found by one; by id of the image."""
    with database.read() as connection:
        images = {image.id: image for image in catalog_images.all_images(connection) if image.locations}
        parts = catalog_images.features(connection, images, (catalog_images.DESCRIPTOR,))
    signals = []
    for number in sorted(parts):
        data = parts[number].get(catalog_images.DESCRIPTOR, b"")
        if any(data):
            name = images[number].locations[0].address
            signals.append(Signal(SignalKind.DESCRIPTOR, data, os.fspath(name), None, signature))
    return signals
