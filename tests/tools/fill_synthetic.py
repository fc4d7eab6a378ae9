"""Fill a database with made-up images, to measure at sizes one has no pictures for.

``python -m tests.tools.fill_synthetic DATABASE --images 100000 [--like PICTURES]``; then
``dedupindex -d DATABASE report``, ``query`` and ``info`` cost what they cost with that many real
pictures. Run it again to add more.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from dedupindex.cli.console import progress
from dedupindex.cli.sample_pictures import landscape
from dedupindex.errors import DedupIndexError
from dedupindex.evaluation.synthetic import Filled, fill, group_of, make_picture_pool, stored_pool
from dedupindex.features import rounded, unpack
from dedupindex.index import Index
from dedupindex.ingest.describing import FileTask, describe_files, describe_frames, file_state
from dedupindex.ingest.query_pictures import frame_of_array
from dedupindex.records import Features, FoundFile
from dedupindex.settings import Settings
from dedupindex.sources import walk
from dedupindex.store import catalog
from dedupindex.store.database import Database

POOL = 500  # pictures that are varied
LANDSCAPES = 60  # made for a pool when there are no pictures


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.tools.fill_synthetic", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("database", type=Path, help="a new database, or one that this command filled")
    parser.add_argument("--images", type=int, required=True, metavar="N", help="how many to add")
    parser.add_argument(
        "--like", type=Path, metavar="PATH", help="folder of pictures, or database, to vary (default: made-up scenes)"
    )
    parser.add_argument("--copies", type=float, default=0.05, help="share of planted copies, 0..1 (default 0.05)")
    parser.add_argument("--seed", type=int, default=0, help="the same for all fillings of one database")
    parser.add_argument(
        "--lean", action="store_true", help="5 kB an image instead of 25: few keypoints, which verify cheaper"
    )
    parser.add_argument("--truth", type=Path, metavar="FILE", help="write every planted pair as CSV: a, b")
    given = parser.parse_args(arguments)
    try:
        began = time.process_time()
        filled = fill_database(
            given.database,
            given.images,
            like=given.like,
            copies=given.copies,
            seed=given.seed,
            lean=given.lean,
        )
        if given.truth is not None:
            write_truth(given.database, given.truth)
    except (DedupIndexError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(
        f"{filled.images:,} images, {filled.copies:,} of them copies, "
        f"{filled.feature_bytes / max(filled.images, 1):,.0f} bytes of features each, "
        f"{time.process_time() - began:.1f} s CPU"
    )
    return 0


def fill_database(
    path: Path,
    images: int,
    *,
    like: Path | None = None,
    copies: float = 0.05,
    seed: int = 0,
    lean: bool = False,
    show: bool = True,
) -> Filled:
    """Make the database if there is none, and add images to it.

    Raises
    ------
    DedupIndexError
    ValueError
        It holds images that this command did not make, or there is too little to vary.
    """
    with Index.open(path, create=True) as index:  # makes tables, remembers settings
        settings = index.settings
    database = Database(path)
    try:
        with database.read() as connection:
            made = int(catalog.get_meta(connection, "synthetic") or 0)
            if catalog.counts(connection)["images"] != made:
                raise ValueError(f"{path} holds images of files: fill a database of its own")
        pool = make_picture_pool(pool_features(like, settings), lean=lean)
        return fill(
            database, settings, pool, images, copies=copies, seed=seed, progress=progress(quiet=not show, verbose=False)
        )
    finally:
        database.close()


def pool_features(like: Path | None, settings: Settings) -> list[Features]:
    """Features to vary: of a database, of the pictures in a folder, or of made-up scenes.

    Raises
    ------
    DedupIndexError
    """
    if like is None:
        return [_made_up(seed, settings) for seed in range(LANDSCAPES)]
    if like.is_file():
        database = Database(like, read_only=True)
        try:
            return stored_pool(database, POOL)
        finally:
            database.close()
    files = sorted(entry.path for entry in walk([like]) if isinstance(entry, FoundFile))
    step = max(1, len(files) // POOL)
    found: list[Features] = []
    for path in files[::step]:
        [result] = describe_files([FileTask(file_state(path), settings)])
        found += [unpack(image.features) for image in result.images[:1] if not image.low_information]
    return found


@lru_cache(maxsize=256)
def _made_up(seed: int, settings: Settings) -> Features:
    """Features of a made-up scene, which takes .2 s: kept for the next filling."""
    frame = frame_of_array(landscape(seed)).frames[0]
    return rounded(describe_frames([frame], settings)[0][1])


def write_truth(database: Path, target: Path) -> None:
    """Write every pair of images that are copies of one another, as paths."""
    groups: dict[int, list[Path]] = {}
    with Index.open(database, read_only=True) as index, target.open("w", newline="") as file:
        for image in index.images():
            place = image.locations[0].path
            groups.setdefault(group_of(place), []).append(place)
        writer = csv.writer(file)
        writer.writerow(["a", "b"])
        for members in groups.values():
            writer.writerows((a, b) for i, a in enumerate(members) for b in members[i + 1 :])


if __name__ == "__main__":
    sys.exit(main())
