"""What of one part of a data set is in another one: from stored pairs, nothing is compared."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

from dedupindex.curation.parts import Membership
from dedupindex.errors import SettingsError
from dedupindex.groups.decisions import decided_pairs, sift
from dedupindex.groups.report import present_copies, present_pairs
from dedupindex.records import Failure, ImageRecord, Link, LocationRecord, Pair, Relation
from dedupindex.records.proofs import DIRECT
from dedupindex.records.splits import Leak, LeakKind, LeakReport, Part
from dedupindex.store import catalog, catalog_decisions, catalog_images, catalog_locations
from dedupindex.store.database import Connection

_KINDS = {Link.COPY: LeakKind.COPY, Link.UNPROVEN: LeakKind.UNPROVEN, Link.ALTERNATE: LeakKind.ALTERNATE}
_ORDER = tuple(LeakKind)


def find_leaks(
    connection: Connection,
    parts: Sequence[Part],
    *,
    alternates: bool = True,
    accepted: Collection[str] = (),
) -> LeakReport:
    """List every picture of a part that shows what a picture of an earlier part shows.

    Parameters
    ----------
    connection : Connection
        In a read transaction.
    parts : sequence of Part
        The training set first.
    alternates : bool
        Pictures of one scene or template with other content are leaks too.
    accepted : collection of str
        Fingerprints of leaks that somebody accepted.

    Returns
    -------
    LeakReport

    Raises
    ------
    SettingsError
        Fewer than two parts, two of one name, or one of which the index knows no picture.
    """
    names = [part.name for part in parts]
    if len(names) < 2 or len(set(names)) < len(names):
        raise SettingsError("leaks are between two parts or more, each with its own name")
    membership = Membership(tuple(parts))
    counts, unknown = _files(connection, parts, membership)
    unread = tuple(failure for failure in catalog.failures(connection) if membership.of(failure.path))
    gone = _places_of_failures(unread)
    for name in names:
        if not counts[name] and not any(name in membership.of(failure.path) for failure in unread):
            raise SettingsError(f"the index knows no picture of {name}; ingest it first")
    leaks = sorted(_all(connection, membership, names, alternates), key=_order)
    return LeakReport(
        parts=counts,
        leaks=tuple(leak for leak in leaks if leak.fingerprint not in accepted),
        accepted=tuple(leak for leak in leaks if leak.fingerprint in accepted),
        unread=unread,
        unknown=tuple(one for one in unknown if os.fspath(one[1]) not in gone),
    )


def _files(
    connection: Connection, parts: Sequence[Part], membership: Membership
) -> tuple[dict[str, int], list[tuple[str, Path]]]:
    """Known files of each part, and the listed ones that the index does not know."""
    counts: dict[str, int] = {}
    unknown: list[tuple[str, Path]] = []
    for part in parts:
        listed = set(part.files)
        there = {row.state.path for row in catalog_locations.places_at(connection, sorted(listed)) if not row.missing}
        unknown += [(part.name, path) for path in sorted(listed - there)]
        for root in part.roots:
            below = catalog_locations.present_under(connection, root)
            there |= {place.path for place in below if part.name in membership.of(place.path)}
        counts[part.name] = len(there)
    return counts, unknown


def _places_of_failures(failures: Iterable[Failure]) -> set[str]:
    return {os.fspath(failure.path) for failure in failures}


def _all(connection: Connection, membership: Membership, names: Sequence[str], alternates: bool) -> Iterator[Leak]:
    decided = decided_pairs(catalog_decisions.decisions(connection))
    shared = catalog_locations.places_at(connection, membership.shared())
    listed_twice = catalog_images.by_id(connection, [row.image for row in shared if not row.missing])
    for image in {image.id: image for image in (*present_copies(connection), *listed_twice.values())}.values():
        if not decided.leaves_out(image.key, image.key, decided=True):
            yield from _of_one(image, membership, names)
    for pair in sift(present_pairs(connection), decided, show_kept=True):
        if pair.link is Link.ALTERNATE and not alternates:
            continue
        yield from _of_pair(pair, membership, names)


def _by_part(image: ImageRecord, membership: Membership) -> dict[str, list[LocationRecord]]:
    """The places of an image in each part, one a file."""
    places: dict[str, dict[Path, LocationRecord]] = defaultdict(dict)
    for place in image.locations:
        for part in membership.of(place.path):
            places[part].setdefault(place.path, place)
    return {part: list(of.values()) for part, of in places.items()}


def _of_one(image: ImageRecord, membership: Membership, names: Sequence[str]) -> Iterator[Leak]:
    """Leaks of one file's content that lies in several parts."""
    yield from _between(
        image, image, membership, names, kind=LeakKind.COPY, relations=(Relation.SAME_BYTES,), score=1.0, changed=0.0
    )


def _of_pair(pair: Pair, membership: Membership, names: Sequence[str]) -> Iterator[Leak]:
    changed = 0.0 if DIRECT.intersection(pair.relations) else None
    if pair.proof is not None and pair.link is not Link.UNPROVEN:
        changed = float(pair.proof.changed)
    for one, other in ((pair.a, pair.b), (pair.b, pair.a)):
        yield from _between(
            one,
            other,
            membership,
            names,
            kind=_KINDS[pair.link],
            relations=pair.relations,
            score=float(pair.verification.score),
            changed=changed,
        )


def _between(
    source: ImageRecord,
    image: ImageRecord,
    membership: Membership,
    names: Sequence[str],
    *,
    kind: LeakKind,
    relations: tuple[Relation, ...],
    score: float,
    changed: float | None,
) -> Iterator[Leak]:
    """Leaks of *source* in a part into later parts where *image* is: one for each file there."""
    sources = _by_part(source, membership)
    targets = _by_part(image, membership) if image.id != source.id else sources
    for number, first in enumerate(names):
        if first not in sources:
            continue
        for later in names[number + 1 :]:
            for place in targets.get(later, ()):
                yield Leak(
                    kind=kind,
                    source_part=first,
                    part=later,
                    source=sources[first][0],
                    place=place,
                    source_image=source.id,
                    image=image.id,
                    keys=(source.key, image.key),
                    relations=relations,
                    score=score,
                    changed=changed,
                )


def _order(leak: Leak) -> tuple[object, ...]:
    return (
        _ORDER.index(leak.kind),
        -leak.score,
        os.fsencode(leak.place.path),
        leak.place.frame,
        os.fsencode(leak.source.path),
        leak.source.frame,
    )
