"""Groups that remain of one group after decisions on its pictures, by the rules of the report."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from dedupindex.groups.decisions import decided_pairs, sift
from dedupindex.groups.grouping import build_groups
from dedupindex.groups.ranking import Policy
from dedupindex.records import Decision, DuplicateGroup
from dedupindex.settings import Settings


def regrouped(
    group: DuplicateGroup, decisions: Iterable[Decision], settings: Settings = Settings()
) -> tuple[DuplicateGroup, ...]:
    """Groups that remain of a group after decisions on its pictures.

    Parameters
    ----------
    group : DuplicateGroup
    decisions : iterable of Decision
    settings : Settings
        Their keep rules rank the members.

    Returns
    -------
    tuple of DuplicateGroup
        The group itself, smaller ones, or none.
    """
    decided = decided_pairs(decisions)
    images = [member.image for member in group.members]
    alone = [i for i in images if len(i.locations) > 1 and not decided.leaves_out(i.key, i.key, decided=False)]
    pairs = sift((*group.pairs, *group.alternates), decided, show_kept=False)
    return build_groups(pairs, alone, policy=Policy.of(settings, decided.keepers), apart=decided.apart.values())


def all_regrouped(
    groups: Sequence[DuplicateGroup], decisions: Iterable[Decision], settings: Settings = Settings()
) -> list[tuple[DuplicateGroup, ...]]:
    """Groups that remain of each of several groups after decisions.

    Each group is shown only the decisions on its own pictures, so that many groups and many decisions cost their sum.

    Parameters
    ----------
    groups : sequence of DuplicateGroup
    decisions : iterable of Decision
    settings : Settings
        Their keep rules rank the members.

    Returns
    -------
    list of tuple of DuplicateGroup
        For each group in turn what `regrouped` gives.
    """
    by_key: dict[str, list[Decision]] = defaultdict(list)
    for decision in decisions:
        by_key[decision.a].append(decision)
    return [
        regrouped(group, [d for key in _keys(group) for d in by_key.get(key, ())], settings) for group in groups
    ]


def _keys(group: DuplicateGroup) -> Iterable[str]:
    """Content keys of the pictures of a group and beside it, each once."""
    own = [member.image.key for member in group.members]
    if not group.alternates:
        return own
    return dict.fromkeys([*own, *(image.key for pair in group.alternates for image in (pair.a, pair.b))])
