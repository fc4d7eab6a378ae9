import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from dedupindex.errors import Reason, SettingsError
from dedupindex.evaluation.attacked_copies import Variant
from dedupindex.evaluation.attacks import ATTACKS
from dedupindex.evaluation.counting import Attacked, Evidence, count
from dedupindex.evaluation.thresholds import suggest, threshold_curve
from dedupindex.records import Failure
from dedupindex.records.evaluations import MissedCopy, WrongPair, rate
from dedupindex.reports.evaluation import (
    SHOWN,
    attacks_text,
    evaluation_json,
    evaluation_text,
    interval_text,
    rate_json,
    share_text,
)
from dedupindex.reports.evaluation_plot import evaluation_png, require_matplotlib
from dedupindex.reports.jsonfile import to_json

CROP, BLUR = Variant("crop"), Variant("blur", 2.0)
EVALUATION = replace(
    count(
        Evidence(
            originals={1: Path("/p/a.png"), 2: Path("/p/b.png")},
            duplicates=1,
            copies=[Attacked(CROP, 1, 11), Attacked(BLUR, 1, 12), Attacked(CROP, 2, 21), Attacked(BLUR, 2, 0)],
            own=set(),
            reported={(1, 11): (0.9, "crop_of"), (2, 21): (1.0, "crop_of"), (11, 21): (0.75, "edited")},
            proposed={(1, 11), (2, 21), (11, 21)},
            scores={(1, 12): 0.3},
            overflowed=1,
            threshold=0.5,
        ),
        [CROP, BLUR],
    ),
    found=7,
    skipped={"limit": 3, "not_an_image": 1},
    per_picture=2,
    seconds={"attack": 1.0, "audit": 2.5},
)


def test_text():
    lines = evaluation_text(EVALUATION, Path("/p")).splitlines()
    assert lines[:3] == [
        "3 pictures of 7 files, 4 attacked copies, seed 0 (3.5 s)",
        "not used: 3 left out by the sample, 1 not an image",
        "among the pictures themselves: 1 byte-for-byte copy; taken as right, not counted below",
    ]
    assert lines[4:11] == [
        "recall       50.0 %    15.0-85.0  2 of 4 copies are reported as a pair with their original",
        "linked       50.0 %    15.0-85.0  2 of 4 copies stand in one group with it, through other pictures too",
        "precision    66.7 %    20.7-93.9  2 of 3 reported pairs are right",
        "search      100.0 %   34.2-100.0  2 of 2 confirmable copies were proposed by the search",
        "            100.0 %   34.2-100.0  2 of 2 confirmable pairs were, copies among each other included",
        "1 copy met more candidates than the limit",
        "1 wrong pair among 6 pairs of different pictures (one in 6); a larger collection has more of them",
    ]
    assert "crop     100.0 %   34.2-100.0        2/2   100.0 %   100.0 %" in lines
    assert "blur:2     0.0 %     0.0-65.8        0/2     0.0 %         -  1 unusable" in lines
    assert "0.5           66.7 %    20.7-93.9      1    50.0 %    15.0-85.0 *" in lines
    assert "0.8          100.0 %   34.2-100.0      0    50.0 %    15.0-85.0" in lines
    assert "precision surely 99 %: too few pairs to be sure at any threshold" in lines
    wrong = lines.index("wrong pairs:")
    assert lines[wrong + 1] == "  0.750  a.png (crop) - b.png (crop): edited"
    missed = lines.index("missed copies:")
    assert lines[missed + 1 :] == [
        "  a.png (blur:2): not confirmed, score 0.300",
        "  b.png (blur:2): shows next to nothing, or cannot be read",
    ]


def test_text_when_all_is_well():
    copies = [Attacked(CROP, 1, 11)]
    evidence = Evidence({1: Path("/a")}, 0, copies, set(), {(1, 11): (0.9, "tone")}, {(1, 11)}, {}, 0, 0.5)
    text = evaluation_text(count(evidence, [CROP]))
    for absent in ("wrong pairs:", "missed copies:", "met more", "among the pictures", "not used"):
        assert absent not in text
    nothing = evaluation_text(count(replace(evidence, reported={}, proposed=set()), [CROP]))
    assert "precision         -               0 reported pairs are right" in nothing


@pytest.mark.parametrize(
    ("right", "wrong", "threshold", "says"),
    [
        ([0.9] * 480 + [0.6] * 20, [], 0.5, "99 %: --threshold 0.05, which finds as many as 0.5"),
        ([0.9] * 480 + [0.6] * 20, [], 0.5, "99.9 %: too few pairs to be sure at any threshold"),
        ([0.9] * 480 + [0.6] * 20, [0.7] * 10, 0.5, "99 %: --threshold 0.71, which finds 20 copies fewer than 0.5"),
        ([0.9] * 500, [0.7] * 10, 0.95, "99 %: --threshold 0.71, which finds 500 copies more than 0.95"),
        ([0.9] * 500, [0.7] * 10, 0.71, "99 %: --threshold 0.71, as it is"),
        ([0.9] * 20, [0.9995] * 10, 0.5, "99 %: at no threshold"),
    ],
)
def test_suggestions(right, wrong, threshold, says):
    scores, good = np.array(right + wrong), np.array([True] * len(right) + [False] * len(wrong))
    curve = threshold_curve(scores, good, np.array(right), threshold)
    direct = next(point.recall for point in curve if point.threshold == threshold)
    found = replace(EVALUATION, threshold=threshold, curve=curve, suggestions=suggest(curve), direct=direct)
    assert f"precision surely {says}" in evaluation_text(found).splitlines()


