"""Checks of the machine: versions, extras, limits; and of the place of the database."""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from dedupindex import __version__
from dedupindex.store.health import Finding, Level, place_findings, sqlite_findings
from dedupindex.system import usable_cores

# Distribution -> lowest version that was tested.
LIBRARIES = {
    "pillow": (11, 3),
    "faiss-cpu": (1, 9),
    "opencv-python-headless": (4, 10),
    "numpy": (2, 0),
    "scipy": (1, 13),
    "sqlalchemy": (2, 0, 30),
    "tifffile": (2024, 8),
}
# Extra -> modules, and what for.
EXTRAS = {
    "science": (("astropy", "pydicom", "imagecodecs"), "FITS, DICOM, compressed TIFF, JPEG XL, QOI, JPEG-LS, HDR"),
    "heif": (("pillow_heif",), "HEIC and HEIF"),
    "raw": (("rawpy",), "camera RAW"),
    "archives": (("py7zr", "zstandard"), "7z archives, and tars in zstd"),
    "pdf": (("pypdfium2",), "pages of PDF documents"),
    "video": (("av",), "frames of videos, and OpenEXR"),
    "svg": (("resvg_py",), "SVG drawings"),
    "plot": (("matplotlib",), "plots of `evaluate`"),
    "watch": (("watchfiles",), "changes seen at once by `watch`"),
    "datasets": (("datasets",), "data sets of Hugging Face"),
    "moderation": (("pdqhash",), "PDQ hashes and banks of them"),
    "embedding": (("onnxruntime",), "an embedding model of one's own"),
    "postgres": (("psycopg",), "databases on a PostgreSQL server"),
    "objects": (("fsspec", "s3fs", "gcsfs", "aiohttp"), "object stores and URLs"),
    "web": (("fastapi", "uvicorn", "python_multipart", "prometheus_client"), "the review page and service of `serve`"),
}
_STAND_INS = {"opencv-python-headless": ("opencv-python", "opencv-contrib-python-headless"), "faiss-cpu": ("faiss",)}


def doctor(database: Path | str) -> list[Finding]:
    """Check the machine and the place of a database (file or URL). Changes nothing; the database may be damaged."""
    return [*_system(), *sqlite_findings(), *_libraries(), *_codecs(), *_extras(), *place_findings(database)]


def _system() -> Iterator[Finding]:
    yield Finding("dedupindex", f"{__version__}, Python {platform.python_version()}, {platform.platform()}")
    yield Finding("processor", f"{usable_cores()} cores to use")
    encoding = sys.getfilesystemencoding()
    if encoding.lower().replace("-", "") != "utf8":
        yield Finding(
            "file names", f"are {encoding}", Level.WARNING, "set LANG=C.UTF-8: other names are stored otherwise"
        )
    folder = Path(tempfile.gettempdir())
    if not os.access(folder, os.W_OK):
        yield Finding("temporary folder", f"{folder} cannot be written", Level.WARNING, "set TMPDIR")


def _libraries() -> Iterator[Finding]:
    for name, least in LIBRARIES.items():
        installed = _version(name)
        wanted = ".".join(map(str, least))
        if not installed:
            yield Finding(name, "not installed as a package", Level.WARNING, f"pip install '{name}>={wanted}'")
        elif _numbers(installed) < least:
            yield Finding(name, installed, Level.WARNING, f"pip install '{name}>={wanted}'")
        else:
            yield Finding(name, installed)


def _codecs() -> Iterator[Finding]:
    from PIL import features

    lacking = [name for name in ("jpg", "jpg_2000", "zlib", "libtiff", "webp", "avif") if not features.check(name)]
    if lacking:
        yield Finding(
            "codecs", f"this Pillow lacks {', '.join(lacking)}", Level.WARNING, "such pictures cannot be read"
        )
    else:
        yield Finding("codecs", "JPEG, JPEG 2000, PNG, TIFF, WebP, AVIF")


def _extras() -> Iterator[Finding]:
    for name, (modules, what) in EXTRAS.items():
        lacking = [module for module in modules if importlib.util.find_spec(module) is None]
        if lacking:
            advice = f"install dedupindex with its extra '{name}' for {what}"
            yield Finding(f"extra {name}", f"without {', '.join(lacking)}", advice=advice)
        else:
            yield Finding(f"extra {name}", what)


def _version(name: str) -> str:
    for one in (name, *_STAND_INS.get(name, ())):
        try:
            return version(one)
        except PackageNotFoundError:
            continue
    return ""


def _numbers(text: str) -> tuple[int, ...]:
    numbers = []
    for part in text.split("."):
        if not part.isdecimal():
            break
        numbers.append(int(part))
    return tuple(numbers)
