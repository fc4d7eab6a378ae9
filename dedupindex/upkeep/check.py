"""Looks for damage: compares rows with rows, vector files with rows, and on request picture files with rows."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from dedupindex.errors import ReadError, Reason, StoreError, VectorIndexError
from dedupindex.execution.contained import within_limits
from dedupindex.execution.progress import SILENT, Progress
from dedupindex.features import DESCRIPTOR_DIMENSIONS, unit, unpack
from dedupindex.features.packing import shows_picture, with_black_picture
from dedupindex.places import is_local, shards_above, text_of, volume_of
from dedupindex.records import Problem
from dedupindex.records.problems import ProblemCode
from dedupindex.search.vector_cache import VectorCache, load_segment
from dedupindex.settings import Settings
from dedupindex.sources import read_bytes
from dedupindex.sources.reasons import plain
from dedupindex.store import (
    catalog,
    catalog_images,
    catalog_locations,
    catalog_pairs,
    catalog_pieces,
    catalog_proofs,
    checksums,
)
from dedupindex.store.database import Database
from dedupindex.store.rows import FileState, SegmentRow
from dedupindex.vectors import VectorIndex, row_digest, strays
from dedupindex.vectors.piece_segments import SUFFIX as PIECES_SUFFIX
from dedupindex.vectors.piece_segments import lists_digest, read_lists
from dedupindex.verify.verification import VERSION

TOLERANCE = 0.02  # difference between a component of a unit vector in 8 bits and the exact one
ASKED, NEAREST, NEAR = 100, 10, 0.5  # images that are searched for; neighbours of each, within this distance
ENOUGH = 0.95  # least share of near neighbours that the index has to find
_LOAD = 20_000
NOTHING_SAID = "a value of another kind than it must have"


def check(database: Database, fingerprint: str, *, deep: bool = False, progress: Progress = SILENT) -> list[Problem]:
    """Look for damage and disagreement; changes nothing.

    Parameters
    ----------
    database : Database
    fingerprint : str
        Of the settings in force.
    deep : bool
        Also let the database check every page, unpack every feature, and hash every file again. Where all is well so
        far, also compare the answers of the index for a sample of images with an exhaustive search.
    progress : Progress
        Told of features and files.

    Returns
    -------
    list of Problem
        Empty when all is well. `repairable` ones go away with ``dedupindex rebuild`` or the next ``ingest``.
    """
    looks: list[Callable[[], Iterable[Problem]]] = [
        lambda: _rows(database, fingerprint),
        lambda: _vectors(database, fingerprint),
        lambda: _pieces(database, fingerprint),
    ]
    if deep:
        looks += [
            lambda: [Problem(ProblemCode.DATABASE_DAMAGED, words, False) for words in database.integrity()],
            lambda: _features(database, progress),
            lambda: _pairs(database),
            lambda: _proofs(database),
            lambda: _parts(database),
            lambda: _files(database, progress),
            lambda: [] if problems else _answers(database, fingerprint),
        ]
    problems: list[Problem] = []
    for look in looks:
        try:
            problems += look()
        except StoreError as error:
            problems.append(Problem(ProblemCode.DATABASE_DAMAGED, str(error), False))
        except Exception as error:  # a row without meaning: damage that the database itself cannot see
            problems.append(
                Problem(
                    ProblemCode.DATABASE_DAMAGED,
                    f"a row of it means nothing: {plain(str(error)) or NOTHING_SAID}",
                    False,
                )
            )
    return problems


def _rows(database: Database, fingerprint: str) -> Iterator[Problem]:
    with database.read() as connection:
        stored = catalog.get_meta(connection, "fingerprint")
        if stored is not None and stored != fingerprint:
            yield Problem(
                ProblemCode.OTHER_SETTINGS,
                "features were made with other settings; run `dedupindex rebuild --describe`",
            )
        for name, number in catalog.orphans(connection).items():
            yield Problem(ProblemCode(name), f"{number} rows", False)
        if number := catalog_proofs.without_pair(connection):
            yield Problem(ProblemCode.PROOFS_WITHOUT_PAIR, f"{number} rows", False)
        wanted = catalog_images.indexable_ids(connection)
        for start in range(0, len(wanted), _LOAD):
            batch = wanted[start : start + _LOAD]
            ids, rows = catalog_images.descriptors(connection, batch, DESCRIPTOR_DIMENSIONS)
            for image in np.setdiff1d(batch, ids).tolist():
                yield Problem(ProblemCode.NO_DESCRIPTOR, f"image {image}")
            for image in ids[~rows.any(axis=1)].tolist():
                yield Problem(ProblemCode.EMPTY_DESCRIPTOR, f"image {image}")


def _pieces(database: Database, fingerprint: str) -> Iterator[Problem]:
    """Files of the pieces index that cannot be used; it is made again from the database then."""
    with database.read() as connection:
        segments = catalog_pieces.piece_segments(connection)
    for path in strays(database.vectors, {segment.file for segment in segments}, PIECES_SUFFIX):
        yield Problem(ProblemCode.LEFTOVER_FILE, str(path))
    for segment in segments:
        if segment.fingerprint != fingerprint:
            yield Problem(ProblemCode.VECTOR_FILE_OF_OTHER_SETTINGS, segment.file)
            continue
        try:
            lists = read_lists(database.vectors, segment.file, segment.sha256)
        except VectorIndexError as error:
            yield Problem(ProblemCode.VECTOR_FILE_UNUSABLE, str(error))
            continue
        if lists_digest(lists) != segment.row_digest or len(lists.images) != segment.images:
            yield Problem(ProblemCode.VECTOR_FILE_UNUSABLE, f"{segment.file}: holds other rows than its record says")


def _vectors(database: Database, fingerprint: str) -> Iterator[Problem]:
    directory = database.vectors
    with database.read() as connection:
        segments = catalog.segments(connection)
        wanted = catalog_images.indexable_ids(connection)
    for path in strays(directory, {segment.file for segment in segments}):
        yield Problem(ProblemCode.LEFTOVER_FILE, str(path))
    index = VectorIndex(DESCRIPTOR_DIMENSIONS)
    for segment in segments:
        if segment.fingerprint != fingerprint:
            yield Problem(ProblemCode.VECTOR_FILE_OF_OTHER_SETTINGS, segment.file)
            continue
        try:
            before = index.ids()
            with database.read() as connection:
                load_segment(database, connection, index, segment)
        except (VectorIndexError, ValueError) as error:
            yield Problem(ProblemCode.VECTOR_FILE_UNUSABLE, str(error))
            continue
        own = np.setdiff1d(index.ids(), before, assume_unique=True)
        yield from _compare(database, segment, index, own, wanted)


def _compare(
    database: Database,
    segment: SegmentRow,
    index: VectorIndex,
    own: np.typing.NDArray[np.int64],
    wanted: np.typing.NDArray[np.int64],
) -> Iterator[Problem]:
    """Compare ids and vectors of a sealed file with the database. Images deleted since are no problem."""
    with database.read() as connection:
        parts = [
            catalog_images.descriptors(connection, own[start : start + _LOAD], DESCRIPTOR_DIMENSIONS)
            for start in range(0, len(own), _LOAD)
        ]
    ids = np.concatenate([part[0] for part in parts])
    rows = np.concatenate([part[1] for part in parts])
    if len(np.setdiff1d(own, wanted)) == 0 and row_digest(ids, rows) != segment.row_digest:
        yield Problem(ProblemCode.VECTOR_FILE_BEHIND, f"{segment.file} was made from other descriptors")
    keys, vectors = index.sealed_vectors()[-1]
    both, at_keys, at_ids = np.intersect1d(keys, ids, return_indices=True)
    wrong = np.abs(vectors[at_keys] - unit(rows[at_ids])).max(axis=1, initial=0) > TOLERANCE
    for image in both[wrong].tolist()[:20]:
        yield Problem(ProblemCode.WRONG_VECTOR, f"image {image} in {segment.file}")


def _parts(database: Database) -> Iterator[Problem]:
    """Check the vector files that a shared database holds for other hosts."""
    if not database.shared:
        return
    with database.read() as connection:
        for segment in catalog.segments(connection):
            digest = hashlib.sha256()
            for part in catalog.parts(connection, segment.id):
                digest.update(part)
            if digest.hexdigest() != segment.sha256:
                yield Problem(
                    ProblemCode.VECTOR_FILE_UNUSABLE, f"the copy of {segment.file} in the database is damaged"
                )


def _answers(database: Database, fingerprint: str) -> Iterator[Problem]:
    """Compare the neighbours that the index finds for a sample of images with an exhaustive search."""
    index = VectorCache(database, fingerprint).current()
    with database.read() as connection:
        wanted = catalog_images.indexable_ids(connection)
        chosen = wanted[:: max(1, len(wanted) // ASKED)][:ASKED]
        _, rows = catalog_images.descriptors(connection, chosen, DESCRIPTOR_DIMENSIONS)
        asked = unit(rows[rows.any(axis=1)])
        near: list[list[float]] = [[] for _ in asked]
        for start in range(0, len(wanted), _LOAD):
            _, rows = catalog_images.descriptors(connection, wanted[start : start + _LOAD], DESCRIPTOR_DIMENSIONS)
            for nearest, distances in zip(near, 1 - asked @ unit(rows).T, strict=True):
                nearest += distances[distances <= NEAR].tolist()
    answers = index.search(asked, NEAR + 2 * TOLERANCE, NEAREST)  # its distances are a little less exact
    total = hits = 0
    for distances, answer in zip(near, answers, strict=True):
        due = sorted(distances)[:NEAREST]
        total += len(due)
        if due:  # compared by distance, not by id: at equal distances any image is right
            hits += int((answer.distances[: len(due)] <= due[-1] + TOLERANCE).sum())
    if hits < ENOUGH * total:
        yield Problem(
            ProblemCode.INDEX_MISSES, f"the index finds {hits} of {total} near neighbours of {len(near)} images"
        )


def _features(database: Database, progress: Progress) -> Iterator[Problem]:
    progress.start(None, "features")
    with database.read() as connection:
        for number, name in checksums.damaged_features(connection):
            yield Problem(ProblemCode.DAMAGED_FEATURE, f"image {number}: {name} is not what was written", False)
        hashes = catalog.is_hash_only(connection)
        for image in catalog_images.all_images(connection, 200):
            try:
                parts = catalog_images.features(connection, [image.id], as_they_are=True).get(image.id, {})
                features = unpack(parts if shows_picture(parts) or not hashes else with_black_picture(parts))
            except (KeyError, ValueError, TypeError, IndexError, struct.error, zlib.error) as error:
                yield Problem(
                    ProblemCode.DAMAGED_FEATURE,
                    f"image {image.id}: its features mean nothing: {plain(str(error)) or NOTHING_SAID}",
                    False,
                )
                continue
            if features.low_information != image.low_information:
                yield Problem(ProblemCode.DAMAGED_FEATURE, f"image {image.id}: disagrees on low information")
            progress.advance(1)
    progress.finish()


def _pairs(database: Database) -> Iterator[Problem]:
    """Check that every pair can be read, has values within their bounds, and was confirmed by the rule in force."""
    others = 0
    with database.read() as connection:
        for pair in catalog_pairs.pairs(connection):
            verification = pair.verification
            others += verification.version != VERSION
            if not (0 <= verification.score <= 1 and np.isfinite(verification.registration.matrix).all()):
                words = f"images {pair.a.id} and {pair.b.id}: score {verification.score}"
                words += f", matrix {verification.registration.matrix}"
                yield Problem(ProblemCode.DAMAGED_PAIR, words, False)
    if others:
        words = f"{others} pairs were confirmed by another rule than {VERSION}; in a new database they are asked again"
        yield Problem(ProblemCode.PAIRS_OF_ANOTHER_RULE, words, False)


def _proofs(database: Database) -> Iterator[Problem]:
    """Check that every proof can be read, with values within their bounds."""
    with database.read() as connection:
        for row in catalog_proofs.all_proofs(connection):
            where = f"images {row['a']} and {row['b']}"
            try:
                proof = catalog_proofs.proof_of(row)
            except (ValueError, TypeError) as error:
                yield Problem(ProblemCode.DAMAGED_PROOF, f"{where}: {error}", False)
                continue
            if not (0 <= proof.changed <= 1 and np.isfinite(proof.matrix).all()):
                yield Problem(
                    ProblemCode.DAMAGED_PROOF, f"{where}: changed {proof.changed}, matrix {proof.matrix}", False
                )


def _files(database: Database, progress: Progress) -> Iterator[Problem]:
    progress.start(None, "files")
    with database.read() as connection:
        for state, sha256, _ in catalog_locations.states(connection):
            progress.advance(1)
            if volume_of(state.path):
                continue  # on another machine: it cannot be read here
            try:
                digest = _digest(state)
            except ReadError as error:
                missing = error.reason is Reason.MISSING
                words = text_of(state.path) if missing else f"{text_of(state.path)}: {error.detail}"
                yield Problem(ProblemCode.FILE_MISSING if missing else ProblemCode.FILE_UNREADABLE, words)
            except ValueError as error:  # a zero byte in a path
                yield Problem(ProblemCode.DATABASE_DAMAGED, f"{state.path}: {error}", False)
            except FileNotFoundError:
                yield Problem(ProblemCode.FILE_MISSING, str(state.path))
            except OSError as error:
                yield Problem(ProblemCode.FILE_UNREADABLE, f"{state.path}: {error.strerror or error}")
            else:
                if digest != sha256:
                    yield Problem(ProblemCode.FILE_CHANGED, f"{state.path}: other content than when it was ingested")
    progress.finish()


def _digest(state: FileState) -> bytes:
    if shards_above(state.path):
        return within_limits(Settings(), state.path, _read_digest, state)
    if not is_local(state.path):
        return _read_digest(state)
    with state.path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _read_digest(state: FileState) -> bytes:
    data, _ = read_bytes(state.path, state.size + 1)  # one more byte, to notice that it grew
    return hashlib.sha256(data).digest()
