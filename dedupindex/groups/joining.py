"""Which images belong together, by links between their numbers; the same rule for reports and for snapshots."""

from __future__ import annotations

from collections.abc import Iterable

from dedupindex.records import Link

Edge = tuple[int, int]


def joined(edges: Iterable[tuple[int, int, Link]]) -> dict[int, int]:
    """Return the smallest image of the group in which each image is, for the images that are in one.

    Proven copies join first. What is not proven joins too, except where the two sides are proven alternates of each
    other: groups are not joined through alternates. The order of the edges does not matter.

    Parameters
    ----------
    edges : iterable of (int, int, Link)
        Images and what their pair is.
    """
    parent: dict[int, int] = {}
    unproven: list[Edge] = []
    alternates: list[Edge] = []
    for a, b, link in edges:
        if link is Link.COPY:
            parent.setdefault(a, a)
            parent.setdefault(b, b)
            join(parent, a, b)
        elif link is Link.UNPROVEN:
            unproven.append((a, b))
        elif link is Link.ALTERNATE:
            alternates.append((a, b))
    if unproven:
        sides = {image: root_of(parent, image) for image in parent}  # before anything unproven joins

        def side_of(image: int) -> int:
            return sides.get(image, image)

        apart = {frozenset((side_of(a), side_of(b))) for a, b in alternates}
        for a, b in unproven:
            if frozenset((side_of(a), side_of(b))) not in apart:
                parent.setdefault(a, a)
                parent.setdefault(b, b)
                join(parent, a, b)
    return {image: root_of(parent, image) for image in parent}


def join(parent: dict[int, int], a: int, b: int) -> None:
    """Join two sets of a union-find forest, in place; the smallest number becomes the root.

    Parameters
    ----------
    parent : dict of int to int
        The forest: each number with the one above it; a root with itself.
    a, b : int
        A member of each set.
    """
    a, b = root_of(parent, a), root_of(parent, b)
    if a != b:
        parent[max(a, b)] = min(a, b)


def root_of(parent: dict[int, int], node: int) -> int:
    """Root of a node; the path to it is halved."""
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = parent[node]
    return node
