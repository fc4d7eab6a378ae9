"""Archives of every kind that is read, made of (name, bytes) members."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

Members = Sequence[tuple[str, bytes]]


def tar_of(members: Members) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, data in members:
            item = tarfile.TarInfo(name)
            item.size = len(data)
            archive.addfile(item, io.BytesIO(data))
    return stream.getvalue()


def zip_of(members: Members, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return stream.getvalue()


def seven_of(members: Members, **options: object) -> bytes:
    py7zr = pytest.importorskip("py7zr")
    stream = io.BytesIO()
    with py7zr.SevenZipFile(stream, "w", **options) as archive:
        for name, data in members:
            archive.writestr(data, name)
    return stream.getvalue()


def zstd_of(data: bytes) -> bytes:
    return bytes(pytest.importorskip("zstandard").ZstdCompressor().compress(data))


KINDS = {
    "zip": lambda members: zip_of(members),
    "cbz": lambda members: zip_of(members, zipfile.ZIP_STORED),
    "bzipped.zip": lambda members: zip_of(members, zipfile.ZIP_BZIP2),
    "lzma.zip": lambda members: zip_of(members, zipfile.ZIP_LZMA),
    "tar": tar_of,
    "cbt": tar_of,
    "tar.gz": lambda members: gzip.compress(tar_of(members)),
    "tgz": lambda members: gzip.compress(tar_of(members)),
    "tar.bz2": lambda members: bz2.compress(tar_of(members)),
    "tar.xz": lambda members: lzma.compress(tar_of(members)),
    "tar.zst": lambda members: zstd_of(tar_of(members)),
    "7z": seven_of,
    "cb7": seven_of,
}


def write(path: Path, members: Members) -> Path:
    """An archive of the kind that the end of its name says (everything after the first dot)."""
    path.write_bytes(KINDS[path.name.partition(".")[2]](members))
    return path
