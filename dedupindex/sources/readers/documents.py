"""Which documents and videos an ingest takes, by the settings and by what is installed."""

from __future__ import annotations

from dedupindex.places import DOCUMENTS, VIDEOS
from dedupindex.settings import PdfMode, Settings
from dedupindex.sources.readers.packages import installed


def document_suffixes(settings: Settings) -> frozenset[str]:
    """Endings of the documents and videos in folders and archives that are taken.

    Documents are, unless `pdf` is off: without their extra they are failures that name it. Videos are only where
    their extra is installed and `video_frames` is not 0. What somebody names himself is taken either way.
    """
    documents = DOCUMENTS if settings.pdf is not PdfMode.OFF else frozenset[str]()
    videos = VIDEOS if settings.video_frames and installed("av") else frozenset[str]()
    return documents | videos
