"""Groups that remain of a group after decisions: the short ways give what making them anew gives."""

import itertools
import random
from datetime import UTC, datetime

import pytest

from dedupindex.groups.decisions import decided_pairs, sift
from dedupindex.groups.grouping import build_groups
from dedupindex.groups.ranking import Policy
from dedupindex.groups.regrouping import all_regrouped
from dedupindex.records import Decision, DecisionKind, Relation
from dedupindex.settings import Settings
from tests.actions.heaps import image, pair, write

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def anew(group, decisions):
    """By the rules of the report alone."""
    decided = decided_pairs(decisions)
    images = [member.image for member in group.members]
    several = [image for image in images if len(image.locations) > 1]
    alone = [image for image in several if not decided.leaves_out(image.key, image.key, decided=False)]
    pairs = sift((*group.pairs, *group.alternates), decided, show_kept=False)
    policy = Policy.of(Settings(), decided.keepers)
    return build_groups(pairs, alone, policy=policy, apart=decided.apart.values())


@pytest.mark.parametrize("seed", range(12))
def test_the_short_ways_agree_with_the_report(tmp_path, seed):
    rng = random.Random(seed)
    images = []
    for number in range(1, rng.randint(2, 6)):
        data = f"{number}".encode()
        paths = [write(tmp_path / f"{rng.random()}" / f"{number}.jpg", data) for _ in range(rng.choice((1, 1, 2)))]
        images.append(image(number, data, *paths, width=rng.choice((80, 100)), metadata_count=rng.randint(0, 2)))
    kinds = (Relation.REENCODED, Relation.RESIZED, Relation.TONE)
    pairs = [pair(one, other, rng.choice(kinds)) for one, other in itertools.pairwise(images)]
    groups = build_groups(pairs, [one for one in images if len(one.locations) > 1])
    for group in groups:
        keys = [member.image.key for member in group.members]
        for keeper in (keys[0], keys[-1]):
            decisions = [Decision(DecisionKind.KEEPER, keeper, "", "", NOW)]
            assert all_regrouped([group], decisions) == [anew(group, decisions)]
        for kind in (DecisionKind.NOT_DUPLICATE, DecisionKind.KEEP_BOTH):
            decisions = [Decision(kind, p.a.key, p.b.key, "", NOW) for p in group.pairs]
            assert all_regrouped([group], decisions) == [anew(group, decisions)]
            more = [*decisions, Decision(DecisionKind.KEEPER, keys[0], "", "", NOW)]
            assert all_regrouped([group], more) == [anew(group, more)]
    assert all_regrouped(groups, []) == [(group,) for group in groups]
