"""Pictures of one scene or template with different content: alternates, listed beside the groups of copies."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from dedupindex.groups.grouping import group_id
from dedupindex.groups.joining import join, root_of
from dedupindex.records import DuplicateGroup, ImageRecord, Link, Pair, Series, SeriesMember

SALT = b"series"  # goes into the ids, so that a series never has that of a group


def build_series(groups: Sequence[DuplicateGroup], pairs: Iterable[Pair], *, salt: bytes = b"") -> tuple[Series, ...]:
    """Connected components of alternates; a duplicate group counts as one picture, the one that stands first in it.

    Parameters
    ----------
    groups : sequence of DuplicateGroup
    pairs : iterable of Pair
        Best first; what is no alternate is left out.
    salt : bytes
        Goes into the ids, where one image may stand in several series.

    Returns
    -------
    tuple of Series
        Largest first, then by path. The id comes from the content of the picture that was stored first.
    """
    alternates = [pair for pair in pairs if pair.link is Link.ALTERNATE]
    if not alternates:
        return ()
    first_of: dict[int, SeriesMember] = {}  # by image of a group
    oldest: dict[int, ImageRecord] = {}
    for group in groups:
        first = SeriesMember(group.members[0].image, group.id)
        for one in group.members:
            first_of[one.image.id] = first
        oldest[first.image.id] = min((one.image for one in group.members), key=lambda image: image.id)
    parent: dict[int, int] = {}
    members: dict[int, SeriesMember] = {}
    ends: list[tuple[Pair, int]] = []
    for pair in alternates:
        a, b = (first_of.get(image.id, SeriesMember(image)) for image in (pair.a, pair.b))
        if a.image.id == b.image.id:
            continue  # of one group: that is flagged there
        for member in (a, b):
            members[member.image.id] = member
            parent.setdefault(member.image.id, member.image.id)
        join(parent, a.image.id, b.image.id)
        ends.append((pair, a.image.id))
    inside: dict[int, list[SeriesMember]] = defaultdict(list)
    for image_id, member in members.items():
        inside[root_of(parent, image_id)].append(member)
    between: dict[int, list[Pair]] = defaultdict(list)
    for pair, image_id in ends:
        between[root_of(parent, image_id)].append(pair)
    all_series = []
    for root, pictures in inside.items():
        eldest = min((oldest.get(member.image.id, member.image) for member in pictures), key=lambda image: image.id)
        name = group_id(eldest.sha256, eldest.frame, SALT + salt)
        all_series.append(Series(name, tuple(sorted(pictures, key=_by_path)), tuple(between[root])))
    all_series.sort(key=lambda series: (-len(series.members), _by_path(series.members[0]), series.id))
    return tuple(all_series)


def _by_path(member: SeriesMember) -> tuple[bytes, int]:
    place = next(iter(member.image.locations), None)
    return (b"", 0) if place is None else (bytes(place.path), place.frame)
