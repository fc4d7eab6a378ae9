import numpy as np
import pytest

from dedupindex.features.descriptor import normalise_rows
from tests.scenes import photograph
from tests.tools import fit_radius
from tests.tools.fit_radius import cosine_at, false_rates


def unit_rows(seed, count, dimensions=16):
    return normalise_rows(np.random.default_rng(seed).normal(size=(count, dimensions)).astype(np.float32))


def test_false_rates_are_counted_by_probe():
    others = unit_rows(0, 500)
    probed = [unit_rows(1 + number, 2) for number in range(20)]
    rates = false_rates(probed, others, (0.1, 0.3, 0.5))
    for cosine, rate in zip((0.1, 0.3, 0.5), rates, strict=True):
        met = sum(float(probe @ other) > cosine for both in probed for probe in both for other in others)
        assert rate == pytest.approx(met / (40 * 500) * 1e6, abs=0.01)
    assert rates == sorted(rates, reverse=True)


def test_rates_never_rise_and_are_never_nothing():
    rates = false_rates([unit_rows(1, 1)], unit_rows(0, 50), (0.1, 0.9, 0.99))
    assert min(rates) > 0
    assert rates == sorted(rates, reverse=True)


def test_the_cosine_of_a_rate_lies_between_those_that_were_counted():
    cosines, rates = (0.1, 0.2, 0.3), (10_000.0, 100.0, 1.0)
    assert cosine_at(100.0, cosines, rates) == pytest.approx(0.2)
    assert cosine_at(10.0, cosines, rates) == pytest.approx(0.25)
    assert cosine_at(1e9, cosines, rates) == pytest.approx(0.1)
    with pytest.raises(ValueError, match="more pictures"):
        cosine_at(0.5, cosines, rates)


def test_a_picture_gives_a_query_of_every_kind(tmp_path):
    import cv2

    path = tmp_path / "a.png"
    cv2.imwrite(str(path), photograph("coffee")[..., ::-1])
    made = fit_radius.make(fit_radius.Task(path, 0, 0, 2))
    assert [query.kind for query in made] == ["photo", "fast", "poor", "tiny"]
    assert all(len(query.copies) == 2 for query in made)
    cosines = fit_radius.copy_cosines(made)
    assert len(cosines) == 8
    assert np.median(cosines) > 0.5
    (tmp_path / "b.txt").write_text("no picture")
    assert fit_radius.make(fit_radius.Task(tmp_path / "b.txt", 0, 0, 2)) == []
    assert fit_radius.describe_other(tmp_path / "b.txt") == []
