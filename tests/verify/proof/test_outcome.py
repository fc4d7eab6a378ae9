"""The decision, on figures of pairs that were seen."""

import pytest

from dedupindex.records import Outcome
from dedupindex.verify.proof.outcome import Evidence, judge
from dedupindex.verify.proof.thresholds import THRESHOLDS


def evidence(**known):
    same = {"places": 0, "share": 0.0, "replaced": 0.0, "fill": 1.0, "agreement": 0.99, "rest": 0.99}
    return Evidence(**{**same, "displaced": 0.0, "moved": 0.0, **known})


CASES = {
    "a copy": (evidence(), Outcome.SAME),
    "a caption": (evidence(places=1, share=0.13, replaced=0.03, fill=0.97, agreement=0.97), Outcome.EDITED),
    "writing on a smooth picture": (evidence(places=2, share=0.04, replaced=0.8, fill=0.7, rest=1.0), Outcome.EDITED),
    "a sticker": (evidence(places=1, share=0.3, replaced=0.35, fill=0.9, agreement=0.7), Outcome.EDITED),
    "a watermark all over": (
        evidence(places=9, share=0.21, replaced=0.21, fill=0.81, agreement=0.92),
        Outcome.ALTERNATE,
    ),
    "a form with other rows": (
        evidence(places=23, share=0.04, replaced=0.046, fill=0.5, agreement=0.88, rest=0.95),
        Outcome.ALTERNATE,
    ),
    "a table with other numbers": (
        evidence(places=100, share=0.03, replaced=0.08, fill=0.4, agreement=0.7, rest=0.78),
        Outcome.DIFFERENT,
    ),
    "invoices of two firms": (
        evidence(places=40, share=0.02, replaced=0.062, fill=0.35, agreement=0.76, rest=0.82, moved=0.001),
        Outcome.DIFFERENT,
    ),
    "two views of a street": (
        evidence(places=30, share=0.16, replaced=0.19, fill=0.5, agreement=0.72, rest=0.85, displaced=2.9),
        Outcome.ALTERNATE,
    ),
    "a scene from another side": (
        evidence(places=14, share=0.14, replaced=0.25, fill=0.5, agreement=0.8, rest=0.92),
        Outcome.ALTERNATE,
    ),
    "other parts, spread": (evidence(places=5, share=0.3, replaced=0.4, fill=0.3, agreement=0.7), Outcome.ALTERNATE),
    "the next shot": (evidence(displaced=1.2), Outcome.ALTERNATE),
    "something moved": (evidence(places=2, share=0.02, moved=0.02), Outcome.ALTERNATE),
    "alike, not the same": (evidence(agreement=0.7, rest=0.7), Outcome.ALTERNATE),
    "another picture": (evidence(places=1, share=0.9, replaced=0.95, agreement=0.1, rest=0.2), Outcome.DIFFERENT),
    "another picture of like layout": (
        evidence(places=3, share=0.6, replaced=0.7, fill=0.9, agreement=0.6, rest=0.9),
        Outcome.DIFFERENT,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_differences_amount_to(name):
    given, wanted = CASES[name]
    outcome, reason = judge(given, THRESHOLDS)
    assert outcome is wanted, reason
    assert reason
