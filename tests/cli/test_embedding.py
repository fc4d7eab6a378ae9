"""An embedding of one's own through the command line: it brings a pair that the default search does not propose."""

import json

import pytest

from tests.search.embedding.making import colour_model, parquet, tissue_and_others


@pytest.fixture(scope="module")
def folder(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("embedding")
    tissue_and_others(folder / "set")
    said = run("scan", "set", cwd=folder, code=0).stdout
    assert "no duplicates" in said
    (folder / "dedupindex.db").rename(folder / "base.db")
    return folder


@pytest.fixture
def database(folder, tmp_path):
    path = tmp_path / "own.db"
    path.write_bytes((folder / "base.db").read_bytes())
    return path


def found(run, folder, database, *options):
    """The files of the only group, and the relation and proof of its pair."""
    value = json.loads(run("-d", database, "report", *options, "--json", cwd=folder, code=0).stdout)
    [group] = value["groups"]
    run("-d", database, "report", "--pairs", database.with_suffix(".csv"), cwd=folder, code=0)
    lines = database.with_suffix(".csv").read_text().splitlines()
    assert len(lines) == 2
    paths = {place["path"].rpartition("/")[2] for member in group["members"] for place in member["locations"]}
    return paths, dict(zip(lines[0].split(","), lines[1].split(","), strict=True))


def test_a_model(run, folder, database):
    model = colour_model(folder / "colours.onnx")
    paths, pair = found(run, folder, database, "--embedding", model)
    assert paths == {"tissue.png", "part.png"}
    assert "crop_of" in pair["relation"]
    assert pair["proof"] == "same"
    near = run("-d", database, "similar", "set/tissue.png", "--embedding", model, cwd=folder, code=0).stdout
    assert "part.png" not in near  # a copy
    assert "coffee.png" in near


def test_vectors(run, folder, database):
    file = parquet(folder / "v.parquet", {"set/tissue.png": [1, 0, 0.1], "set/part.png": [1, 0, 0]})
    paths, pair = found(run, folder, database, "--embedding", file)
    assert paths == {"tissue.png", "part.png"}
    assert pair["proof"] == "same"


def test_mistakes_are_told(run, folder, database):
    (folder / "none.onnx").write_bytes(b"nothing")
    for name in ("none.onnx", "missing.onnx", "part.png"):
        assert name in run("-d", database, "report", "--embedding", name, cwd=folder, code=2).stderr
