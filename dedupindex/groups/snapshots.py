"""The groups after a run, and how later groups differ.

What is remembered of a run are its groups as ids of images and places, and only where they differ from those of the
run before it. A place that merely has another name (a moved file) is no change.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dedupindex.groups.decisions import content_of, decided_pairs
from dedupindex.groups.grouping import group_id
from dedupindex.groups.joining import joined
from dedupindex.groups.roots import reference_images
from dedupindex.records.reports import ChangeKind
from dedupindex.store import catalog_decisions, catalog_images, catalog_pairs
from dedupindex.store.catalog_decisions import Places
from dedupindex.store.database import Connection, Database

Snapshot = Mapping[str, Places]


@dataclass(frozen=True, slots=True)
class Difference:
    """How a group differs from earlier groups, in ids of images and places."""

    kind: ChangeKind
    id: str  # of the group now; of a resolved one, as it was
    places: Places  # of the group now; of a resolved one, as it was
    before: tuple[str, ...] = ()  # groups that it shares an image with
    added: Places = ()
    removed: Places = ()


def remember(database: Database, run: int) -> None:
    """Store the groups at the end of a run, if they differ from those before it.

    Raises
    ------
    StoreError
    """
    with database.read() as connection:
        now = current(connection)
    with database.write() as connection:
        known = catalog_decisions.snapshot(connection, run)
        if known is None or known[1] != now:
            catalog_decisions.put_snapshot(connection, run, now)


def before(connection: Connection, run: int) -> dict[str, Places]:
    """The groups at the end of a run; empty where they are not known."""
    known = catalog_decisions.snapshot(connection, run)
    return {} if known is None else known[1]


def current(connection: Connection) -> dict[str, Places]:
    """The current groups: those of a report of everything, by the same rules, without pairs."""
    references = reference_images(connection)
    edges, several = catalog_pairs.edges(connection), catalog_images.several_locations(connection)
    if references:
        edges = [edge for edge in edges if not references.issuperset(edge[:2])]
        several = [image for image in several if image not in references]
    decided = decided_pairs(catalog_decisions.decisions(connection))
    parts = {key: content_of(key) for pair in decided.apart for key in pair}
    ids = catalog_images.ids_of_content(connection, list(parts.values()))
    ends = {image for a, b, _ in edges for image in (a, b)}
    places = catalog_decisions.location_ids(connection, {*ends, *several})
    apart = {frozenset((ids.get(parts[one]), ids.get(parts[other]))) for one, other in decided.apart}
    root = joined(
        (one, other, link)
        for one, other, link in edges
        if one in places and other in places and frozenset((one, other)) not in apart
    )
    members: dict[int, list[int]] = defaultdict(list)
    for image in sorted(root):
        members[root[image]].append(image)
    for image in several:
        if image not in root and frozenset((image,)) not in apart:
            members[image].append(image)
    contents = catalog_images.contents(connection, members)
    return {
        group_id(*contents[first].key): tuple((image, place) for image in images for place in places[image])
        for first, images in members.items()
    }


def compare(then: Snapshot, now: Snapshot) -> list[Difference]:
    """Differences between two snapshots: new, grown, shrunk and resolved groups, in this order, each by id.

    A group is *new* when none of its images was in a group; *grown* when it has more images or places than the
    groups that it comes from, or comes from several; *shrunk* when it only has fewer; *resolved* when none of its
    images is in a group any more.
    """
    owner = {image: group for group, places in then.items() for image, _ in places}
    differences: list[Difference] = []
    claimed: set[str] = set()
    for group, places in now.items():
        images = _by_image(places)
        origins = sorted({owner[image] for image in images if image in owner})
        claimed.update(origins)
        if not origins:
            differences.append(Difference(ChangeKind.NEW, group, places, added=places))
            continue
        old = _by_image(place for origin in origins for place in then[origin])
        added = _more(images, old)
        removed = _more(old, images)
        if added or len(origins) > 1:
            differences.append(Difference(ChangeKind.GROWN, group, places, tuple(origins), added, removed))
        elif removed:
            differences.append(Difference(ChangeKind.SHRUNK, group, places, tuple(origins), added, removed))
    differences += [
        Difference(ChangeKind.RESOLVED, group, places, (group,), removed=places)
        for group, places in then.items()
        if group not in claimed
    ]
    rank = {kind: number for number, kind in enumerate(ChangeKind)}
    return sorted(differences, key=lambda difference: (rank[difference.kind], difference.id))


def _by_image(places: Iterable[tuple[int, int]]) -> dict[int, set[int]]:
    by_image: dict[int, set[int]] = defaultdict(set)
    for image, place in places:
        by_image[image].add(place)
    return by_image


def _more(these: Mapping[int, set[int]], those: Mapping[int, set[int]]) -> Places:
    """Places of images of which *these* have more places than *those*."""
    return tuple(
        (image, place)
        for image, places in sorted(these.items())
        if len(places) > len(those.get(image, ()))
        for place in sorted(places - those.get(image, set()))
    )
