"""The benchmark of figure panels: what it makes, and how it counts."""

import cv2
import numpy as np
import pytest

from tests.benchmarks.figure_panels import SIDE, VARIANTS, lines, made_of, panels_of, scored
from tests.scenes import photograph


@pytest.fixture(scope="module")
def panels(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slides")
    for name in ("immunohistochemistry", "coins", "cat"):
        cv2.imwrite(str(folder / f"{name}.png"), photograph(name))
    cv2.imwrite(str(folder / "empty.png"), np.zeros((600, 600), np.uint8))
    (folder / "notes.txt").write_text("no picture")
    return panels_of([folder], 10, seed=1)


def test_panels_show_something_and_do_not_overlap(panels):
    assert len(panels) >= 5
    assert all(panel.shape == (SIDE, SIDE, 3) and panel.std() > 5 for panel in panels)
    assert len({panel.tobytes() for panel in panels}) == len(panels)


@pytest.mark.parametrize("name", VARIANTS)
def test_every_panel_is_in_one_picture(panels, name, tmp_path):
    names = made_of(panels[:5], VARIANTS[name], tmp_path, seed=1)
    assert sorted(names) == [0, 1, 2, 3, 4]
    files = {path.name for path in tmp_path.iterdir()}
    assert files == set(names.values())
    assert len(files) == (2 if name == "composite 2x2" else 1 if name == "composite 3x3" else 5)


def test_wrong_answers_cost_precision_and_recall_at_it():
    answers = [(0.9, "a"), (0.8, "b"), (0.7, "x"), None, (0.6, "b")]
    wanted = ["a", "b", "c", "d", ""]  # the last one is a stranger
    result = scored("crop", answers, wanted, 4)
    assert (result.recall, result.precision) == (0.5, 0.5)
    assert (result.recall_at_precision, result.threshold) == (0.5, 0.8)
    assert scored("crop", [None, None], ["a", ""], 1).recall == 0


def test_the_published_figure_stands_beside_the_composites():
    results = [scored(name, [(0.9, "a")], ["a"], 1) for name in ("crop", "composite 2x2", "composite 3x3")]
    assert list(lines(results))[-1].endswith("precision >= .99: 1.000; the best published: 0.25")
