"""The rule that is fitted to made-up rows, the pictures that rows are made of, and a run from a folder to a file."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from dedupindex.verify import score
from tests.scenes import PHOTOGRAPHS, photograph
from tests.tools import fit_score, pages
from tests.tools.fit_score import FAMILIES, Rows, Sample, figures, fit, joined, row_weights
from tests.tools.labelled_pictures import Counts, make, tasks
from tests.tools.manifest import problems, read_manifest, seen_versions
from tests.tools.measured_pairs import Measured, Pair
from tests.tools.start_rule import BIAS, WEIGHTS, start_rule


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A few dozen windows of photographs."""
    place, random = tmp_path_factory.mktemp("photographs"), np.random.default_rng(0)
    for name in PHOTOGRAPHS:
        picture = photograph(name)
        for number in range(3):
            top, left = random.integers(0, picture.shape[0] - 200), random.integers(0, picture.shape[1] - 240)
            window = picture[top : top + 200, left : left + 240, ::-1]
            cv2.imwrite(str(place / f"{name}{number}.png"), np.ascontiguousarray(window))
    return place


def rows(count=3000, seed=0):
    """Two families: copies lie higher in one term, strangers of the second family higher than those of the first."""
    random = np.random.default_rng(seed)
    copies, family = random.random(count) < 0.5, (random.random(count) < 0.1).astype(np.intp)
    terms = random.normal(size=(count, 2)) + np.stack([4.0 * copies + 0.8 * family, np.zeros(count)], axis=1)
    details = terms + np.stack([random.normal(0, 0.5, count), np.zeros(count)], axis=1)
    half = random.integers(0, 2, count)
    names = ("area_mean", "cosine"), ("inner", "held")
    return Rows(*names, terms, details, copies, family, np.arange(count), np.arange(count), half)


def test_a_family_counts_as_much_as_another_however_many_rows_it_has():
    made = rows()
    for power, shares in ((1.0, (1, 1)), (0.5, (3, 1))):
        weight = row_weights(made, power)
        for copies in (True, False):
            sums = [weight[(made.family == number) & (made.copies == copies)].sum() for number in (0, 1)]
            assert sums[0] / sums[1] == pytest.approx(shares[0] / shares[1], rel=0.15)


def rates(made, accepted):
    """Share of the strangers of each family that are accepted."""
    return [accepted[~made.copies & (made.family == number)].mean() for number in (0, 1)]


def test_the_bias_of_the_first_rule_keeps_the_false_rate_in_the_worst_family():
    made = rows()
    fitted = fit(made)
    accepted = fitted.looks(made) >= 0.5
    assert max(rates(made, accepted)) <= fit_score.FALSE_RATE
    assert accepted[made.copies].mean() > 0.6


def test_the_second_rule_turns_strangers_away_that_the_first_one_accepts():
    made = rows()
    fitted = fit(made)
    before, after = (values >= 0.5 for values in (fitted.looks(made), fitted.probability(made)))
    assert not (after & ~before).any()
    assert after[~made.copies].sum() <= before[~made.copies].sum()
    assert after[made.copies].sum() > 0.95 * before[made.copies].sum()
    _, weights = fitted.detail
    assert abs(weights[1]) < 0.3 * weights[0]  # the term that says nothing


def test_the_dearer_a_stranger_the_fewer_pass_the_second_rule(monkeypatch):
    made = rows()
    bars = []
    for cost in (20.0, 1.0):
        monkeypatch.setattr(fit_score, "COST", cost)
        bias, weights = fit(made).detail
        bars.append(bias + made.details @ weights >= 0)
    dear, cheap = bars
    assert dear[~made.copies].sum() < cheap[~made.copies].sum()
    assert dear[made.copies].sum() <= cheap[made.copies].sum()


def test_pages_of_one_template_do_not_count():
    made = rows()
    alternate = made.family == 1
    with_them = replace(made, family=np.where(alternate, fit_score.KINDS.index(fit_score.ALTERNATE), 0))
    one, other = fit(with_them), fit(with_them.chosen(~alternate))
    for name in ("appearance", "detail"):
        for values in zip(getattr(one, name), getattr(other, name), strict=True):
            np.testing.assert_allclose(*values, rtol=1e-6)


def test_rows_are_measured_with_one_rule_whatever_ships():
    shipped = score.APPEARANCE
    with start_rule():
        assert score.APPEARANCE.bias == BIAS
        assert score.APPEARANCE.weights == WEIGHTS
    assert score.APPEARANCE is shipped


def test_the_best_alignment_of_a_pair_counts():
    none, numbers = np.zeros((4, 1)), np.zeros(4, np.intp)
    copies = np.array([True, True, False, False])
    one = Rows(("a",), ("b",), none, none, copies, numbers, np.array([0, 0, 1, 1]), np.array([0, 0, 1, 1]), numbers)
    found = figures(one, np.array([0.2, 0.9, 0.6, 0.1]))["photo"]
    assert (found["copies"], found["accepted"], found["strangers"], found["falsely accepted"]) == (1, 1.0, 1, 1)


