"""Compare the files of a plan with it, and with their keepers, just before they are acted upon."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from dedupindex.actions import file_access
from dedupindex.actions.file_access import Surprise
from dedupindex.actions.merging import is_as_left
from dedupindex.actions.renewed_proof import Prover, require_proof
from dedupindex.errors import DedupIndexError
from dedupindex.groups.unit_files import UnitFinder
from dedupindex.records.plans import PlanItem, PlannedCompanion, PlannedFile

_KEPT = "to be kept: "


@contextlib.contextmanager
def compared(item: PlanItem, prover: Prover | None) -> Iterator[tuple[os.stat_result, os.stat_result, int]]:
    """Open both files and compare them with the plan and with each other; they stay open while it is acted upon.

    Parameters
    ----------
    item : PlanItem
    prover : callable or None
        Compares the files of a near-duplicate as pictures.

    Yields
    ------
    file, keeper : stat_result
    descriptor : int
        Of the file.

    Raises
    ------
    Surprise
    """
    with (
        file_access.opened(item.keeper.path, _KEPT) as (kept, keeper),
        file_access.opened(item.file.path) as (descriptor, status),
    ):
        if file_access.identity(status) == file_access.identity(keeper):
            raise Surprise(f"{item.file.path}: is the same file as {item.keeper.path}")
        for seen, planned, words in ((status, item.file, ""), (keeper, item.keeper, _KEPT)):
            if (seen.st_size, seen.st_mtime_ns) != (planned.size, planned.mtime_ns):
                raise Surprise(f"{words}{planned.path}: has changed since the plan was made")
        digests = [hashlib.sha256(), hashlib.sha256()]
        if item.exact:
            _compare(kept, descriptor, item, digests[0], digests[1])
        else:
            for digest, source in zip(digests, (kept, descriptor), strict=True):
                while data := os.read(source, file_access.CHUNK):
                    digest.update(data)
        for digest, planned, words in zip(digests, (item.keeper, item.file), (_KEPT, ""), strict=True):
            if digest.hexdigest() != planned.sha256:
                raise Surprise(f"{words}{planned.path}: its content is not the planned one")
        if not item.exact and not item.chosen:  # of a chosen one the content was decided on, which the digests show
            _prove_again(item, prover)
        for path, seen, words in ((item.file.path, status, ""), (item.keeper.path, keeper, _KEPT)):
            now = file_access.look(path)
            if now is None or file_access.state(now) != file_access.state(seen):
                raise Surprise(f"{words}{path}: changed while it was read")
        yield status, keeper, descriptor


def _compare(kept: int, descriptor: int, item: PlanItem, first: hashlib._Hash, second: hashlib._Hash) -> None:
    """Read two files side by side; every byte has to agree."""
    while True:
        one, other = os.read(kept, file_access.CHUNK), os.read(descriptor, file_access.CHUNK)
        if one != other:
            raise Surprise(f"{item.file.path}: differs from {item.keeper.path}")
        if not one:
            return
        first.update(one)
        second.update(other)


def _prove_again(item: PlanItem, prover: Prover | None) -> None:
    """Compare the pictures again. Their digests show that the files read here are those that are open.

    Raises
    ------
    Surprise
    """
    if prover is None:
        raise Surprise(f"{item.file.path}: cannot be compared with {item.keeper.path} again here")
    try:
        proof = prover(item)
    except DedupIndexError as error:
        raise Surprise(f"{item.file.path}: cannot be compared with {item.keeper.path} again: {error}") from error
    require_proof(item, proof)


@contextlib.contextmanager
def compared_companion(
    companion: PlannedCompanion,
    file: PlannedFile,
    keeper: os.stat_result,
    written: Callable[[Path], tuple[str, str] | None],
) -> Iterator[tuple[os.stat_result, os.stat_result, int]]:
    """Open a companion and its equal beside the keeper, and compare both with the plan.

    Parameters
    ----------
    companion : PlannedCompanion
    file : PlannedFile
        The companion as it was when the plan was made.
    keeper : stat_result
        Of the copy that is kept, for a companion without an equal.
    written : callable
        `Journal.written`: a sidecar that is the companion's equal may have been added to since.

    Yields
    ------
    file, keeper : stat_result
        Of the companion, and of its equal or the keeper.
    descriptor : int
        Of the companion.

    Raises
    ------
    Surprise
    """
    with file_access.opened(file.path) as (descriptor, status):
        _as_planned(descriptor, status, file, "")
        if companion.equal is None:
            yield status, keeper, descriptor
            return
        with file_access.opened(companion.equal.path, _KEPT) as (kept, equal):
            if file_access.identity(status) == file_access.identity(equal):
                raise Surprise(f"{file.path}: is the same file as {companion.equal.path}")
            changed = written(companion.equal.path)
            if changed is None:
                _as_planned(kept, equal, companion.equal, _KEPT)
            elif not is_as_left(file_access.digest_of(kept), companion.equal.sha256, changed):
                raise Surprise(f"{_KEPT}{companion.equal.path}: its content is not the planned one")
            yield status, equal, descriptor


def _as_planned(descriptor: int, status: os.stat_result, planned: PlannedFile, words: str) -> None:
    if (status.st_size, status.st_mtime_ns) != (planned.size, planned.mtime_ns):
        raise Surprise(f"{words}{planned.path}: has changed since the plan was made")
    if file_access.digest_of(descriptor) != planned.sha256:
        raise Surprise(f"{words}{planned.path}: its content is not the planned one")
    now = file_access.look(planned.path)
    if now is None or file_access.state(now) != file_access.state(os.fstat(descriptor)):
        raise Surprise(f"{words}{planned.path}: changed while it was read")


def require_unit(item: PlanItem, finder: UnitFinder) -> None:
    """Refuse an item to which more belongs now than the plan says, or whose companions belong to others too.

    Parameters
    ----------
    item : PlanItem
    finder : UnitFinder
        Of the way in which the plan treats units.

    Raises
    ------
    Surprise
    """
    path = item.file.path
    planned = {companion.path for companion in item.companions}
    for companion in finder.companions(path):
        if companion.path not in planned and os.path.lexists(companion.path):
            raise Surprise(f"{companion.path}: belongs to {path} and is not in the plan; make the plan again")
    for going in item.going:
        others = _others(finder.owners(going.path), path)
        if others:
            raise Surprise(f"{going.path}: belongs to {others[0]} too, which is still there")


def _others(owners: Sequence[Path], path: Path) -> list[Path]:
    return [owner for owner in owners if owner != path and os.path.lexists(owner)]
