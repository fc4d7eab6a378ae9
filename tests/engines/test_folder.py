import pyarrow as pa
import pytest

from dedupindex.engines.folder import WorkFolder
from dedupindex.errors import DedupIndexError

TABLE = pa.table({"a": [1, 2, 3]})


@pytest.mark.parametrize("kind", ["local", "memory"])
def test_files_are_whole_or_absent(tmp_path, kind):
    folder = WorkFolder(str(tmp_path / "w") if kind == "local" else f"memory://{tmp_path.name}")
    assert folder.names() == []
    assert not folder.has("x.parquet")
    folder.write("x.parquet", [TABLE, TABLE.slice(0, 0), TABLE.slice(1)])
    assert folder.has("x.parquet")
    assert folder.rows("x.parquet") == 5
    assert folder.read("x.parquet", [0]).equals(TABLE)
    assert folder.read("x.parquet", [1]).num_rows == 0
    assert folder.read("x.parquet", [2]).equals(TABLE.slice(1))
    assert folder.names() == ["x.parquet"]
    folder.clear()
    folder.remove("x.parquet")
    assert folder.names() == []
    if kind == "local":
        assert not (tmp_path / "w").exists()


def test_clearing_leaves_what_is_not_ours(tmp_path):
    folder = WorkFolder(str(tmp_path))
    (tmp_path / "mine.txt").touch()
    folder.write("x.parquet", [TABLE])
    folder.clear()
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_errors_name_the_file(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DedupIndexError, match=r"cannot write .*file"):
        WorkFolder(str(tmp_path / "file")).write("x.parquet", [TABLE])
    with pytest.raises(DedupIndexError, match=r"x\.parquet"):
        WorkFolder(str(tmp_path)).read("x.parquet")
    with pytest.raises(DedupIndexError, match="nonsense"):
        WorkFolder("nonsense://there").has("x.parquet")
