"""Search every image that is new for pieces: parts that it shares with others. Needs the profile ``pieces``.

The pieces index proposes pairs, workers confirm them. Pairs that are confirmed copies already are left out. What was
found and the note "searched" are committed together, batch by batch, so an interrupt loses nothing.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from dedupindex.execution.engine import Engine, Mapper
from dedupindex.execution.progress import SILENT, Progress
from dedupindex.execution.tasks import PieceResult, PieceTask
from dedupindex.features.model import load_model
from dedupindex.features.piece_entries import CODES, ENTRIES, unpack_keypoints
from dedupindex.features.piece_words import load_words
from dedupindex.fitted import numbers
from dedupindex.groups.roots import absent, marked, reference_images
from dedupindex.records import Features, Side
from dedupindex.records.answers import PiecesSummary
from dedupindex.records.pictures import PieceKeypoints
from dedupindex.records.pieces import FoundPiece, PieceMatch
from dedupindex.search.due import PROFILE as PROFILE
from dedupindex.search.pair_set import PairSet
from dedupindex.search.piece_cache import LiveLists, PieceCache
from dedupindex.search.piece_stages import NEEDED, stored_view
from dedupindex.settings import Settings
from dedupindex.store import catalog, catalog_images, catalog_pieces
from dedupindex.store.backend import Purpose
from dedupindex.store.database import Database
from dedupindex.vectors.piece_proposals import Probe, mirrored, propose
from dedupindex.verify.pieces.confirmation import View, find_pieces, find_within, view_of
from dedupindex.verify.pieces.scoring import FITTED

MOST_CANDIDATES = 48  # pictures an image and search that are confirmed or not
LEAST_VOTES = 6.0  # weight of agreeing hits from which a picture is a candidate
BATCH = 128  # images searched and committed together
PAIRS_A_TASK = 48
PROBES_AT_ONCE = 32  # pictures looked up together; each twice, once mirrored
FEW_PAIRS = 64  # fewer are looked at in this process: starting workers takes a second

Pairs = list[tuple[int, int, bool]]


@dataclass(slots=True)
class _Tally:
    searched: int = 0
    candidates: int = 0
    pairs: int = 0
    pieces: int = 0
    lost: int = 0
    seen: PairSet = field(default_factory=PairSet)


def threshold(settings: Settings) -> float:
    """Smallest score of a piece: the fitted one, or the setting where that is higher."""
    return max(settings.threshold, float(numbers(FITTED)["threshold"]))


def find_new_pieces(
    database: Database, cache: PieceCache, settings: Settings, *, progress: Progress = SILENT, engine: Engine
) -> PiecesSummary:
    """Search all images that were not searched for pieces yet.

    Parameters
    ----------
    database : Database
    cache : PieceCache
    settings : Settings
        With the profile ``pieces``.
    progress : Progress
    engine : Engine
        Its workers confirm.

    Returns
    -------
    PiecesSummary

    Raises
    ------
    StoreError
        The database cannot be written; what was committed stays, the next run goes on from there.
    """
    with database.alone(Purpose.SEARCH):
        began = time.monotonic()
        with database.read() as connection:
            todo = catalog_pieces.unsearched(connection)
            references = reference_images(connection)
        with database.write() as connection:
            run = catalog.start_run(connection, catalog.RunKind.PIECES)
        tally = _Tally()
        cache.current()
        cache.save()
        progress.start(len(todo), "pieces")
        try:
            with engine.piecing(settings) as pool:
                for start in range(0, len(todo), BATCH):
                    batch = todo[start : start + BATCH]
                    _search(database, cache.current(), settings, pool, run, batch, references, tally)
                    progress.advance(len(batch))
        finally:
            progress.finish()
        names = ("searched", "candidates", "pairs", "pieces", "lost")
        counts = {name: int(getattr(tally, name)) for name in names}
        with database.write() as connection:
            catalog.finish_run(connection, run, counts)
    return PiecesSummary(run, **counts, seconds=time.monotonic() - began)


def _search(
    database: Database,
    lists: Sequence[LiveLists],
    settings: Settings,
    pool: Mapper[PieceTask, PieceResult],
    run: int,
    ids: Sequence[int],
    references: frozenset[int],
    tally: _Tally,
) -> None:
    with database.read() as connection:
        parts = catalog_images.features(connection, ids, (ENTRIES, CODES, "frame"))
        known = catalog_pieces.copies_of(connection, ids) | catalog_pieces.known_piece_pairs(connection, ids)
    points = {image: unpack_keypoints(blobs) for image, blobs in parts.items()}
    widths = {image: _width(points[image]) for image in points}
    pairs: Pairs = []
    for image, near in proposed(lists, points, widths).items():
        for other, (_, turned) in near.items():
            pair = (min(image, other), max(image, other))
            if other == image or pair in known or (image in references and other in references):
                continue
            pairs.append((*pair, turned))
    fresh = set(tally.seen.new([(a, b) for a, b, _ in pairs]))
    proposed_once = {(a, b): turned for a, b, turned in pairs if (a, b) in fresh}
    with database.read() as connection:
        contents = catalog_images.contents(connection, {image for pair in proposed_once for image in pair})
    # In the order of their content keys, so that what is stored does not depend on which of them came first.
    pairs = sorted(
        (a, b, turned) if contents[a].key < contents[b].key else (b, a, turned)
        for (a, b), turned in proposed_once.items()
        if a in contents and b in contents and not contents[a].is_own_panel(contents[b])
    )
    tally.seen.add(fresh)
    tally.candidates += len(pairs)
    by_pair: dict[tuple[int, int], list[FoundPiece]] = defaultdict(list)
    lost: set[int] = set()
    for result in _confirmed(database, pool, pairs, threshold(settings)):
        for container, part, piece in result.found:
            by_pair[container, part].append(piece)
        lost.update(image for a, b, _ in result.lost for image in (a, b))
        tally.lost += len(result.lost)
    rows = [
        (container, part, number, piece)
        for (container, part), pieces in sorted(by_pair.items())
        for number, piece in enumerate(pieces)
    ]
    with database.write() as connection:
        there = catalog_images.described(connection, {image for row in rows for image in row[:2]})
        catalog_pieces.put_pieces(connection, [row for row in rows if there.issuperset(row[:2])], run)
        catalog_pieces.mark_searched(connection, ids, run)
    tally.pairs += len({(min(pair), max(pair)) for pair in by_pair})
    tally.pieces += len(rows)
    tally.searched += len(ids)


def _width(points: PieceKeypoints) -> int:
    """A width about which keypoints are mirrored for a search: any will do, as only differences count."""
    return int(np.ceil(points.position[:, 1].max())) if len(points) else 1


def proposed(
    lists: Sequence[LiveLists], points: Mapping[int, PieceKeypoints], widths: Mapping[int, int]
) -> dict[int, dict[int, tuple[float, bool]]]:
    """Candidates of pictures.

    Parameters
    ----------
    lists : sequence of LiveLists
    points : mapping
        A picture's number to its keypoints.
    widths : mapping
        Its number to its width, pixels.

    Returns
    -------
    dict
        Number to (image id to (votes, whether the one of the two is mirrored)); at most `MOST_CANDIDATES` each.
    """
    words, parity = load_words(), load_model().local_parity
    result: dict[int, dict[int, tuple[float, bool]]] = {}
    order = [number for number, one in points.items() if len(one)]
    for start in range(0, len(order), PROBES_AT_ONCE):
        chunk = order[start : start + PROBES_AT_ONCE]
        probes = [Probe.of(points[number], words) for number in chunk]
        probes += [Probe.of(mirrored(points[number], widths[number], parity), words) for number in chunk]
        best: list[dict[int, tuple[float, bool]]] = [{} for _ in chunk]
        for one in lists:
            for number, proposals in enumerate(propose(one.lists, probes, words, hidden=one.hidden)):
                mine, turned = best[number % len(chunk)], number >= len(chunk)
                for image, votes in zip(proposals.ids.tolist(), proposals.scores.tolist(), strict=True):
                    if votes >= LEAST_VOTES and votes > mine.get(image, (0.0, False))[0]:
                        mine[image] = (votes, turned)
        for number, mine in zip(chunk, best, strict=True):
            ranked = sorted(mine.items(), key=lambda item: (-item[1][0], item[0]))
            result[number] = dict(ranked[:MOST_CANDIDATES])
    return result


def _confirmed(
    database: Database, pool: Mapper[PieceTask, PieceResult], pairs: Pairs, least: float
) -> Iterator[PieceResult]:
    def tasks() -> Iterator[list[PieceTask]]:
        for start in range(0, len(pairs), PAIRS_A_TASK):
            chunk = pairs[start : start + PAIRS_A_TASK]
            with database.read() as connection:
                parts = catalog_images.features(connection, {image for a, b, _ in chunk for image in (a, b)}, NEEDED)
            whole = {image: blobs for image, blobs in parts.items() if len(blobs) == len(NEEDED)}
            present = tuple(pair for pair in chunk if pair[0] in whole and pair[1] in whole)
            yield [PieceTask(whole, present, least)]

    if len(pairs) < FEW_PAIRS and not pool.started:
        from dedupindex.search.piece_stages import pieces_of_pairs

        for task in tasks():
            yield from pieces_of_pairs(task)
        return
    for results in pool.map(tasks()):
        yield from results


def query_pieces(
    database: Database, cache: PieceCache, settings: Settings, features: Features, *, limit: int = 10
) -> list[PieceMatch]:
    """Stored images that share a part with a picture that need not be stored.

    Parameters
    ----------
    database : Database
    cache : PieceCache
    settings : Settings
        With the profile ``pieces``.
    features : Features
        Of the picture, or of a region of it.
    limit : int
        Most matches.

    Returns
    -------
    list of PieceMatch
        Surest first; images without a location are left out.
    """
    view = view_of(features)
    if view is None:
        return []
    points = view.pieces.keypoints
    near = proposed(cache.current(), {0: points}, {0: view.pieces.mask.shape[1]}).get(0, {})
    with database.read() as connection:
        parts = catalog_images.features(connection, near, NEEDED)
        away = absent(connection)
        records = {number: marked(one, away) for number, one in catalog_images.by_id(connection, near).items()}
    matches = []
    for image, blobs in parts.items():
        if len(blobs) < len(NEEDED) or not records[image].locations:
            continue
        other: View = stored_view(blobs)
        for side, piece in find_pieces(view, other, threshold=threshold(settings), mirrored=near[image][1]):
            matches.append(PieceMatch(records[image], side is Side.B, piece))
    matches.sort(key=lambda match: (-match.found.score, match.image.key))
    return matches[:limit]


def copies_within(settings: Settings, features: Features) -> list[FoundPiece]:
    """Parts of a picture that stand in it twice.

    Parameters
    ----------
    settings : Settings
        With the profile ``pieces``.
    features : Features
        Of the picture.

    Returns
    -------
    list of FoundPiece
        Surest first.
    """
    view = view_of(features)
    return [] if view is None else find_within(view, threshold=threshold(settings))
