"""Close groups: two images that are both confirmed copies of a third are compared with each other.

The index misses a hard copy (a small crop, say) of the original more often than of another copy. Comparing the
neighbours of neighbours finds the direct link, and tells a group's members how each relates to its representative.
What is accepted is the smallest set of pairs closed under this step, whatever the order in which images came. Pairs of
a run are open until a run that closed them has ended, so that an interrupt loses none.

In a long series (the frames of a shot, a burst) every image has more near neighbours than are compared, and comparing
all neighbours of neighbours would cost the square of its length. There the image with the most confirmed pairs is
compared with all others of the series, so that each has a direct link to one image: the cost is its length.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from contextlib import closing

from dedupindex.execution.engine import Mapper
from dedupindex.execution.tasks import PairResult, PairTask
from dedupindex.groups.grouping import FLOOD
from dedupindex.records import Verification
from dedupindex.search.candidates import first_frames
from dedupindex.search.verifying import verify_stored
from dedupindex.settings import Settings
from dedupindex.store import catalog, catalog_images, catalog_pairs
from dedupindex.store.database import Database

CLOSED = "closed_run"  # meta key: the pairs of this run and of all before it are closed

Pair = tuple[int, int]


def close_groups(
    database: Database,
    pool: Mapper[PairTask, PairResult],
    settings: Settings,
    run: int,
    *,
    apart: frozenset[int] = frozenset(),
) -> tuple[int, int]:
    """Verify the open pairs of neighbours until no new pair is accepted.

    Parameters
    ----------
    database : Database
    pool : Mapper
        Where many pairs are verified.
    settings : Settings
    run : int
        The run to which new pairs belong; all pairs up to it are closed afterwards.
    apart : frozenset of int
        Images that are not compared with one another.

    Returns
    -------
    verified, accepted : int
        Pairs.

    Raises
    ------
    StoreError
        The database cannot be written; what was accepted stays, the next run goes on from there.
    """
    with database.read() as connection:
        fresh = catalog_pairs.found_after(connection, int(catalog.get_meta(connection, CLOSED) or 0))
    new_pairs = set(fresh)
    verified_pairs: set[Pair] = set()
    verified = accepted = 0
    while fresh:
        open_triples = sorted(_open_triples(database, fresh) - verified_pairs)
        open_triples = [pair for pair in open_triples if not apart.issuperset(pair)]
        verified_pairs.update(open_triples)
        fresh = set()
        with closing(verify_stored(database, pool, settings, open_triples)) as results:
            for result in results:
                verified += result.verified
                stored = _store(database, result.accepted, run)
                accepted += len(stored)
                fresh.update(stored)
                new_pairs.update(stored)
    spokes = sorted(_open_spokes(database, new_pairs) - verified_pairs)
    with closing(verify_stored(database, pool, settings, [p for p in spokes if not apart.issuperset(p)])) as results:
        for result in results:
            verified += result.verified
            accepted += len(_store(database, result.accepted, run))
    with database.write() as connection:
        catalog.set_meta(connection, **{CLOSED: str(run)})
    return verified, accepted


def _open_triples(database: Database, fresh: set[Pair]) -> set[Pair]:
    """Unconnected pairs of images that share a neighbour through a fresh pair, in the order of their content keys."""
    with database.read() as connection:
        neighbours: defaultdict[int, set[int]] = defaultdict(set)
        involved = sorted({image for pair in fresh for image in pair})
        for a, b in catalog_pairs.known_pairs(connection, involved):
            neighbours[a].add(b)
            neighbours[b].add(a)
        open_pairs = {
            frozenset((one, other))
            for pair in fresh
            for middle, one in (pair, pair[::-1])
            if len(neighbours[middle]) <= FLOOD  # more: a blank page or a title card, whose neighbours are unrelated
            for other in neighbours[middle] - {one}
        }
        ends = sorted({image for pair in open_pairs for image in pair})
        known = catalog_pairs.known_pairs(connection, ends)
        contents = catalog_images.contents(connection, ends)
    present = (sorted(pair) for pair in open_pairs if pair <= contents.keys())  # another process may have forgotten one
    ordered = ((a, b) if contents[a].key < contents[b].key else (b, a) for a, b in present)
    return {pair for pair in ordered if pair not in known}


def _open_spokes(database: Database, new_pairs: set[Pair]) -> set[Pair]:
    """Unconnected pairs of the best connected image of each long series that was added to, and its other images.

    A series is long where an image has more than `FLOOD` pairs: `_open_triples` does not look at its neighbours.
    """
    neighbours: defaultdict[int, set[int]] = defaultdict(set)
    with database.read() as connection:
        reached: set[int] = set()
        border = {image for pair in new_pairs for image in pair}
        while border:
            for a, b in catalog_pairs.known_pairs(connection, sorted(border)):
                neighbours[a].add(b)
                neighbours[b].add(a)
            reached |= border
            border = {other for image in border for other in neighbours[image]} - reached
        contents = catalog_images.contents(connection, sorted(reached))
    spokes: set[Pair] = set()
    left = set(neighbours)
    while left:
        series, border = set[int](), {min(left)}
        while border:
            series |= border
            border = {other for image in border for other in neighbours[image]} - series
        left -= series
        if max(len(neighbours[image]) for image in series) <= FLOOD:
            continue
        present = [image for image in series if image in contents]
        hub = min(present, key=lambda image: (-len(neighbours[image]), contents[image].key), default=0)
        for image in set(present) - neighbours[hub] - {hub}:
            if not contents[hub].within_one(contents[image]):
                spokes.add((hub, image) if contents[hub].key < contents[image].key else (image, hub))
    return spokes


def _store(database: Database, accepted: Sequence[tuple[int, int, Verification]], run: int) -> list[Pair]:
    """Commit what was accepted, without images that other processes have forgotten since."""
    if not accepted:
        return []
    with database.write() as connection:
        present = catalog_images.described(connection, {image for a, b, _ in accepted for image in (a, b)})
        animated = catalog_images.animations(connection, present)
        stored = [
            (a, b, first_frames(verification) if animated & {a, b} else verification)
            for a, b, verification in accepted
            if a in present and b in present
        ]
        catalog_pairs.put_pairs(connection, stored, run)
    return [(a, b) for a, b, _ in stored]
