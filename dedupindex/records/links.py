"""Whether a pair joins two images into one group, by what may be said of it."""

from __future__ import annotations

from enum import IntEnum

from dedupindex.records.verdicts import Relation


class Link(IntEnum):
    """What a pair is to the groups."""

    COPY = 0  # proven copies, edited ones too, or the same bytes or pixels: one group
    UNPROVEN = 1  # taken for copies at 128 pixels, the files were not compared: one group, and said so
    ALTERNATE = 2  # the same scene or template with other content: not one group, listed beside
    WITHDRAWN = 3  # the files are of different pictures: in no report, group or plan


def link_of(relations: tuple[Relation, ...]) -> Link:
    """Return what a pair is to the groups, from what may be said of it (`relations_after`)."""
    if not relations:
        return Link.WITHDRAWN
    if Relation.ALTERNATE in relations:
        return Link.ALTERNATE
    return Link.UNPROVEN if Relation.UNPROVEN in relations else Link.COPY
