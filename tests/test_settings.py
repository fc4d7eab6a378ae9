import pytest

from dedupindex.errors import SettingsError
from dedupindex.settings import EFFORTS, Settings


def test_an_effort_stands_for_settings_that_are_not_given(tmp_path):
    quick = Settings.load(environment={}, effort="quick")
    assert (quick.radius, quick.false_candidates, quick.candidates) == (0.75, 3.0, 16)
    (tmp_path / "s.toml").write_text("radius = 0.6\n")
    mixed = Settings.load(tmp_path / "s.toml", {"DEDUPINDEX_CANDIDATES": "9"}, effort="thorough")
    assert (mixed.radius, mixed.candidates, mixed.false_candidates) == (0.6, 9, 300.0)
    assert EFFORTS["normal"].items() <= {n: getattr(Settings(), n) for n in EFFORTS["normal"]}.items()
    with pytest.raises(SettingsError, match="effort"):
        Settings.load(environment={}, effort="heroic")


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("10m", 600), ("1.5h", 5400), ("0", 0), (0, 0), (7, 7)])
def test_a_budget_is_a_time(text, seconds):
    assert Settings.load(environment={}, budget=text).budget == seconds


@pytest.mark.parametrize("text", ["ten", "-5", "5 parsecs", "", "nan"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(SettingsError, match="time"):
        Settings.load(environment={"DEDUPINDEX_BUDGET": text})
