"""Whether a pair joins two images into one group, by its relations."""

from __future__ import annotations

from enum import IntEnum

from dedupindex.records.verdicts import Relation


class Link(IntEnum):
    """How a pair counts when groups are made."""

    COPY = 0  # proven copies, edited ones too, or the same bytes or pixels: one group
    UNPROVEN = 1  # copies as seen at 128 pixels, the files were not compared: one group, marked
    ALTERNATE = 2  # the same scene or template with other content: not one group, listed separately
    WITHDRAWN = 3  # the files are of different pictures: in no report, group or plan


def link_of(relations: tuple[Relation, ...]) -> Link:
    """Return how a pair counts when groups are made, from its relations after the proof (`relations_after`)."""
    if not relations:
        return Link.WITHDRAWN
    if Relation.ALTERNATE in relations:
        return Link.ALTERNATE
    return Link.UNPROVEN if Relation.UNPROVEN in relations else Link.COPY
