"""Time left: near the truth soon, steady, and none where it is not known."""

import random
from itertools import pairwise

import pytest

from dedupindex.cli import time_left
from dedupindex.cli.time_left import TimeLeft


@pytest.fixture
def clock(monkeypatch):
    """A clock that is set by hand."""
    now = [1000.0]
    monkeypatch.setattr(time_left.time, "monotonic", lambda: now[0])
    return now


def run(clock, costs, start=5.0, together=1):
    """What is shown after each file, with the truth; files cost seconds, results come so many *together*."""
    left = TimeLeft(len(costs))
    clock[0] += start
    shown, ends = [], clock[0] + sum(costs)
    for number in range(0, len(costs), together):
        clock[0] += sum(costs[number : number + together])
        left.advance(len(costs[number : number + together]))
        shown.append((left.seconds(), ends - clock[0]))
    return shown


@pytest.mark.parametrize("together", [1, 8, 60])
@pytest.mark.parametrize("kind", ["even", "mixed", "large ones among them"])
def test_it_is_right_after_the_first_tenth(clock, kind, together):
    rng = random.Random(1)
    cost = {"even": lambda: 0.02, "mixed": lambda: rng.uniform(0.001, 0.06),
            "large ones among them": lambda: 1.0 if rng.random() < 0.02 else 0.02}[kind]  # fmt: skip
    shown = run(clock, [cost() for _ in range(5000)], together=together)
    tenth, last = len(shown) // 10, len(shown) * 9 // 10
    factor = 2.5 if kind.startswith("large") else 1.5  # half of the time goes into one file of fifty
    assert all(truth / factor < said < truth * factor for said, truth in shown[tenth:last])


def test_it_never_jumps_to_and_fro(clock):
    rng = random.Random(2)
    shown = [said for said, _ in run(clock, [rng.expovariate(50) for _ in range(20_000)])][2000:]
    up = sum(later > sooner for sooner, later in pairwise(shown))
    assert up <= 5


def test_it_follows_when_work_gets_slower(clock):
    shown = run(clock, [0.01] * 3000 + [0.1] * 3000)
    said, truth = shown[3000 + 650]  # a minute later
    assert truth / 1.5 < said < truth * 1.5


def test_nothing_is_said_that_is_not_known(clock):
    left = TimeLeft()
    assert left.text() == ""
    left.advance(5)
    clock[0] += 10
    left.advance(5)
    left.advance(5)
    assert left.text() == ""
    left.total = 100
    assert left.text() != ""


@pytest.mark.parametrize(("pace", "words"), [(0.1, "10 s left"), (1, "1 min 40 s left"), (100, "2 h 46 min left")])
def test_words(clock, pace, words):
    left = TimeLeft(200)
    for _ in range(100):
        clock[0] += pace
        left.advance(1)
    assert left.text() == words
