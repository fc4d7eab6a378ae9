"""`check` as a whole is tested with the index, the damage it tells with the reliability tests; here: its questions."""

import pytest

from dedupindex import Index
from dedupindex.vectors import VectorIndex
from tests.pictures import half, picture, save


@pytest.fixture
def index(catalogue, tmp_path):
    for number in range(6):
        save(tmp_path / f"{number}.png", picture(number))
        save(tmp_path / f"half{number}.png", half(picture(number)))
    with Index.open(catalogue(tmp_path / "a.db"), create=True, workers=1) as index:
        index.ingest([tmp_path])
        index._vectors.flat_limit = 4
        index.find_duplicates()
        yield index


@pytest.mark.parametrize(("wrong", "codes"), [(0.0, []), (0.01, ["index_misses"])])
def test_answers_are_held_against_an_exhaustive_search(index, monkeypatch, wrong, codes):
    """An index whose radius is wrong finds the pictures themselves and misses their copies."""
    search = VectorIndex.search
    monkeypatch.setattr(
        VectorIndex, "search", lambda self, probes, radius, k, **more: search(self, probes, wrong or radius, k, **more)
    )
    assert [problem.code for problem in index.check(deep=True)] == codes


def test_a_search_that_finds_nothing_near_is_no_problem(catalogue, tmp_path):
    save(tmp_path / "0.png", picture(0))
    with Index.open(catalogue(tmp_path / "a.db"), create=True, workers=1) as index:
        assert index.check(deep=True) == []
        index.ingest([tmp_path / "0.png"])
        assert index.check(deep=True) == []


def test_pairs_that_another_rule_confirmed_are_said(index, monkeypatch):
    assert index.check(deep=True) == []
    pairs = index.info()["pairs"]
    monkeypatch.setattr("dedupindex.upkeep.check.VERSION", "99")
    [problem] = index.check(deep=True)
    assert problem.code == "pairs_of_another_rule"
    assert problem.detail.startswith(f"{pairs} pairs")
    assert pairs > 0
