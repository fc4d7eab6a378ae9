"""Pairs in an order in which neighbours have images in common."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dedupindex.search.pair_order import beside_each_other

IMAGE = st.integers(0, 30)
PAIRS = st.lists(st.tuples(IMAGE, IMAGE).filter(lambda pair: pair[0] != pair[1]), unique_by=frozenset, max_size=120)


def images(pairs, size):
    """How many images the tasks have together."""
    return sum(len(set(itertools.chain(*pairs[start : start + size]))) for start in range(0, len(pairs), size))


@given(pairs=PAIRS, size=st.integers(1, 50))
def test_pairs_stay_the_same_ones(pairs, size):
    ordered = beside_each_other(pairs, size)
    assert sorted(ordered) == sorted(pairs)
    assert ordered == beside_each_other(pairs, size)


def test_what_fits_one_task_keeps_its_order():
    pairs = [(5, 1), (2, 9), (1, 2)]
    assert beside_each_other(pairs, 3) == pairs


def test_a_crowd_needs_few_images_a_task():
    random = np.random.default_rng(3)
    crowd = [(a, b) for a in range(200) for b in range(a) if random.random() < 0.2]
    assert images(beside_each_other(crowd, 64), 64) < 0.5 * images(crowd, 64)


def test_two_groups_that_alternate_are_told_apart():
    one, other = (list(itertools.combinations(range(start, 40, 2), 2)) for start in (0, 1))
    mixed = [pair for both in zip(one, other, strict=True) for pair in both]
    ordered = beside_each_other(mixed, 95)
    assert images(ordered, 95) < 0.6 * images(mixed, 95)
