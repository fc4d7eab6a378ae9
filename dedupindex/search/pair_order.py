"""An order of pairs in which neighbouring pairs have images in common, so that a task needs the features of few images.

Pictures that look alike are each other's candidates by the dozen. Pairs sorted by image give a task one image with all
its partners, and what is made of a picture for its comparisons serves one of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from heapq import heappop, heappush

Pair = tuple[int, int]


def beside_each_other(pairs: Sequence[Pair], size: int) -> list[Pair]:
    """Order pairs so that every *size* of them have few images.

    Each task begins with the first image that has pairs left, and takes in turn the image with the most pairs among
    those it has.

    Parameters
    ----------
    pairs : sequence of (int, int)
        Image ids, no pair twice; the first image to be taken stands first.
    size : int
        Pairs a task.

    Returns
    -------
    list of (int, int)
        The same pairs; the same order for the same pairs in the same order.
    """
    if len(pairs) <= size:
        return list(pairs)
    left: dict[int, dict[int, Pair]] = defaultdict(dict)  # of each image: its partners, and their pair
    for pair in pairs:
        a, b = pair
        left[a][b] = left[b][a] = pair
    ordered: list[Pair] = []
    images = list(left)
    place = 0
    while len(ordered) < len(pairs):
        end = min(len(ordered) // size * size + size, len(pairs))
        taken: set[int] = set()
        shared: dict[int, int] = defaultdict(int)  # images with pairs among those taken, and how many
        best: list[tuple[int, int]] = []  # (-pairs, image), with older, smaller numbers of them
        while len(ordered) < end:
            image = _next(best, shared, taken)
            if image is None:
                while not left[images[place]]:
                    place += 1
                image = images[place]
            taken.add(image)
            for other in list(left[image]):
                if other in taken:
                    ordered.append(left[image].pop(other))
                    del left[other][image]
                else:
                    shared[other] += 1
                    heappush(best, (-shared[other], other))
    return ordered


def _next(best: list[tuple[int, int]], shared: dict[int, int], taken: set[int]) -> int | None:
    """The image with the most pairs among those taken; None where none has any."""
    while best:
        number, image = heappop(best)
        if image not in taken and -number == shared[image]:
            return image
    return None
