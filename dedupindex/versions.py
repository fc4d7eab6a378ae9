"""Versions of all that shapes a feature, in one place.

With the settings they make the fingerprint of a database. They stand apart from the code that they are the versions
of, so that a database can be opened, and a report read, without loading what decodes and describes pictures. Raise the
version of whatever gives other results than before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from dedupindex.settings import Settings

DECODING = "4"  # of decoded pixels and masks: raise it when a file that was read before gives others
DECODING_FOR_FILTERS = "4"  # the same where filters are set: large JPEGs were reduced before the filters in version 1
STAGES: Mapping[str, str] = {  # of `prepare`, in their order
    "finite": "1",
    "digest": "1",
    "validity": "1",
    "preview": "1",
    "corners": "1",
    "borders": "1",
    "early_reduction": "1",
    "outside": "1",
    "filters": "1",
    "scaling": "1",
    "reduction": "1",
    "luminance": "1",
    "information": "1",
}
THUMBNAIL = "2"
HISTOGRAM = SPECTRUM = FRAME = "1"
HASHES = "2"
KEYPOINTS = "2"
DESCRIPTOR = "2"
PIECE_KEYPOINTS = "1"
PIECE_SIDE = 512  # longest side of the picture on which keypoints of pieces are sought, pixels
PIECE_COUNT = 400  # most such keypoints a picture
PIECE_PACKING = "1"
PIECE_QUALITY = 75  # of the stored picture, JPEG
MODEL_FILE, WORDS_FILE = "model.npz", "pieces.npz"  # in features/
# Decoding and stages of `prepare` when they were first given versions. Never to be changed.
FIRST_PREPARED = (
    "decoding:1 finite:1 digest:1 validity:1 preview:1 corners:1 borders:1 early_reduction:1 outside:1 filters:1 "
    "scaling:1 reduction:1 luminance:1 information:1"
)


@cache
def trained_digest(file: str) -> str:
    """Digest of a trained model that ships with the package: 16 hexadecimal digits.

    Parameters
    ----------
    file : str
        `MODEL_FILE` or `WORDS_FILE`.
    """
    return digest_of((Path(__file__).parent / "features" / file).read_bytes())


def digest_of(data: bytes) -> str:
    """The digest of a trained model by the bytes of its file."""
    return hashlib.sha256(data).hexdigest()[:16]


def decoding(settings: Settings) -> str:
    """Version of the pixels and masks that an ingest with these settings gets."""
    return f"{DECODING}.{DECODING_FOR_FILTERS}" if settings.filters else DECODING


def stage_versions() -> str:
    """Names and versions of all stages in their order: ``finite:1 digest:1 ...``."""
    return " ".join(f"{name}:{version}" for name, version in STAGES.items())


def piece_version() -> str:
    """Version of all that shapes the features by which pieces are found."""
    words = trained_digest(WORDS_FILE)
    return f"{PIECE_KEYPOINTS}:{PIECE_SIDE}:{PIECE_COUNT}:{words}:{PIECE_PACKING}:{PIECE_QUALITY}"


def versions(settings: Settings) -> Mapping[str, str]:
    """Versions of all that shapes a feature, by name: with the settings, what the fingerprint is made of.

    Decoding and the stages of `prepare` stand in one entry, ``prepared``, and only if they are not those of
    `FIRST_PREPARED`: databases that were made before they had versions hold the same features, bit by bit, and keep
    their fingerprint.
    """
    digest = trained_digest(MODEL_FILE)
    prepared = f"decoding:{decoding(settings)} {stage_versions()}"
    return (
        ({} if prepared == FIRST_PREPARED else {"prepared": prepared})
        | {
            "thumbnail": f"{THUMBNAIL}:{settings.working_side}:{settings.detail_side}",
            "colour": THUMBNAIL,
            "histogram": HISTOGRAM,
            "spectrum": SPECTRUM,
            "hashes": HASHES,
            "keypoints": f"{KEYPOINTS}:{digest}",
            "descriptor": f"{DESCRIPTOR}:{digest}",
            "frame": FRAME,
        }
        | ({"pieces": piece_version()} if settings.profile == "pieces" else {})
    )
