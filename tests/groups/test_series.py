from dataclasses import replace

from dedupindex.groups.grouping import build_groups
from dedupindex.groups.report import listed_pairs
from dedupindex.groups.series import build_series
from dedupindex.records import FlagKind, Outcome, Proof
from tests.groups.test_grouping import pair


def alternate(a, b):
    return replace(pair(a, b), proof=Proof(Outcome.ALTERNATE, changed=0.2))


def listed(found):
    return [[member.image.id for member in series.members] for series in found]


def test_components_with_groups_as_one_picture():
    pairs = [pair(1, 2), pair(3, 4), alternate(2, 3), alternate(4, 5), alternate(7, 8)]
    groups = build_groups(pairs)
    found = build_series(groups, pairs)
    assert listed(found) == [[1, 3, 5], [7, 8]]
    assert [member.group for member in found[0].members] == [groups[0].id, groups[1].id, ""]
    assert [len(series.pairs) for series in found] == [2, 1]
    assert len({series.id for series in found} | {group.id for group in groups}) == 4


def test_the_order_of_pairs_plays_no_part():
    pairs = [pair(1, 2), alternate(2, 3), alternate(3, 4), alternate(6, 9)]
    one, other = (build_series(build_groups(some), some) for some in (pairs, pairs[::-1]))
    assert [(series.id, series.members) for series in one] == [(series.id, series.members) for series in other]


def test_alternates_stand_beside_the_group():
    pairs = [pair(1, 2), alternate(2, 3)]
    [group] = build_groups(pairs)
    assert [member.image.id for member in group.members] == [1, 2]
    assert [{p.a.id, p.b.id} for p in group.alternates] == [{2, 3}]
    assert group.flags == ()


def test_alternates_that_hang_together_through_others_are_flagged():
    pairs = [pair(1, 2), pair(2, 3), alternate(1, 3)]
    [group] = build_groups(pairs)
    [flag] = group.flags
    assert flag.kind is FlagKind.ALTERNATE
    assert str(flag) == f"alternate:{pairs[2].a.key}+{pairs[2].b.key}"
    assert build_series([group], pairs) == ()
    assert {(one.a.id, one.b.id) for one in listed_pairs([group])} == {(1, 2), (2, 3), (1, 3)}


def test_pairs_list_each_alternate_once():
    pairs = [pair(1, 2), pair(2, 3), alternate(1, 3), alternate(3, 4), pair(5, 6), alternate(2, 5)]
    groups = build_groups(pairs)
    listed = listed_pairs(groups, build_series(groups, pairs))
    assert sorted((one.a.id, one.b.id) for one in listed) == sorted((one.a.id, one.b.id) for one in pairs)


def test_what_is_withdrawn_is_nowhere():
    gone = replace(pair(1, 2), proof=Proof(Outcome.DIFFERENT))
    assert build_groups([gone]) == ()
    assert build_series((), [gone]) == ()


def test_an_image_at_several_places_has_its_alternates_too():
    made = alternate(1, 2)
    [group] = build_groups([made], [made.a])
    assert group.alternates == (made,)
