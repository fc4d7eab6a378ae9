from hypothesis import given, settings
from hypothesis import strategies as st

from dedupindex.search.pair_set import PairSet

pairs = st.tuples(st.integers(1, 12), st.integers(1, 12))


@given(steps=st.lists(st.lists(pairs, max_size=15), max_size=12), asked=st.lists(pairs, max_size=30))
@settings(max_examples=60, deadline=None)
def test_it_is_a_set_of_unordered_pairs(steps, asked):
    judged, plain = PairSet(), set()
    for some in steps:
        fresh = [pair for pair in {tuple(sorted(p)) for p in some} if pair not in plain]
        judged.add(fresh)
        plain.update(fresh)
    assert len(judged) == len(plain)
    assert judged.new(asked) == [pair for pair in asked if tuple(sorted(pair)) not in plain]


@given(some=st.sets(pairs, max_size=30), waiting=st.sets(st.integers(1, 12)))
@settings(max_examples=60, deadline=None)
def test_pairs_that_nobody_will_ask_for_are_forgotten(some, waiting):
    judged = PairSet()
    judged.add(some)
    judged.keep_open(waiting)
    for pair in some:
        assert judged.new([pair]) == ([] if set(pair) & waiting else [pair])
