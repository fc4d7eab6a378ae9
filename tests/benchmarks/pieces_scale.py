"""How the pieces index grows: ``python -m tests.benchmarks.pieces_scale DATABASE [--images 10000 100000]``.

DATABASE holds some hundred real pictures, described with the profile ``pieces``. Synthetic pictures are made of their
entries: each takes those of a random picture and flips `FLIPPED` of the signatures' bits, so that words are as frequent
as they are and strangers agree about as often as strangers do. The real pictures are in the index too, and queried.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from dedupindex.features.model import load_model
from dedupindex.features.piece_entries import CODES, ENTRIES, Entries, unpack_entries, unpack_keypoints
from dedupindex.features.piece_words import load_words
from dedupindex.store import catalog_images, catalog_pieces
from dedupindex.store.database import Database
from dedupindex.vectors.piece_lists import PieceLists, file_entries
from dedupindex.vectors.piece_proposals import Probe, mirrored, propose
from dedupindex.vectors.piece_segments import read_lists, write_lists

FLIPPED = 0.27  # share of bits
QUERIES = 32


def synthetic(real: list[Entries], images: int, seed: int) -> list[Entries]:
    """The entries of made-up pictures."""
    random = np.random.default_rng(seed)
    made = []
    for number in random.integers(0, len(real), images).tolist():
        one = real[number].copy()
        bits = random.random((len(one), 64)) < FLIPPED
        one["signature"] ^= np.packbits(bits, axis=1, bitorder="little").view("<u8")[:, 0]
        made.append(one)
    return made


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("database", type=Path)
    parser.add_argument("--images", type=int, nargs="+", default=[10_000, 100_000])
    chosen = parser.parse_args()
    database = Database(chosen.database, read_only=True)
    with database.read() as connection:
        ids = catalog_pieces.entry_ids(connection).tolist()
        real = [unpack_entries(blob) for blob in catalog_pieces.entry_blobs(connection, ids).values()]
        parts = catalog_images.features(connection, ids[:: max(1, len(ids) // QUERIES)], (ENTRIES, CODES))
    points = [unpack_keypoints(blobs) for blobs in parts.values()][:QUERIES]
    words, parity = load_words(), load_model().local_parity
    for images in chosen.images:
        entries = real + synthetic(real, images - len(real), seed=1)
        began = time.process_time()
        lists = file_entries(range(images), entries)
        built = time.process_time() - began
        del entries
        with tempfile.TemporaryDirectory() as folder:
            mapped: PieceLists = read_lists(Path(folder), *write_lists(Path(folder), lists))
            size = sum(file.stat().st_size for file in Path(folder).iterdir())
            del lists
            # the pages of a mapped file that a query needs are fetched by the first one that does
            for name, batch in (("single, pages new", 1), ("single", 1), ("together, plain and mirrored", QUERIES)):
                began = time.process_time()
                for start in range(0, len(points), batch):
                    chunk = points[start : start + batch]
                    probes = [Probe.of(one, words) for one in chunk]
                    if batch > 1:  # as a search does it: plain and mirrored
                        probes += [Probe.of(mirrored(one, 512, parity), words) for one in chunk]
                    propose(mapped, probes, words)
                spent = (time.process_time() - began) / len(points)
                print(f"{images:,} pictures, {name}: {1e3 * spent:.1f} ms CPU a query")
            print(f"{images:,} pictures: {size / images:,.0f} bytes each in the file, lists made in {built:.1f} s CPU")


if __name__ == "__main__":
    main()
