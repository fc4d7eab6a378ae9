"""Duplicate groups from confirmed pairs: members, representative, and warnings.

Groups are made of copies. Pairs that are proven alternates join nothing; they are listed separately.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from dedupindex.groups.joining import joined
from dedupindex.groups.ranking import Policy, Ranked, Reason, ranking, reason, rule_order
from dedupindex.records import (
    Decision,
    DuplicateGroup,
    FlagKind,
    GroupFlag,
    GroupMember,
    ImageRecord,
    Link,
    LocationRecord,
    Pair,
)

FLOOD = 50  # pairs of one image beyond which it is suspicious: a blank page, a logo, a title card
LINKED = "representative"


def build_groups(
    pairs: Sequence[Pair],
    alone: Iterable[ImageRecord] = (),
    *,
    policy: Policy = Policy(),
    apart: Iterable[Decision] = (),
    salt: bytes = b"",
) -> tuple[DuplicateGroup, ...]:
    """Connected components of pairs of copies (`joined`), and images at several places.

    Parameters
    ----------
    pairs : sequence of Pair
        Best first. Alternates among them join nothing; withdrawn ones are left out.
    alone : iterable of ImageRecord
        Images with several present locations; those that stand in no pair make a group of their own.
    policy : Policy
        By which the members are ranked.
    apart : iterable of Decision
        Decisions on two images. A group in which both stand, through others or because they are shown all the same,
        is flagged.
    salt : bytes
        Goes into the ids, where one image may stand in several groups.

    Returns
    -------
    tuple of DuplicateGroup
        Largest first, then by path (`largest_first`). The id comes from the content of the member that was stored
        first: it stays while others join and leave.
    """
    links = [(pair, pair.link) for pair in pairs]
    root = joined((pair.a.id, pair.b.id, link) for pair, link in links)
    images: dict[int, ImageRecord] = {}
    inside: dict[int, list[Pair]] = defaultdict(list)
    beside: dict[int, list[Pair]] = defaultdict(list)
    for pair, link in links:
        ends = root.get(pair.a.id), root.get(pair.b.id)
        if link is Link.ALTERNATE:
            for group in {end for end in ends if end is not None}:
                beside[group].append(pair)
        elif link is not Link.WITHDRAWN and ends[0] is not None and ends[0] == ends[1]:
            images[pair.a.id], images[pair.b.id] = pair.a, pair.b
            inside[ends[0]].append(pair)
    members: dict[int, list[ImageRecord]] = defaultdict(list)
    for image_id, image in images.items():
        members[root[image_id]].append(image)
    severed: dict[int, list[Decision]] = defaultdict(list)
    by_key = {image.key: image.id for image in images.values()}
    for decision in apart:
        if decision.a in by_key and decision.b in by_key:
            group = root[by_key[decision.a]]
            if group == root[by_key[decision.b]]:
                severed[group].append(decision)
    groups = [_group(members[g], inside[g], beside[g], policy, severed[g], salt) for g in members]
    single: dict[int, list[Pair]] = defaultdict(list)  # alternates of images that are in no pair of copies
    for pair, link in links:
        if link is Link.ALTERNATE:
            for image in (pair.a, pair.b):
                if image.id not in images:
                    single[image.id].append(pair)
    groups += [_group([image], [], single[image.id], policy, (), salt) for image in alone if image.id not in images]
    groups.sort(key=largest_first)
    return tuple(groups)


def largest_first(group: DuplicateGroup) -> tuple[int, tuple[bytes, int], str]:
    """Sort key: groups at many places first, then by the first of their paths and frames.

    Not by id alone: it depends on which worker was first, and the same pictures must be listed in the same order every
    time. Not by the representative: a decision must not move a group within the list. The id orders groups of one file
    in several folders.
    """
    places = [(bytes(place.path), place.frame) for member in group.members for place in member.image.locations]
    return -len(places), min(places, default=(b"", 0)), group.id


def group_id(sha256: bytes, frame: int, salt: bytes = b"") -> str:
    """Id of the group in which this content was stored first.

    Parameters
    ----------
    sha256 : bytes
        Digest of the file's bytes, 32 bytes.
    frame : int
        Frame number.
    salt : bytes
        Tells apart groups of one image in several folders.

    Returns
    -------
    str
        12 hexadecimal digits.
    """
    return hashlib.sha256(sha256 + frame.to_bytes(8, "big") + salt).hexdigest()[:12]


def _group(
    images: list[ImageRecord],
    pairs: list[Pair],
    beside: list[Pair],
    policy: Policy,
    severed: Sequence[Decision],
    salt: bytes,
) -> DuplicateGroup:
    ranked = ranking(images, pairs, policy)
    ordered: dict[int, list[LocationRecord]] = {one.contender.image.id: [] for one in ranked}
    files: dict[int, Ranked] = {}
    for one in ranked:
        ordered[one.contender.image.id].append(one.contender.place)
        files.setdefault(one.contender.image.id, one)
    for image in sorted(images, key=lambda image: (image.sha256, image.frame)):
        ordered.setdefault(image.id, [])  # without any place: last
    by_id = {image.id: image for image in images}
    first = next(iter(ordered))
    relation = {first: LINKED}
    best: dict[int, float] = defaultdict(float)
    for pair in pairs:
        for one_of, other in ((pair.a, pair.b), (pair.b, pair.a)):
            best[one_of.id] = max(best[one_of.id], pair.verification.score)
            if other.id == first:
                relation[one_of.id] = "+".join(pair.relations)
    if not pairs:
        best[first] = 1.0  # the same bytes at several places
    reasons = _reasons(policy, ranked, list(files.values()))
    members = [
        GroupMember(
            image=replace(by_id[image], locations=tuple(places)),
            relation=relation.get(image, ""),
            score=best[image],
            keeper=by_id[image].key in policy.keepers,
            rule=reasons[image].rule if image in reasons else "",
            because=reasons[image].words if image in reasons else "",
            judgement=image in reasons and reasons[image].judgement,
        )
        for image, places in ordered.items()
    ]
    oldest = min(images, key=lambda image: image.id)
    return DuplicateGroup(
        id=group_id(oldest.sha256, oldest.frame, salt),
        members=tuple(members),
        pairs=tuple(pairs),
        weakest=min(pairs, key=lambda pair: pair.verification.score) if pairs else None,
        flags=(
            *_flags(images, pairs, beside),
            *(GroupFlag(FlagKind(decision.kind.replace("-", "_")), (decision.a, decision.b)) for decision in severed),
        ),
        alternates=tuple(beside),
    )


def _reasons(policy: Policy, ranked: Sequence[Ranked], files: Sequence[Ranked]) -> dict[int, Reason]:
    """Why each image stands behind the first one, by its id; of the first one, why it stands before the next.

    Parameters
    ----------
    ranked, files : sequence of Ranked
        All files, and the first one of each image. A single image at several places stands before its next place.
    """
    rules = rule_order(policy.rules)
    reasons: dict[int, Reason] = {}
    for file in files[1:] or ranked[1:2]:
        why = reason(rules, ranked[0], file)
        if why is not None:
            reasons.setdefault(ranked[0].contender.image.id, why)
            reasons.setdefault(file.contender.image.id, why)
    return reasons


def _flags(images: Sequence[ImageRecord], pairs: Sequence[Pair], beside: Sequence[Pair]) -> list[GroupFlag]:
    neighbours: dict[int, set[int]] = defaultdict(set)
    for pair in pairs:
        neighbours[pair.a.id].add(pair.b.id)
        neighbours[pair.b.id].add(pair.a.id)
    keys = {image.id: image.key for image in images}
    floods = (keys[image] for image, others in neighbours.items() if len(others) > FLOOD)
    inside = ((pair.a.key, pair.b.key) for pair in beside if pair.a.id in keys and pair.b.id in keys)
    return [
        *(GroupFlag(FlagKind.BRIDGE, (key,)) for key in sorted(keys[image] for image in bridges(neighbours))),
        *(GroupFlag(FlagKind.FLOOD, (key,)) for key in sorted(floods)),
        *(GroupFlag(FlagKind.ALTERNATE, both) for both in sorted(inside)),
    ]


def bridges(neighbours: Mapping[int, set[int]]) -> list[int]:
    """Images whose removal leaves at least two parts of two or more images each.

    Articulation points of a connected graph by depth-first search (Hopcroft and Tarjan 1973,
    doi:10.1145/362248.362272), without recursion; a part of one image is only a copy, not another group.
    """
    if len(neighbours) < 5:
        return []
    start = min(neighbours)
    number = {start: 0}
    low = {start: 0}
    size = {start: 1}
    parts: dict[int, list[int]] = defaultdict(list)
    stack = [(start, start, iter(sorted(neighbours[start])))]
    while stack:
        node, above, rest = stack[-1]
        for other in rest:
            if other not in number:
                number[other] = low[other] = len(number)
                size[other] = 1
                stack.append((other, node, iter(sorted(neighbours[other]))))
                break
            if other != above:
                low[node] = min(low[node], number[other])
        else:
            stack.pop()
            if stack:
                low[above] = min(low[above], low[node])
                size[above] += size[node]
                if low[node] >= number[above]:
                    parts[above].append(size[node])
    cut_nodes = []
    for node, below in parts.items():
        outside = len(neighbours) - 1 - sum(below)
        if sum(part >= 2 for part in [*below, outside]) >= 2:
            cut_nodes.append(node)
    return sorted(cut_nodes)
