"""Groups that remain of one group after decisions on its pictures, by the rules of the report."""

from __future__ import annotations

from collections.abc import Iterable

from dedupindex.groups.decisions import decided_pairs, sift
from dedupindex.groups.grouping import build_groups
from dedupindex.groups.ranking import Policy
from dedupindex.records import Decision, DuplicateGroup
from dedupindex.settings import Settings


def regrouped(
    group: DuplicateGroup, decisions: Iterable[Decision], settings: Settings = Settings()
) -> tuple[DuplicateGroup, ...]:
    """Groups that remain of a group after decisions on its pictures: itself, smaller ones, or none.

    Parameters
    ----------
    group : DuplicateGroup
    decisions : iterable of Decision
    settings : Settings
        Those by which the members are ranked.

    Returns
    -------
    tuple of DuplicateGroup
    """
    decided = decided_pairs(decisions)
    images = [member.image for member in group.members]
    alone = [i for i in images if len(i.locations) > 1 and not decided.leaves_out(i.key, i.key, decided=False)]
    pairs = sift(group.pairs, decided, show_kept=False)
    return build_groups(pairs, alone, policy=Policy.of(settings, decided.keepers), apart=decided.apart.values())
