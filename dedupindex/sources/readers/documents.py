"""Which documents and videos an ingest takes, by the settings and by what is installed."""

from __future__ import annotations

from dedupindex.places import DOCUMENTS, VIDEOS, is_local
from dedupindex.records import FoundFile, SkipReason
from dedupindex.settings import PdfMode, Settings
from dedupindex.sources.content_ids import content_id
from dedupindex.sources.readers.packages import installed
from dedupindex.sources.sniff import is_candidate

_LIVE = (".mov", ".mp4")


def document_suffixes(settings: Settings) -> frozenset[str]:
    """Endings of the documents and videos in folders and archives that are taken.

    Documents are, unless `pdf` is off: without their extra they are failures that name it. Videos are only where
    their extra is installed and `video_frames` is not 0. What somebody names himself is taken either way.
    """
    documents = DOCUMENTS if settings.pdf is not PdfMode.OFF else frozenset[str]()
    videos = VIDEOS if settings.video_frames and installed("av") else frozenset[str]()
    return documents | videos


def why_passed_over(file: FoundFile, documents: frozenset[str]) -> SkipReason | None:
    """Why a file that was found is not read; None where it is.

    Parameters
    ----------
    file : FoundFile
    documents : frozenset of str
        From `document_suffixes`.
    """
    if documents & VIDEOS and is_live_photo(file):
        return SkipReason.LIVE_PHOTO
    return None if is_candidate(file, documents=documents) else SkipReason.NOT_AN_IMAGE


def is_live_photo(file: FoundFile) -> bool:
    """Whether a video in a folder is the moving half of a Live Photo, whose still picture is taken by itself."""
    if file.explicit or file.offset is not None or file.path.suffix.lower() not in _LIVE or not is_local(file.path):
        return False
    return bool(content_id(file.path))
