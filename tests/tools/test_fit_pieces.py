"""The fit of the score on made-up measures, and the composites that it is fitted to."""

import numpy as np
import pytest

from dedupindex.evaluation.piece_attacks import PIECE_ATTACKS
from dedupindex.fitted import numbers
from dedupindex.records.pieces import PieceMeasures
from dedupindex.verify.pieces.scoring import EVIDENCE, evidence
from tests.scenes import photograph
from tests.search.test_pieces import NAMES, save
from tests.tools.fit_pieces import COPIES, MARGIN, fit_score, make, measured, tasks_of


def rows(count, seed=0):
    """Pairs that share a part, which agree, and pairs that do not."""
    random = np.random.default_rng(seed)
    made = []
    for number in range(count):
        true = number % 2 == 0
        mean = random.uniform(0.88, 1) if true else random.uniform(0.6, 0.86)
        thickness = random.uniform(25, 90)
        made.append(
            (
                number,
                number + 1_000,
                true,
                PieceMeasures(
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
                ),
            )
        )
    return made


def test_the_fit_tells_the_two_kinds_apart():
    model = fit_score(rows(400))
    weights = np.array(model["weights"])
    assert len(weights) == len(EVIDENCE)
    logits = [model["constant"] + weights @ evidence(row[3]) for row in rows(400)]
    true = np.array([row[2] for row in rows(400)])
    assert np.array(logits)[~true].max() < -MARGIN + 0.5
    assert (np.array(logits)[true] > -MARGIN).mean() > 0.9
    assert weights[EVIDENCE.index("mean")] > 0


def test_one_kind_alone_is_no_data():
    with pytest.raises(ValueError, match="both kinds"):
        fit_score([row for row in rows(40) if row[2]])


def test_the_shipped_model_has_a_weight_for_each_number():
    assert len(numbers("pieces")["weights"]) == len(EVIDENCE)


def test_composites_and_what_is_measured_of_them(tmp_path):
    for name in NAMES:
        save(tmp_path / f"{name}.jpg", photograph(name))
    files = sorted(tmp_path.iterdir())
    tasks = list(tasks_of(files[:2], files[2:], seed=1))
    assert [len(task.attacks) for task in tasks] == [COPIES, COPIES]
    assert set(tasks[0].attacks + tasks[1].attacks) <= set(PIECE_ATTACKS)
    made = [one for task in tasks for one in make(task)]
    assert [name for _, name, _ in made if name == "original"] == ["original"] * 2
    found = measured([packed for *_, packed in made], [group for group, *_ in made])
    assert any(same for _, _, same, _ in found)
    assert all(a < b for a, b, *_ in found)
