"""Catalogues that describe files in this process, for many small ingests; what they hold, and what is on the disk."""

import hashlib
import os
from contextlib import contextmanager

from dedupindex import Index
from dedupindex.engines.embedded import Embedded
from dedupindex.ingest.describing import describe_files


class _Mapper:
    started = True

    def map(self, tasks):
        return (describe_files(batch) for batch in tasks)


class InlineEngine(Embedded):
    """As the embedded engine, but without processes for describing."""

    @contextmanager
    def describing(self, settings):
        yield _Mapper()


def opened(location, **options):
    index = Index.open(location, create=True, **options)
    index._chosen_engine = InlineEngine()
    return index


def places(index, *, missing=False):
    """Present places of a catalogue, or those that are marked as missing, with the content that they show."""
    return {
        (os.fspath(place.path), place.frame, image.key)
        for image in index.images()
        for place in image.locations
        if place.missing == missing
    }


def on_disk(root, *, leave_out=("broken.jpg",)):
    return {
        (os.fspath(path), 0, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in root.rglob("*")
        if path.is_file() and path.name not in leave_out
    }
