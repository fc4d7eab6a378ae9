"""The fit of the score on made-up measures, and the composites that it is fitted to."""

import csv

import numpy as np
import pytest

from dedupindex.evaluation.piece_attacks import PIECE_ATTACKS, piece_attack
from dedupindex.fitted import numbers
from dedupindex.records.pieces import PieceMeasures
from dedupindex.verify.pieces.scoring import EVIDENCE, evidence
from tests.scenes import photograph
from tests.search.test_pieces import NAMES, save
from tests.tools.fit_pieces import (
    ALIKE_COPIES,
    COPIES,
    FALSE_SHARE,
    FILLERS,
    Row,
    best_of_pairs,
    fit_score,
    make,
    measured,
    shots_of,
    tasks_of,
)


def rows(count, seed=0):
    """Pairs that share a part, which agree, and pairs that do not."""
    random = np.random.default_rng(seed)
    made = []
    for number in range(count):
        true = number % 2 == 0
        mean = random.uniform(0.88, 1) if true else random.uniform(0.6, 0.86)
        rest = random.uniform(0.985, 1) if true else random.uniform(0.8, 0.97)
        thickness = random.uniform(25, 90)
        measures = PieceMeasures(
            places=20.0,
            weight=random.uniform(5, 30),
            area=thickness**2,
            agreeing=0.9 * thickness**2 + 500,
            agreement=mean,
            textured=0.9,
            mean=mean,
            ncc=mean,
            thickness=thickness,
            drawn=random.uniform(0, 0.1) if true else random.uniform(0, 0.8),
            matched=rest,
            rest=rest,
            changed=0.0,
        )
        made.append(Row(number, number + 1_000, (number, number if true else number + 1), measures))
    return made


def logits_of(model, given):
    return np.array([model["constant"] + np.array(model["weights"]) @ evidence(row.measures) for row in given])


def test_the_fit_tells_the_two_kinds_apart():
    model, figures = fit_score(rows(400))
    assert len(model["weights"]) == len(EVIDENCE)
    unseen = rows(400, seed=1)
    logits, true = logits_of(model, unseen), np.array([row.same for row in unseen])
    assert (logits[true] > 0).mean() > 0.9
    assert (logits[~true] > 0).mean() < 0.02
    assert model["weights"][EVIDENCE.index("rest")] > 0
    assert figures["pairs"] == 400
    assert figures["accepted_false"] <= FALSE_SHARE * figures["accepted"]


def test_false_pairs_that_look_true_raise_the_limit():
    """The bias is set by what is false among the accepted, so a few sure ones cost recall, not precision."""
    given = rows(400)
    wrong = [
        Row(5_000 + row.a, 6_000 + row.b, (7_000 + row.a, 8_000 + row.b), row.measures)
        for row in given[:40]
        if row.same
    ]
    plain, _ = fit_score(given)
    strict, figures = fit_score(given + wrong)
    true = [row for row in given if row.same]
    assert (logits_of(strict, true) > 0).mean() < (logits_of(plain, true) > 0).mean()
    assert figures["accepted_false"] <= max(1, FALSE_SHARE * figures["accepted"])


def test_one_kind_alone_is_no_data():
    with pytest.raises(ValueError, match="both kinds"):
        fit_score([row for row in rows(40) if row.same])


def test_a_pair_counts_once_by_its_surest_part():
    first, second = rows(2)
    twice = Row(first.a, first.b, first.groups, second.measures)
    assert best_of_pairs([first, second, twice], [1.0, 0.5, 3.0]) == [(3.0, True), (0.5, False)]


def test_the_shipped_model_has_a_weight_for_each_number():
    assert len(numbers("pieces")["weights"]) == len(EVIDENCE)


@pytest.mark.parametrize("name", PIECE_ATTACKS)
def test_an_attack_uses_one_filler_less_than_it_gets(name):
    for seed in range(3):
        given = iter([photograph("coins")] * max(0, FILLERS.get(name, 0) - 1))
        assert piece_attack(name, photograph("cat"), given, np.random.default_rng(seed)).ndim == 3


def test_shots_are_those_of_the_kinds_that_count(tmp_path):
    kinds = {"b.png": "sfm", "a.png": "triple", "c.png": "panorama", "d.png": "flow"}
    with (tmp_path / "groups.csv").open("w", newline="") as lines:
        table = csv.writer(lines)
        table.writerows([("file", "group", "kind"), *((name, "g", kind) for name, kind in kinds.items())])
    assert shots_of(tmp_path) == [tmp_path / "a.png", tmp_path / "b.png"]


def test_composites_and_what_is_measured_of_them(tmp_path):
    for name in NAMES:
        save(tmp_path / f"{name}.jpg", photograph(name))
    files = sorted(tmp_path.iterdir())
    tasks = list(tasks_of(files[:2], files[2:], 1, files[2:3]))
    assert [len(task.attacks) for task in tasks] == [COPIES, COPIES, ALIKE_COPIES]
    assert {name for task in tasks for name in task.attacks} <= set(PIECE_ATTACKS)
    made = [one for task in tasks[:2] for one in make(task)]
    assert [name for _, name, _ in made if name == "original"] == ["original"] * 2
    found = measured([packed for *_, packed in made], [group for group, *_ in made], 2)
    assert any(row.same for row in found)
    assert all(row.a < row.b for row in found)
    assert all(row.measures.rest is not None for row in found)
