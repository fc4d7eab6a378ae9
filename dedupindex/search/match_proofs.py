"""Matches of a query picture, proven from the files."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedupindex.errors import ReadError
from dedupindex.execution.contained import within_limits
from dedupindex.execution.limits import limits_of
from dedupindex.execution.pool import Pool
from dedupindex.execution.tasks import ProofFile, ProofResult, ProofTask
from dedupindex.ingest.query_pictures import NOWHERE, frame_of_array
from dedupindex.places import absolute
from dedupindex.records import Match, Outcome, Proof
from dedupindex.records.proofs import DIRECT
from dedupindex.search.proof_reading import proof_picture_of
from dedupindex.search.proof_stages import proofs_died, prove_pairs, prove_with, unreached
from dedupindex.search.proving import file_of
from dedupindex.settings import ProofMode, Settings
from dedupindex.sources import parse_address
from dedupindex.store import catalog_images
from dedupindex.store.database import Database
from dedupindex.store.rows import NewImage
from dedupindex.verify.proof.picture import MOST_SIDE

QUERY = 0  # id of the query picture; ids of stored images begin at 1


def prove_matches(
    database: Database,
    settings: Settings,
    picture: str | os.PathLike[str] | NDArray[Any],
    image: NewImage,
    matches: Sequence[Match],
) -> list[Match]:
    """Return the matches of a picture with their proofs, without those that are proven to be other pictures.

    Parameters
    ----------
    database : Database
    settings : Settings
    picture : path, address or array
        The query.
    image : NewImage
        Its description.
    matches : sequence of Match
        As `candidates.query` gives them.

    Returns
    -------
    list of Match
    """
    if settings.proof is not ProofMode.FULL:
        return list(matches)
    if isinstance(picture, np.ndarray):
        return _prove_array(database, settings, picture, matches)
    path, number = parse_address(os.fspath(picture))
    task = task_of(database, settings, absolute(path), image, matches, alone=number is not None)
    if task is None:
        return list(matches)
    with Pool(prove_pairs, died=proofs_died, workers=1, limits=limits_of(settings)) as pool:
        [[result]] = pool.map([[task]])
    return with_proofs(matches, result)


def task_of(
    database: Database,
    settings: Settings,
    path: Path,
    image: NewImage,
    matches: Sequence[Match],
    *,
    alone: bool = False,
) -> ProofTask | None:
    """The task for a worker that proves the matches of a file; None where nothing has to be proven.

    Parameters
    ----------
    database : Database
    settings : Settings
    path : Path
        Where the file is now.
    image : NewImage
        Its description.
    matches : sequence of Match
        As `candidates.query` gives them.
    alone : bool
        The query is a single frame of the file.

    Returns
    -------
    ProofTask or None
    """
    open_matches = [match for match in matches if not DIRECT.intersection(match.verification.relations)]
    if not open_matches:
        return None
    whole = not alone and image.frame_count > 1 and image.format in catalog_images.ANIMATED
    asked = ProofFile(QUERY, image.sha256, image.frame, image.frame_count, whole, image.height, image.width, (path,))
    pairs = tuple((QUERY, match.image.id, match.verification.registration.matrix) for match in open_matches)
    return ProofTask((asked, *_files(database, open_matches)), pairs, settings)


def with_proofs(matches: Sequence[Match], result: ProofResult, names: Mapping[str, str] | None = None) -> list[Match]:
    """Return matches with the proofs that were found, without those that are proven to be other pictures.

    Parameters
    ----------
    matches : sequence of Match
    result : ProofResult
    names : mapping of str to str
        Replacements for paths in the reasons.

    Returns
    -------
    list of Match
    """
    proofs = {b: proof for _, b, proof in result.proofs}
    proofs |= {b: unreached(result.reason, matrix) for _, b, matrix in result.lost}
    for place, name in (names or {}).items():
        proofs = {
            image: dataclasses.replace(proof, reason=proof.reason.replace(place, name))
            for image, proof in proofs.items()
        }
    return _kept(matches, proofs)


def _prove_array(database: Database, settings: Settings, pixels: NDArray[Any], matches: Sequence[Match]) -> list[Match]:
    open_matches = [match for match in matches if not DIRECT.intersection(match.verification.relations)]
    if not open_matches:
        return list(matches)
    picture = proof_picture_of(frame_of_array(pixels), settings, side=MOST_SIDE)
    files = {file.image: file for file in _files(database, open_matches)}
    proofs = {}
    for match in open_matches:
        file, matrix = files[match.image.id], match.verification.registration.matrix
        place = next(iter(file.places), NOWHERE)
        try:
            proofs[file.image] = within_limits(settings, place, prove_with, picture, file, matrix, settings)
        except ReadError as error:
            proofs[file.image] = unreached(str(error), matrix)
    return _kept(matches, proofs)


def _kept(matches: Sequence[Match], proofs: Mapping[int, Proof]) -> list[Match]:
    proven = [dataclasses.replace(match, proof=proofs.get(match.image.id)) for match in matches]
    return [match for match in proven if match.proof is None or match.proof.outcome is not Outcome.DIFFERENT]


def _files(database: Database, matches: Sequence[Match]) -> list[ProofFile]:
    with database.read() as connection:
        animated = catalog_images.animations(connection, [match.image.id for match in matches])
    return [file_of(match.image, whole=match.image.id in animated) for match in matches]
