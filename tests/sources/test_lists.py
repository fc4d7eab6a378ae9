import io
import sys
from pathlib import Path

import pytest

from dedupindex.errors import Reason, SettingsError
from dedupindex.records import Failure, FoundFile, SkippedFile
from dedupindex.sources import Finder, SourceList
from dedupindex.sources.lists import Row, read_list


def rows(path: Path, column: str = "", id_column: str = ""):
    return list(read_list(SourceList(path, column, id_column)))


def test_a_csv_with_ids(tmp_path):
    (tmp_path / "l.csv").write_text(
        'id,url\n1,a.jpg\n2,"s3://b/k,1.jpg"\n3,\n,/x/y.jpg\n5,s3://b//k.jpg\n', "utf-8-sig"
    )
    found = rows(tmp_path / "l.csv", id_column="id")
    assert found[0] == Row(1, tmp_path / "a.jpg", "1")
    assert found[1] == Row(2, Path("s3:/b/k,1.jpg"), "2")
    assert found[3] == Row(4, Path("/x/y.jpg"), None)
    assert [(f.path.name, f.reason) for f in (found[2], found[4])] == [
        ("l.csv#row=3", Reason.MISSING),
        ("l.csv#row=5", Reason.MISSING),
    ]


def test_a_named_column_and_tabs(tmp_path):
    (tmp_path / "l.tsv").write_text("what\twhere\nx\tp q.png\n")
    assert rows(tmp_path / "l.tsv", "where", "what") == [Row(1, tmp_path / "p q.png", "x")]


@pytest.mark.parametrize(("column", "id_column"), [("none", ""), ("", "none"), ("", "")])
def test_a_column_that_is_not_there_is_named(tmp_path, column, id_column):
    (tmp_path / "l.csv").write_text("a,b\n1,2\n" if not id_column else "url,b\n1,2\n")
    with pytest.raises(SettingsError, match=r"there are: (a|url), b"):
        rows(tmp_path / "l.csv", column, id_column)


def test_plain_text_and_standard_input(tmp_path, monkeypatch):
    (tmp_path / "l.txt").write_bytes(b"a.jpg\r\n\n b \nmemory://m/x.png\n\xff.jpg\n")
    found = rows(tmp_path / "l.txt")
    names = ["a.jpg", " b ", "x.png", "\udcff.jpg"]
    assert [row.place.name for row in found] == names
    assert [row.number for row in found] == [1, 3, 4, 5]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.StringIO("sub/a.jpg\n"))
    assert rows(Path("-")) == [Row(1, tmp_path / "sub" / "a.jpg", None)]
    with pytest.raises(SettingsError, match="columns are for"):
        rows(tmp_path / "l.txt", "url")


def test_parquet(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    table = pyarrow.table({"n": [7, 8, None, 9], "path": ["a.jpg", None, "b.jpg", ""]})
    parquet.write_table(table, tmp_path / "l.parquet")
    first, second, third, fourth = rows(tmp_path / "l.parquet", id_column="n")
    assert first == Row(1, tmp_path / "a.jpg", "7")
    assert third == Row(3, tmp_path / "b.jpg", None)
    assert [type(row) for row in (second, fourth)] == [Failure, Failure]
    parquet.write_table(pyarrow.table({"path": [1, 2]}), tmp_path / "numbers.parquet")
    assert [type(row) for row in rows(tmp_path / "numbers.parquet")] == [Failure, Failure]
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(SettingsError, match="cannot be read"):
        rows(tmp_path / "broken.parquet")


def test_a_list_that_is_not_there(tmp_path):
    with pytest.raises(SettingsError, match="cannot be read"):
        rows(tmp_path / "none.csv")


def test_listed_files_are_found_once_with_their_labels(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"x")
    (tmp_path / "folder").mkdir()
    (tmp_path / "l.csv").write_text("id,path\n1,a.jpg\n2,none.jpg\n3,./a.jpg\n4,folder\n5,old:/x.jpg\n")
    finder = Finder([], [SourceList(tmp_path / "l.csv", id_column="id")])
    found = list(finder)
    assert [type(item) for item in found] == [FoundFile, Failure, SkippedFile, Failure, Failure]
    assert (found[0].label, found[0].explicit) == ("1", True)
    assert finder.absent == [tmp_path / "none.jpg"]
    assert "not here" in found[4].detail


def test_a_row_that_names_nobodys_home_costs_itself_alone(tmp_path):
    (tmp_path / "good.jpg").write_bytes(b"x")
    (tmp_path / "l.csv").write_bytes(
        b"url\n~nobodyxyz/x.jpg\na\0b\n" + b"x/" * 9000 + b"\n" + b"y" * 200_000 + b"\n" + b"n" * 300 + b"\ngood.jpg\n"
    )
    found = list(Finder((), (SourceList(tmp_path / "l.csv"),)))
    assert [type(entry) for entry in found] == [Failure] * 5 + [FoundFile]
    assert found[0].path == tmp_path / "~nobodyxyz" / "x.jpg"
    assert found[0].reason is Reason.MISSING
    assert all(entry.detail and "Errno" not in entry.detail for entry in found[:5])


def test_names_from_a_pipe_that_are_no_text(monkeypatch, tmp_path):
    stream = io.TextIOWrapper(io.BytesIO(b"/x/\xff.jpg\n/x/good.jpg\n"), "utf-8")
    monkeypatch.setattr(sys, "stdin", stream)
    assert [row.place for row in rows(Path("-"))] == [Path("/x/\udcff.jpg"), Path("/x/good.jpg")]
