"""From paths to frames: walk folders, read each file once, decode it at native depth with its mask.

The names are loaded when they are first used: what only handles paths needs no decoder.
"""

from typing import TYPE_CHECKING

from dedupindex.lazy import loader

if TYPE_CHECKING:
    from dedupindex.sources.decode import decode_file as decode_file
    from dedupindex.sources.decode import decoder_fingerprint as decoder_fingerprint
    from dedupindex.sources.files import parse_address as parse_address
    from dedupindex.sources.files import walk as walk
    from dedupindex.sources.finding import Finder as Finder
    from dedupindex.sources.lists import SourceList as SourceList
    from dedupindex.sources.reading import read_bytes as read_bytes
    from dedupindex.sources.reading import status_of as status_of
    from dedupindex.sources.sniff import HEAD_BYTES as HEAD_BYTES
    from dedupindex.sources.sniff import IMAGE_SUFFIXES as IMAGE_SUFFIXES
    from dedupindex.sources.sniff import diagnose as diagnose
    from dedupindex.sources.sniff import format_of as format_of
    from dedupindex.sources.sniff import is_candidate as is_candidate

__all__ = [
    "HEAD_BYTES",
    "IMAGE_SUFFIXES",
    "Finder",
    "SourceList",
    "decode_file",
    "decoder_fingerprint",
    "diagnose",
    "format_of",
    "is_candidate",
    "parse_address",
    "read_bytes",
    "status_of",
    "walk",
]
__getattr__ = loader(
    __name__,
    {
        "decode_file": "dedupindex.sources.decode",
        "decoder_fingerprint": "dedupindex.sources.decode",
        "parse_address": "dedupindex.sources.files",
        "walk": "dedupindex.sources.files",
        "Finder": "dedupindex.sources.finding",
        "SourceList": "dedupindex.sources.lists",
        "read_bytes": "dedupindex.sources.reading",
        "status_of": "dedupindex.sources.reading",
        "HEAD_BYTES": "dedupindex.sources.sniff",
        "IMAGE_SUFFIXES": "dedupindex.sources.sniff",
        "diagnose": "dedupindex.sources.sniff",
        "format_of": "dedupindex.sources.sniff",
        "is_candidate": "dedupindex.sources.sniff",
    },
)
