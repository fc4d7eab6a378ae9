"""Which documents and videos an ingest takes, by the settings and by what is installed."""

from __future__ import annotations

from dedupindex.places import DOCUMENTS, VIDEOS, is_local
from dedupindex.records import FoundFile
from dedupindex.settings import PdfMode, Settings
from dedupindex.sources.content_ids import content_id
from dedupindex.sources.readers.packages import installed

_LIVE = (".mov", ".mp4")


def document_suffixes(settings: Settings) -> frozenset[str]:
    """Endings of the documents and videos in folders and archives that are taken.

    Documents are, unless `pdf` is off: without their extra they are failures that name it. Videos are only where
    their extra is installed and `video_frames` is not 0. What somebody names himself is taken either way.
    """
    documents = DOCUMENTS if settings.pdf is not PdfMode.OFF else frozenset[str]()
    videos = VIDEOS if settings.video_frames and installed("av") else frozenset[str]()
    return documents | videos


def is_live_photo(file: FoundFile) -> bool:
    """Whether a video in a folder is the moving half of a Live Photo, whose still picture is taken by itself."""
    if file.explicit or file.offset is not None or file.path.suffix.lower() not in _LIVE or not is_local(file.path):
        return False
    return bool(content_id(file.path))