def test_long_lists_end():
    missed = tuple(MissedCopy(Path(f"/{n}"), "crop", "not_proposed", 0.7, linked=True) for n in range(SHOWN + 5))
    wrong = tuple(WrongPair(Path(f"/{n}"), "", Path("/x"), "crop", 0.7, "tone") for n in range(SHOWN + 1))
    lines = evaluation_text(replace(EVALUATION, missed=missed, wrong=wrong, comparable=100)).splitlines()
    assert "  ... and 5 more; --json lists them all" in lines
    assert "  ... and 1 more; --json lists them all" in lines
    assert "  /0 (crop): the search did not propose it, score 0.700; but in its group" in lines
    value = evaluation_json(replace(EVALUATION, missed=missed, wrong=wrong, comparable=100))
    assert (len(value["missed"]), len(value["wrong"])) == (SHOWN + 5, SHOWN + 1)


def test_no_name_steers_the_terminal():
    name = Path("/p/\x1b[2J\u202e\udcff.png")
    wrong = (WrongPair(name, "", name, "crop", 0.7, "tone"),)
    missed = (MissedCopy(name, "crop", "not_proposed", 0.0, linked=False),)
    hostile = replace(EVALUATION, missed=missed, wrong=wrong, failures=(Failure(name, Reason.DAMAGED, "\x1b"),))
    text = evaluation_text(hostile)
    text.encode()
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert json.loads(to_json(evaluation_json(hostile)))["missed"][0]["path_bytes"] == bytes(name).hex()


@pytest.mark.parametrize(
    ("hits", "total", "text"),
    [
        (1, 1, "100.0 %"),
        (0, 1, "0.0 %"),
        (2, 3, "66.7 %"),
        (9_999, 10_000, "99.99 %"),
        (3, 10_000, "0.03 %"),
        (1_999, 2_000, "99.95 %"),
        (999_999, 1_000_000, "100.000 %"),
    ],
)
def test_shares_are_not_rounded_to_all_or_nothing(hits, total, text):
    assert share_text(rate(hits, total)) == text


def test_intervals_are_rounded_outwards():
    assert interval_text(rate(81, 263)) == "25.5-36.7"
    assert interval_text(rate(0, 20)) == "0.0-16.2"
    assert interval_text(rate(20, 20)) == "83.8-100.0"


def test_json():
    value = json.loads(to_json(evaluation_json(EVALUATION)))
    assert (value["schema"], value["kind"]) == (2, "evaluate")
    assert (
        value["recall"]
        == rate_json(rate(2, 4))
        == {
            "hits": 2,
            "total": 4,
            "share": 0.5,
            "low": pytest.approx(0.150039, abs=1e-6),
            "high": pytest.approx(0.849961, abs=1e-6),
        }
    )
    assert value["precision"]["hits"] == 2
    assert value["false_pairs"]["total"] == 6
    assert [attack["attack"] for attack in value["attacks"]] == ["crop", "blur"]
    assert value["attacks"][1]["search"] is None
    assert len(value["thresholds"]) > 90
    assert value["suggestions"][0] == {"precision": 0.99, "threshold": None, "reached": True}
    assert value["wrong"] == [
        {
            "a": {"path": "/p/a.png", "attack": "crop"},
            "b": {"path": "/p/b.png", "attack": "crop"},
            "score": 0.75,
            "relation": "edited",
        }
    ]
    assert [missed["why"] for missed in value["missed"]] == ["not_confirmed", "unusable"]


def test_attacks():
    lines = attacks_text(ATTACKS).splitlines()
    assert len(lines) == len(ATTACKS)
    assert all(line.split()[0] == name and line.endswith(".") for line, name in zip(lines, ATTACKS, strict=True))


def test_plot():
    pytest.importorskip("matplotlib")
    png = evaluation_png(EVALUATION)
    drawn = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    assert drawn.shape[0] > 400
    assert drawn.shape[1] > 1000
    bar = (abs(drawn.astype(int) - (183, 147, 99)) < 4).all(axis=2)  # recall's blue, three quarters over white
    assert bar.any()
    assert not bar[:, drawn.shape[1] * 2 // 3 :].any()
    assert evaluation_png(EVALUATION) == png


def test_plot_without_a_single_pair():
    pytest.importorskip("matplotlib")
    copies = [Attacked(CROP, 1, 0)]
    evidence = Evidence({1: Path("/a")}, 0, copies, set(), {}, set(), {}, 0, 0.5)
    assert evaluation_png(count(evidence, [CROP])).startswith(b"\x89PNG")


def test_plot_without_matplotlib(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr("dedupindex.reports.evaluation_plot.find_spec", lambda name: None)
    with pytest.raises(SettingsError, match="its extra 'plot'"):
        require_matplotlib()
    with pytest.raises(SettingsError, match="extra"):
        evaluation_png(EVALUATION)
