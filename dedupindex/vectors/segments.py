"""Vector files: written aside, synced, digested and only then put in place; read only when the digest agrees.

FAISS's own ``write_index`` writes in place, without sync and without checksum: killed half-way it leaves an unreadable
file, on a full disk it may report success, and a flipped bit may load and give wrong answers. So we write the bytes of
``serialize_index`` ourselves, and keep their SHA-256 in the database.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dedupindex import durable
from dedupindex.errors import VectorIndexError
from dedupindex.records import CodeArray
from dedupindex.vectors.cells import SPEC, Cells
from dedupindex.vectors.hits import Ids

PREFIX, SUFFIX, TEMPORARY = "segment-", ".faiss", ".tmp-"
_COPYING = f".{PREFIX}"  # an unfinished copy: its name ends in the number of its process
_ROWS = 1 << 16  # digested at once
STRAY_AGE = 600.0  # seconds; younger unknown files may belong to a writer that has not committed yet


@dataclass(frozen=True, slots=True)
class SealedFile:
    """The facts by which a vector file is checked before it is used."""

    file: str
    rows: int  # image ids it answers for, those with equal vectors included
    generation: int
    fingerprint: str
    row_digest: str
    sha256: str
    spec: str
    twins: bytes  # int64 pairs: image id, key of the equal vector in the file


def row_digest(ids: Ids, descriptors: CodeArray, rows: Ids | None = None) -> str:
    """SHA-256 over image ids (N,) and their descriptors, ordered by id.

    Parameters
    ----------
    ids : (N,) int64
    descriptors : (M, D) int8
    rows : (N,) int64, optional
        Row of the descriptor of each image; by default in the order of *ids*.

    Returns
    -------
    str
        Hexadecimal.
    """
    order = np.argsort(ids, kind="stable")
    digest = hashlib.sha256(np.ascontiguousarray(ids[order]).tobytes())
    rows = order if rows is None else rows[order]
    for start in range(0, len(rows), _ROWS):
        digest.update(descriptors[rows[start : start + _ROWS]].tobytes())
    return digest.hexdigest()


def write_cells(directory: Path, cells: Cells) -> tuple[str, str]:
    """Write a sealed block: `write_sealed`."""
    return write_sealed(directory, cells.serialise(), SUFFIX)


def write_sealed(directory: Path, data: bytes, suffix: str) -> tuple[str, str]:
    """Write a sealed file so that a crash at any moment leaves either nothing or all of it.

    No two files have the same name, even with the same content: another process may be removing its own.

    Parameters
    ----------
    directory : Path
        Made when it is missing, for its owner alone.
    data : bytes
    suffix : str
        Of the name.

    Returns
    -------
    file, sha256 : str
        Name inside *directory*, and digest.

    Raises
    ------
    VectorIndexError
        The disk is full, or the folder cannot be written.
    """
    digest = hashlib.sha256(data).hexdigest()
    name = f"{PREFIX}{digest[:16]}-{secrets.token_hex(4)}{suffix}"
    try:
        durable.make_private_folder(directory)
        durable.write_whole(directory / name, data, aside=directory / f"{TEMPORARY}{os.getpid()}-{name}")
    except OSError as error:
        raise VectorIndexError(
            f"cannot write {directory / name} ({len(data)} bytes): {error.strerror or error}"
        ) from error
    return name, digest


def read_cells(directory: Path, sealed: SealedFile, dimensions: int) -> Cells:
    """Read a sealed block back.

    Parameters
    ----------
    directory : Path
        Folder of the vector files.
    sealed : SealedFile
        What the database has of the file.
    dimensions : int
        Expected length of the vectors.

    Returns
    -------
    Cells

    Raises
    ------
    VectorIndexError
        It is missing, damaged, or of another kind than this program makes.
    """
    path = directory / sealed.file
    if Path(sealed.file).name != sealed.file:
        raise VectorIndexError(f"{sealed.file!r} is no plain file name")
    if sealed.spec != SPEC:
        raise VectorIndexError(f"{path}: is {sealed.spec}, this program makes {SPEC}")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise VectorIndexError(f"{path}: {error.strerror or error}") from error
    if hashlib.sha256(data).hexdigest() != sealed.sha256:
        raise VectorIndexError(f"{path}: its digest is not the one in the database")
    cells = Cells.parse(data)
    if cells.dimensions != dimensions:
        raise VectorIndexError(f"{path}: vectors have {cells.dimensions} dimensions, expected {dimensions}")
    return cells


def copy_file(source: Path, target: Path, name: str, sha256: str) -> None:
    """Copy a sealed file from one folder into another, unless it is there already.

    Parameters
    ----------
    source, target : Path
        Folders; *target* is made when it is missing.
    name : str
        A plain file name.
    sha256 : str
        Expected digest of the file, hexadecimal.

    Raises
    ------
    VectorIndexError
        The file is missing or damaged.
    OSError
        The target cannot be written.
    """
    if Path(name).name != name:
        raise VectorIndexError(f"{name!r} is no plain file name")
    try:
        with (target / name).open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() == sha256:
                return
    except OSError:
        pass
    if not (source / name).is_file():
        raise VectorIndexError(f"{source / name}: there is no such file")
    durable.make_private_folder(target)
    try:
        durable.copy_whole(source / name, target / name, sha256)
    except ValueError as error:
        raise VectorIndexError(str(error)) from error


def receive_file(directory: Path, name: str, sha256: str, data: Iterable[bytes]) -> None:
    """Put a sealed file in place from the pieces in which another host stored it.

    Parameters
    ----------
    directory : Path
        Made when it is missing.
    name : str
        A plain file name.
    sha256 : str
        Expected digest of the file, hexadecimal.
    data : iterable of bytes
        The pieces in order.

    Raises
    ------
    VectorIndexError
        The pieces are not those of that file, or the folder cannot be written.
    """
    if Path(name).name != name:
        raise VectorIndexError(f"{name!r} is no plain file name")
    try:
        durable.make_private_folder(directory)
        durable.put_together(data, directory / name, sha256, source=f"{name} as it was sent")
    except ValueError as error:
        raise VectorIndexError(str(error)) from error
    except OSError as error:
        raise VectorIndexError(f"cannot write {directory / name}: {error.strerror or error}") from error


def strays_after(directory: Path, known: Collection[str]) -> list[Path]:
    """All sealed files except the *known* ones, and leftovers of dead writers. Only where no other process writes."""
    left = strays(directory, known)
    sealed = directory.glob(f"{PREFIX}*{SUFFIX}") if directory.is_dir() else []
    return sorted({*left, *(path for path in sealed if path.name not in known)})


def strays(directory: Path, known: Collection[str], suffix: str = SUFFIX) -> list[Path]:
    """Files that nobody will read: leftovers of dead writers, and sealed files that the database does not know.

    Parameters
    ----------
    directory : Path
        Of the vector files.
    known : collection of str
        Names of the files that the database knows.
    suffix : str
        Of sealed files: those of the vector index and of the pieces index have different ones.

    Returns
    -------
    list of Path
    """
    left = []
    for path in sorted(directory.iterdir()) if directory.is_dir() else []:
        unfinished = path.name.startswith((TEMPORARY, _COPYING))
        ours = unfinished or (path.name.startswith(PREFIX) and path.name.endswith(suffix))
        if not ours or path.name in known:
            continue
        try:
            old = time.time() - path.stat().st_mtime > STRAY_AGE
        except FileNotFoundError:
            continue
        if old or (unfinished and not _is_running(path.name)):
            left.append(path)
    return left


def sweep(directory: Path, known: Collection[str], suffix: str = SUFFIX) -> list[Path]:
    """Remove `strays`.

    Parameters
    ----------
    directory : Path
    known : collection of str
    suffix : str
        As for `strays`.

    Returns
    -------
    list of Path
        What was removed.
    """
    removed = strays(directory, known, suffix)
    for path in removed:
        durable.remove(path)
    return removed


def _is_running(name: str) -> bool:
    pid = name.removeprefix(TEMPORARY).partition("-")[0] if name.startswith(TEMPORARY) else name.rpartition("-")[2]
    if not pid.isdecimal():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
