"""A report: reads rows, compares nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from dedupindex.errors import SettingsError
from dedupindex.records import Decision, DuplicateGroup, ImageRecord, Pair
from dedupindex.store import catalog, catalog_decisions, catalog_images, catalog_locations, catalog_pairs
from dedupindex.store.database import Database
from dedupindex.workflows.decisions import judged, sift
from dedupindex.workflows.groups import build_groups
from dedupindex.workflows.outcome import Report, Selection

LAST = "last"
DEFAULT = Selection()


def present_pairs(database: Database, *, min_score: float | None = None) -> list[Pair]:
    """Confirmed pairs of images that are both still somewhere, best first; missing locations are left out."""
    with database.read() as connection:
        found = catalog_pairs.pairs(connection, min_score=min_score)
    return [
        dataclasses.replace(pair, a=present(pair.a), b=present(pair.b))
        for pair in found
        if is_present(pair.a) and is_present(pair.b)
    ]


def present(image: ImageRecord) -> ImageRecord:
    """The image without its missing locations."""
    if not any(place.missing for place in image.locations):
        return image
    return dataclasses.replace(image, locations=tuple(place for place in image.locations if not place.missing))


def is_present(image: ImageRecord) -> bool:
    """Whether the image is at some place (present locations come first)."""
    return bool(image.locations) and not image.locations[0].missing


def report(database: Database, selection: Selection = DEFAULT, *, since: int | str | None = None) -> Report:
    """Duplicate groups as the database holds them.

    Parameters
    ----------
    selection : Selection
        Which pairs they are made of.
    since : int or "last", optional
        Only groups in which something is newer than that run; "last": newer than the search for duplicates before
        the latest one.

    Raises
    ------
    SettingsError
        *since* is neither a run nor "last".
    """
    with database.read() as connection:
        searches = catalog.runs(connection, "duplicates", limit=2)
        several = catalog_images.by_id(connection, catalog_images.several_locations(connection))
        decisions = catalog_decisions.decisions(connection)
        counts = catalog.counts(connection)
        failures = tuple(catalog.failures(connection))
        before = _run_before(since, [run.id for run in searches])
        new_pairs = catalog_pairs.found_after(connection, before) if before is not None else set()
        new_images = catalog_locations.images_placed_after(connection, before) if before is not None else set()
    found = present_pairs(database, min_score=selection.min_score)
    decided = judged(decisions)
    pairs = sift(found, decided, show_kept=selection.decided)
    copies = [present(image) for image in several.values()]
    alone = [image for image in copies if not decided.leaves_out(image.key, image.key, decided=selection.decided)]
    groups = build_groups(pairs, alone, keepers=decided.keepers, apart=decided.apart.values())
    hidden = len(found) - len(pairs) + len(copies) - len(alone)
    if before is not None:
        groups = tuple(group for group in groups if _is_new(group, new_pairs, new_images))
        kept = {(pair.a.id, pair.b.id) for group in groups for pair in group.pairs}
        pairs = [pair for pair in pairs if (pair.a.id, pair.b.id) in kept]
    return Report(
        run=searches[0] if searches else None,
        groups=groups,
        pairs=tuple(pairs),
        images=counts["images"],
        locations=counts["locations"],
        failures=failures,
        selection=selection,
        decisions=_concerning(decisions, groups),
        hidden=hidden,
    )


def _concerning(decisions: Sequence[Decision], groups: Sequence[DuplicateGroup]) -> tuple[Decision, ...]:
    """Decisions on images of these groups."""
    if not decisions:
        return ()
    keys = {member.image.key for group in groups for member in group.members}
    return tuple(some for some in decisions if some.a in keys and (not some.b or some.b in keys))


def _run_before(since: int | str | None, searches: list[int]) -> int | None:
    if since is None:
        return None
    if since == LAST:
        return searches[1] if len(searches) > 1 else 0
    try:
        return int(since)
    except ValueError as error:
        raise SettingsError(f"since is {since!r}, must be the number of a run or {LAST!r}") from error


def _is_new(group: DuplicateGroup, pairs: set[tuple[int, int]], images: set[int]) -> bool:
    if any((pair.a.id, pair.b.id) in pairs for pair in group.pairs):
        return True
    return any(member.image.id in images for member in group.members)
