"""Alternates that somebody decided against: pictures of one scene or template of which only another one is wanted.

No copy of such a picture stays, so a plan takes it only where it was asked for it (`PlanOptions.alternates`), and only
by a decision of a person about that very content (`DecisionKind.KEEP_ONE`). Applying compares the digests again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dedupindex.groups.decisions import images_of, surplus
from dedupindex.groups.report import present
from dedupindex.records import Decision, DecisionKind, DuplicateGroup, ImageRecord
from dedupindex.store.database import Database

BECAUSE = "somebody decided that only the other one of the two is wanted"


@dataclass(frozen=True, slots=True)
class Surplus:
    """A picture that may go although no copy of it stays.

    Attributes
    ----------
    going : ImageRecord
    stays : ImageRecord
        The picture of the same scene or template that is kept.
    group : str
        Id of a group beside which, or in which, one of the two stands; "" = none.
    """

    going: ImageRecord
    stays: ImageRecord
    group: str = ""


def decided_images(database: Database, decisions: Iterable[Decision]) -> dict[str, ImageRecord]:
    """Return the images that decisions ``keep-one`` are about, with their present places, by content key."""
    keys = {key for d in decisions if d.kind == DecisionKind.KEEP_ONE for key in (d.a, d.b)}
    return {key: present(image) for key, image in images_of(database, keys).items()} if keys else {}


def chosen_alternates(
    decisions: Iterable[Decision], images: Mapping[str, ImageRecord], groups: Iterable[DuplicateGroup]
) -> list[Surplus]:
    """Return the pictures that somebody decided against.

    Parameters
    ----------
    decisions : iterable of Decision
        All that there are.
    images : mapping of str to ImageRecord
        By content key, with present places only. A picture that is not among them neither goes nor stays.
    groups : iterable of DuplicateGroup
        That the plan is made of, for the ids.

    Returns
    -------
    list of Surplus
        By content key. Single frames of a file are left out: a file goes as a whole.
    """
    known = [
        (images[going], images[stays])
        for going, stays in sorted(surplus(decisions).items())
        if going in images and stays in images
    ]
    inside: dict[str, str] = {}
    if known:
        for group in groups:
            ends = [image for pair in group.alternates for image in (pair.a, pair.b)]
            for image in (*(member.image for member in group.members), *ends):
                inside.setdefault(image.key, group.id)
    return [
        Surplus(going, stays, inside.get(going.key, inside.get(stays.key, "")))
        for going, stays in known
        if not (going.is_in_stack or going.is_further_picture) and going.sha256 != stays.sha256
    ]
