"""Groups that remain of one group after decisions on its pictures, by the rules of the report."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from dedupindex.groups.decisions import DecidedPairs, decided_pairs, sift
from dedupindex.groups.grouping import build_groups
from dedupindex.groups.ranking import DECIDED, DECIDED_WORDS, Policy
from dedupindex.records import Decision, DuplicateGroup, FlagKind
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
    if (led := _led_by_decision(group, decided)) is not None:
        return (led,)
    images = [member.image for member in group.members]
    alone = [i for i in images if len(i.locations) > 1 and not decided.leaves_out(i.key, i.key, decided=False)]
    if not alone and all(decided.leaves_out(pair.a.key, pair.b.key, decided=False) for pair in group.pairs):
        return ()
    pairs = sift((*group.pairs, *group.alternates), decided, show_kept=False)
    return build_groups(pairs, alone, policy=Policy.of(settings, decided.keepers), apart=decided.apart.values())


def _led_by_decision(group: DuplicateGroup, decided: DecidedPairs) -> DuplicateGroup | None:
    """Return a group whose first picture was decided to be the keeper, where nothing else about it can change.

    Accepting the suggestion is what is done to very many groups at once: the order stays, and only the reason is
    another one. None: the group has to be made anew.
    """
    members = group.members
    parted = any(flag.kind in (FlagKind.NOT_DUPLICATE, FlagKind.KEEP_BOTH) for flag in group.flags)
    if decided.apart or parted or decided.keepers.intersection(one.image.key for one in members[1:]):
        return None
    if members[0].image.key not in decided.keepers or any(one.keeper for one in members):
        return None
    if any(not one.image.locations or any(place.missing for place in one.image.locations) for one in members):
        return None
    if len(members) == 1:  # the places of one picture: the decision tells none of them from another
        return replace(group, members=(replace(members[0], keeper=True),))
    first, *others = (replace(one, rule=DECIDED, because=DECIDED_WORDS, judgement=False) for one in members)
    return replace(group, members=(replace(first, keeper=True), *others))


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
    return [regrouped(group, [d for key in _keys(group) for d in by_key.get(key, ())], settings) for group in groups]


def _keys(group: DuplicateGroup) -> Iterable[str]:
    """Content keys of the pictures of a group and beside it, each once."""
    own = [member.image.key for member in group.members]
    if not group.alternates:
        return own
    return dict.fromkeys([*own, *(image.key for pair in group.alternates for image in (pair.a, pair.b))])
