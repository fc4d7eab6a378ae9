"""From paths to frames: walk folders, read each file once, decode it at native depth with its mask."""

from dedupindex.sources.decode import decode_file, decoder_fingerprint
from dedupindex.sources.files import parse_address, walk
from dedupindex.sources.finding import Finder
from dedupindex.sources.lists import SourceList
from dedupindex.sources.reading import read_bytes, status_of
from dedupindex.sources.sniff import HEAD_BYTES, IMAGE_SUFFIXES, diagnose, format_of, is_candidate, sniff

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
    "sniff",
    "status_of",
    "walk",
]
