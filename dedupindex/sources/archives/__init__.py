"""Archives: zip, compressed tar, 7z. Each picture in one is a place of its own, ``ARCHIVE/member``.

Nothing is unpacked to a disk. Plain tar shards are in `dedupindex.sources.shards`; `opening` tells the kinds apart.
"""