def test_all_pairs_of_copies_of_two_strange_subjects_count_once():
    """Else two look-alikes, each in so many copies, set the bias alone."""
    alone = rows()
    high = np.argsort(-alone.terms[:, 0] * ~alone.copies)[:1]
    more = np.r_[np.arange(len(alone.pair)), np.repeat(high, 30)]
    crowd = replace(alone.chosen(more), pair=np.arange(len(more)))
    bias = [fit_score._with_bias((0.0, np.array([1.0, 0.0])), (9.0, np.zeros(2)), one)[0] for one in (alone, crowd)]
    assert bias[0] == bias[1]
    apart = replace(crowd, subjects=np.arange(len(more)))
    assert fit_score._with_bias((0.0, np.array([1.0, 0.0])), (9.0, np.zeros(2)), apart)[0] < bias[0]


def test_rows_of_several_seeds_keep_their_pairs_apart():
    one, other = rows(50, 0), rows(60, 1)
    both = joined([one, other])
    for numbers in (both.pair, both.subjects):
        assert len(numbers) == len(set(numbers.tolist())) == 110
    np.testing.assert_array_equal(both.details[50:], other.details)


def test_measured_samples_are_kept_by_seed(folder, tmp_path, monkeypatch):
    made = []
    sample = Sample([Pair(0, 1, True, True, "photo")], ["a", "a"], [Measured(0, {"ncc": 0.9}, 0.8)])
    monkeypatch.setattr(fit_score, "make_sample", lambda *arguments: made.append(arguments) or sample)
    first, again = (fit_score.cached_sample(tmp_path / "kept", folder, 0.5, 7, 1) for _ in range(2))
    assert len(made) == 1
    assert first == again == sample
    fit_score.cached_sample(tmp_path / "kept", folder, 0.5, 8, 1)
    fit_score.cached_sample(None, folder, 0.5, 7, 1)
    assert len(made) == 3


def test_tasks_are_the_same_for_the_same_seed(folder):
    counts = Counts().scaled(0.01)
    assert tasks(folder, counts, 3) == tasks(folder, counts, 3)
    assert tasks(folder, counts, 3) != tasks(folder, counts, 4)
    assert {task.family for task in tasks(folder, counts, 3)} == set(FAMILIES)


def test_too_few_photographs(tmp_path):
    with pytest.raises(ValueError, match="at least 10"):
        tasks(tmp_path, Counts(), 0)


def test_every_family_makes_copies_and_most_make_look_alikes(folder):
    for family in FAMILIES:
        [first, second] = [task for task in tasks(folder, Counts().scaled(0.01), 0) if task.family == family][:2]
        one, other = make(first), make(second)
        assert {picture.family for picture in one} == {family}
        assert {p.subject for p in one}.isdisjoint(p.subject for p in other)
        assert len(one) > len({picture.subject for picture in one})  # copies
        assert all(picture.certain == (family != "photo") for picture in one)
        again = make(first)
        assert [p.features.pixel_sha256 for p in again] == [p.features.pixel_sha256 for p in one]


@pytest.mark.parametrize("kind", pages.TEMPLATES)
def test_pages_of_a_template_are_filled_in_differently(kind):
    page = pages.TEMPLATES[kind](np.random.default_rng(1))
    one, again, other = (pages.page_pixels(page, np.random.default_rng(seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, again)
    assert one.shape == other.shape
    changed = (one != other).any(2).mean()
    assert 0 < changed < 0.4  # the same page to a first look


def test_measured_rows_have_the_terms_of_the_rule(folder):
    counts = Counts(originals=3, copies=1, strangers=2, overlays=1, outlines=1, templates=0, smooth=1, tiny=1)
    pictures = [picture for task in tasks(folder, counts, 0) for picture in make(task)]
    sample = fit_score.make_sample(folder, counts, 0, 1)
    assert all(pair.first < pair.second for pair in sample.pairs)
    for pair in sample.pairs:
        assert pair.copies == (pictures[pair.first].subject == pictures[pair.second].subject)
    rows, _ = fit_score.rows_of(sample)
    assert set(rows.names) == set(score.APPEARANCE.weights)
    assert set(rows.detail_names) == set(score.DETAIL.weights)
    assert rows.copies.any()
    assert not rows.copies.all()
    assert np.isfinite(rows.terms).all()


@pytest.mark.slow
def test_from_a_folder_to_numbers_and_their_manifest(folder, tmp_path, monkeypatch, capsys):
    output = tmp_path / "score.json"
    command = ["fit_score", str(folder), "--output", str(output), "--scale", "0.03", "--workers", "2"]
    monkeypatch.setattr("sys.argv", command)
    fit_score.main()
    numbers = json.loads(output.read_text())
    weights = {**numbers["appearance"]["weights"], **numbers["detail"]["weights"]}
    assert set(weights) == {*score.APPEARANCE.weights, *score.DETAIL.weights}
    for name, sign in fit_score.SIGNS.items():
        assert sign * weights[name] >= 0
    assert problems(output, read_manifest(output), seen_versions("score")) == []
    assert "photographs" in read_manifest(output).data
