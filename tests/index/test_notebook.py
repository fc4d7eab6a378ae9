import dataclasses
import re

import numpy as np
import pytest

from dedupindex import Index
from tests.pictures import half, picture, save


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    root = tmp_path_factory.mktemp("notebook")
    save(root / "pictures" / "a <b>.png", picture(1))
    save(root / "pictures" / "small.jpg", half(picture(1)), quality=90)
    save(root / "pictures" / "other.png", picture(2))
    with Index.open(root / "d.db", create=True, workers=1) as opened:
        opened.ingest([root / "pictures"])
        yield opened


def test_faces_have_thumbnails_and_escaped_names(index):
    report = index.report()
    [group] = report.groups
    [match] = index.query(picture(2))
    for record, pictures in ((report, 2), (group, 2), (match, 1), (match.verification, 0)):
        html = record._repr_html_()
        assert html.count('<img src="data:image/webp;base64,') == pictures
        assert "<script" not in html
        assert "a <b>" not in html
    assert "a &lt;b&gt;.png" in group._repr_html_()
    assert "accepted, score 1.000" in match.verification._repr_html_()


def test_a_missing_file_gives_no_thumbnail(index):
    [group] = index.report().groups
    image = group.members[0].image
    gone = dataclasses.replace(image, locations=(dataclasses.replace(image.locations[0], missing=True),))
    member = dataclasses.replace(group.members[0], image=gone)
    html = dataclasses.replace(group, members=(member, *group.members[1:]))._repr_html_()
    assert html.count("<img") == 1
    assert "(missing)" in html


def test_reprs_are_short_and_hold_neither_digests_nor_numpy(index):
    report = index.report()
    [match] = index.query(picture(2))
    records = [report, report.groups[0], report.groups[0].members[0], report.pairs[0], report.pairs[0].verification,
               report.pairs[0].verification.registration, match, match.image, match.image.locations[0],
               dataclasses.replace(match.verification, score=np.float64(0.5))]  # fmt: skip
    for record in records:
        text = repr(record)
        assert len(text) < 200
        assert "np." not in text
        assert "\\x" not in text
        assert not re.search(r"[0-9a-f]{16}", text)
    assert repr(report) == "Report(1 groups, 1 pairs, 3 images)"


def test_tables_have_a_row_for_each_pair(index):
    pytest.importorskip("pyarrow")
    report = index.report()
    table = report.to_arrow()
    assert table.num_rows == 1
    assert {"a", "b", "score", "relation"} <= set(table.column_names)
    for name in ("pandas", "polars"):
        pytest.importorskip(name)
        frame = getattr(report, f"to_{name}")()
        assert type(frame).__module__.startswith(name)
        assert frame["relation"][0] == table["relation"][0].as_py()
        assert list(frame.columns) == table.column_names
