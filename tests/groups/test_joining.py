"""Who belongs together, against a slow reading of the rule."""

from hypothesis import given
from hypothesis import strategies as st

from dedupindex.groups.joining import joined
from dedupindex.records import Link

EDGES = st.lists(
    st.tuples(st.integers(0, 8), st.integers(0, 8), st.sampled_from(Link)).filter(lambda edge: edge[0] < edge[1]),
    unique_by=lambda edge: edge[:2],
)


def parts(nodes, edges):
    """Connected components, the slow way."""
    found = {node: {node} for node in nodes}
    for _ in nodes:
        for a, b in edges:
            both = found[a] | found[b]
            for node in both:
                found[node] = both
    return found


@given(EDGES, st.randoms())
def test_against_the_rule(edges, random):
    nodes = {node for a, b, _ in edges for node in (a, b)}
    copies = [(a, b) for a, b, link in edges if link is Link.COPY]
    sides = parts(nodes, copies)
    alternates = [(a, b) for a, b, link in edges if link is Link.ALTERNATE]

    def apart(a, b):
        return any((x in sides[a] and y in sides[b]) or (x in sides[b] and y in sides[a]) for x, y in alternates)

    more = [(a, b) for a, b, link in edges if link is Link.UNPROVEN and not apart(a, b)]
    whole = parts(nodes, copies + more)
    touched = {node for edge in copies + more for node in edge}
    shuffled = list(edges)
    random.shuffle(shuffled)
    assert joined(shuffled) == joined(edges) == {node: min(whole[node]) for node in touched}


def test_groups_do_not_chain_through_alternates():
    copies = [(1, 2, Link.COPY), (3, 4, Link.COPY)]
    assert joined([*copies, (2, 3, Link.ALTERNATE)]) == {1: 1, 2: 1, 3: 3, 4: 3}
    assert joined([*copies, (2, 3, Link.UNPROVEN)]) == {1: 1, 2: 1, 3: 1, 4: 1}
    assert joined([*copies, (2, 3, Link.UNPROVEN), (1, 4, Link.ALTERNATE)]) == {1: 1, 2: 1, 3: 3, 4: 3}
    assert joined([(5, 6, Link.WITHDRAWN), (6, 7, Link.ALTERNATE)]) == {}
