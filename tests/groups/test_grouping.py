import itertools
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from dedupindex.groups.grouping import bridges, build_groups
from dedupindex.records import (
    ImageRecord,
    LocationRecord,
    Outcome,
    Pair,
    Proof,
    Registration,
    Relation,
    Verification,
)

SAME = Proof(Outcome.SAME)


def image(number: int, **changes) -> ImageRecord:
    values = {
        "id": number, "sha256": bytes([number]) * 32, "frame": 0, "format": "PNG", "width": 100, "height": 50,
        "bits": 8, "channels": 3, "valid_share": 1.0, "low_information": False, "scaling": "",
        "locations": (LocationRecord(Path(f"/{number}.png"), mtime_ns=5),),
    }  # fmt: skip
    return ImageRecord(**(values | changes))


def pair(a: int, b: int, score: float = 0.9, **changes) -> Pair:
    one, other = image(min(a, b), **changes), image(max(a, b), **changes)
    found = Verification(True, score, (Relation.RESIZED,), Registration((0.0, 0.0)), "test")
    return Pair(one, other, found, proof=SAME)


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)).filter(lambda p: p[0] < p[1]), unique=True))
@settings(max_examples=60, deadline=None)
def test_groups_are_the_connected_components_whatever_the_order(edges):
    groups = build_groups([pair(a, b) for a, b in edges])
    found = {frozenset(member.image.id for member in group.members) for group in groups}
    nodes = {n for edge in edges for n in edge}
    reach = {n: {n} for n in nodes}
    for _ in nodes:
        for a, b in edges:
            both = reach[a] | reach[b]
            for n in both:
                reach[n] = reach[n] | both
    assert found == {frozenset(some) for some in reach.values()}
    again = build_groups([pair(a, b) for a, b in reversed(edges)])
    assert [g.id for g in again] == [g.id for g in groups]
    assert all(len(g.pairs) >= len(g.members) - 1 for g in groups)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)).filter(lambda p: p[0] < p[1]), unique=True))
@settings(max_examples=80, deadline=None)
def test_bridges_by_definition(edges):
    neighbours = {}
    for a, b in edges:
        neighbours.setdefault(a, set()).add(b)
        neighbours.setdefault(b, set()).add(a)

    def parts(nodes):
        left, sizes = set(nodes), []
        while left:
            todo, seen = [left.pop()], set()
            while todo:
                node = todo.pop()
                seen.add(node)
                todo += [o for o in neighbours[node] if o in left]
                left -= neighbours[node]
            sizes.append(len(seen))
        return sizes

    if len(neighbours) < 5 or len(parts(neighbours)) != 1:
        return
    expected = [n for n in sorted(neighbours) if sum(s >= 2 for s in parts(set(neighbours) - {n})) >= 2]
    assert bridges(neighbours) == expected


def test_groups_are_listed_in_one_order_whoever_was_stored_first():
    def listed(order):
        ids = {number: place for place, number in enumerate(order, 1)}
        pairs = [Pair(image(a, id=ids[a]), image(b, id=ids[b]), pair(a, b).verification) for a, b in wanted]
        groups = build_groups(pairs)
        return [[member.image.key for member in group.members] for group in groups], [group.id for group in groups]

    wanted = [(1, 2), (3, 4), (5, 6), (7, 8), (9, 10), (9, 11)]
    one, other = listed(range(1, 12)), listed(range(11, 0, -1))
    expected = [[image(n).key for n in some] for some in ((9, 10, 11), (1, 2), (3, 4), (5, 6), (7, 8))]
    assert one[0] == other[0] == expected
    assert set(one[1]).isdisjoint(other[1])  # the ids differ, and with them their order


def test_bridge_and_flood_are_flagged():
    clique = list(itertools.combinations((1, 2, 3), 2)) + list(itertools.combinations((3, 4, 5), 2))
    [group] = build_groups([pair(a, b) for a, b in clique])
    assert [str(flag) for flag in group.flags] == [f"bridge:{image(3).key}"]
    [group] = build_groups([pair(1, n) for n in range(2, 60)])
    assert [str(flag) for flag in group.flags] == [f"flood:{image(1).key}"]


def test_representative_and_relations():
    best = image(3, width=200, height=100)
    middle, worst = image(2), image(1, width=50, height=25)
    proof = Verification(True, 0.8, (Relation.RESIZED, Relation.TONE), Registration((0.0, 0.0), scale=0.5), "test")
    weak = Verification(True, 0.6, (Relation.RESIZED,), Registration((0.0, 0.0), scale=0.5), "test")
    [group] = build_groups([Pair(middle, best, proof, proof=SAME), Pair(worst, middle, weak, proof=SAME)])
    assert [(m.image.id, m.relation, m.score) for m in group.members] == [
        (3, "representative", 0.8),
        (2, "resized+tone", 0.8),
        (1, "", 0.6),
    ]
    assert group.weakest.verification is weak


def test_one_image_at_two_places_is_a_group():
    twice = image(1, locations=(LocationRecord(Path("/a")), LocationRecord(Path("/b"))))
    [group] = build_groups([], [twice])
    assert group.weakest is None
    assert group.pairs == ()
    assert [m.image for m in group.members] == [twice]
    [joined] = build_groups([Pair(twice, image(2), pair(1, 2).verification)], [twice])
    assert len(joined.members) == 2
