"""How much of a test is done by default: few of all combinations of its parameters, few examples of a property."""

import os
from itertools import product

import hypothesis
import pytest

MORE = int(os.environ.get("DEDUPINDEX_TEST_EXAMPLES", "1"))  # times as many examples


def examples(number: int) -> hypothesis.settings:
    """Settings of a property with so many examples, or a multiple that whoever runs the tests asks for."""
    return hypothesis.settings(max_examples=number * MORE, deadline=None)


def crossed(names: str, *axes):
    """Parametrize over all combinations of the axes' values.

    Not slow are as many as the longest axis has: the first values of all axes, then the second ones, and so on, over
    and over for shorter axes, so that each value is among them. A value may be a `pytest.param`.
    """
    axes = [list(axis) for axis in axes]
    few = {tuple(turn % len(axis) for axis in axes) for turn in range(max(map(len, axes)))}
    cases = []
    for places in product(*(range(len(axis)) for axis in axes)):
        values, marks = [], [] if places in few else [pytest.mark.slow]
        for axis, place in zip(axes, places, strict=True):
            value = axis[place]
            marks += getattr(value, "marks", ())
            value = value.values if hasattr(value, "marks") else value if isinstance(value, tuple) else (value,)
            values += value
        cases.append(pytest.param(*values, marks=marks))
    return pytest.mark.parametrize(names, cases)
