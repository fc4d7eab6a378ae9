import io
import json
from pathlib import Path

import numpy as np
from PIL import Image

from dedupindex.records.pictures import Thumbnail
from dedupindex.records.splits import LeakReport
from dedupindex.reports.curation.leaks import baseline_json, leaks_json, leaks_text
from dedupindex.reports.curation.sheet import COLUMNS, SIDE, leak_sheet
from tests.reports.curation.samples import ROOT, hostile_report, leak


def test_the_table_says_what_there_is():
    text = leaks_text(hostile_report(), ROOT)
    lines = text.splitlines()
    assert lines[0] == "train: 3 files, test: 2 files"
    assert "    2 copies" in lines
    assert "test  test/b1.jpg" in text
    assert "train  train/a1.jpg" in text
    assert "reencoded+resized  0.977" in text
    assert "1 leak accepted by the baseline" in text
    assert "1 listed file not there, e.g. test/gone.jpg" in text
    assert "bad\\n.jpg: truncated: ends early" in text
    assert "\x1b" not in text


def test_long_tables_are_cut_and_say_so():
    report = LeakReport({"train": 9, "test": 9}, tuple(leak(number) for number in range(9)))
    text = leaks_text(report, most=4)
    assert text.count("b") >= 4
    assert "... and 5 more; --json lists all" in text
    assert "b5.jpg" not in text


def test_no_leaks():
    assert leaks_text(LeakReport({"train": 1, "test": 1}, ())) == "train: 1 file, test: 1 file\nno leaks"


def test_json_is_plain_and_the_baseline_names_all():
    value = json.loads(json.dumps(leaks_json(hostile_report())))
    assert value["parts"] == {"train": {"files": 3, "leaked": 0}, "test": {"files": 2, "leaked": 4}}
    assert value["leaks"][1]["changed"] is None
    written = baseline_json(hostile_report())["accepted"]
    assert len(written) == 5
    assert written == sorted(written, key=lambda one: one["fingerprint"])


def test_the_sheet_shows_both_pictures_of_every_leak():
    red, blue = (np.full((40, 60, 3), colour, np.uint8) for colour in ((200, 0, 0), (0, 0, 200)))
    mask = np.ones((40, 60), bool)
    leaks = [leak(number, place=leak(1, place=leak(1).place).place) for number in range(1, COLUMNS + 2)]
    leaks = [*leaks[:-1], leak(9)]
    thumbnails = {leaks[0].image: Thumbnail(red, mask), leaks[0].source_image: Thumbnail(blue, mask)}
    drawn = np.asarray(Image.open(io.BytesIO(leak_sheet(leaks, thumbnails, Path("/data")))))
    here = drawn[: SIDE + 8, : 2 * SIDE + 24].astype(int)
    reds, blues = (np.argwhere((here == colour).all(axis=2)) for colour in ((200, 0, 0), (0, 0, 200)))
    assert len(reds) == len(blues) == 40 * 60
    assert reds[:, 1].max() < blues[:, 1].min()  # the picture on the left, its source on the right
    assert drawn.shape[0] > 2 * SIDE  # two rows
