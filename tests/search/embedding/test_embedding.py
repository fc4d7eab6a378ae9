"""An embedding proposes; confirmation and proof stay what they are."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from dedupindex import Index, Relation, SettingsError
from dedupindex.search.embedding.model import codes, model_input
from dedupindex.search.embedding.spec import Options, options_of, read_embedding
from tests.pictures import picture, save
from tests.search.embedding.making import colour_model, parquet, tissue_and_others


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return colour_model(tmp_path_factory.mktemp("model") / "colours.onnx")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return tissue_and_others(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="module")
def ingested(pictures, tmp_path_factory):
    """A database of them in which everything was searched for, without an embedding."""
    path = tmp_path_factory.mktemp("base") / "d.db"
    with Index.open(path, create=True, workers=1) as index:
        index.ingest([pictures])
        assert index.report().pairs == ()  # the default search does not propose the two
    return path


def names(index):
    return [{pair.a.locations[0].path.name, pair.b.locations[0].path.name} for pair in index.report().pairs]


def opened(ingested, tmp_path, **settings):
    shutil.copy(ingested, tmp_path / "d.db")
    return Index.open(tmp_path / "d.db", workers=1, **settings)


def test_a_model_brings_a_pair_to_confirmation(ingested, model, tmp_path):
    with opened(ingested, tmp_path, embedding=str(model)) as index:
        assert names(index) == [{"tissue.png", "part.png"}]
        [pair] = index.report().pairs
        assert Relation.CROP_OF in pair.relations
        assert pair.proof is not None
        assert pair.proof.outcome == "same"
        before = index.generation
        assert len(index.report().pairs) == 1
        assert index.generation == before  # nothing is due any more
        assert index.check(deep=True) == []
    with Index.open(tmp_path / "d.db", workers=1) as index:
        assert len(index.report().pairs) == 1  # without the embedding too: a pair is a pair


@pytest.mark.parametrize("by", ["key", "path", "relative"])
def test_vectors_in_a_file_bring_a_pair_to_confirmation(ingested, pictures, tmp_path, by):
    with Index.open(ingested, workers=1, read_only=True) as index:
        keys = {image.locations[0].path.name: image.key for image in index.images()}
    given = {"tissue.png": [1, 0, 0.01], "part.png": [1, 0, 0], "coffee.png": [0, 1, 0], "rocket.png": [0, 0, 0]}
    named = {"key": keys.__getitem__, "path": lambda name: str(pictures / name), "relative": lambda name: name}[by]
    folder = pictures if by == "relative" else tmp_path
    file = parquet(folder / "v.parquet", {named(name): vector for name, vector in given.items()})
    try:
        with opened(ingested, tmp_path, embedding=str(file)) as index:
            assert names(index) == [{"tissue.png", "part.png"}]
    finally:
        file.unlink()


def test_what_an_embedding_proposes_wrongly_is_not_confirmed(ingested, pictures, tmp_path):
    file = parquet(tmp_path / "v.parquet", {str(path): [1.0, 0.0] for path in pictures.iterdir()})
    with opened(ingested, tmp_path, embedding=str(file)) as index:
        summary = index.find_duplicates()
        assert summary.candidates >= 15  # of six pictures every pair
        assert names(index) == [{"tissue.png", "part.png"}]


def test_new_pictures_get_vectors_and_another_model_is_another_embedding(ingested, model, pictures, tmp_path):
    own = tmp_path / "m.onnx"
    shutil.copy(model, own)
    own.with_suffix(".toml").write_text("size = 8\nradius = 0.001\n")
    with opened(ingested, tmp_path, embedding=str(own)) as index:
        assert names(index) == []
    own.with_suffix(".toml").write_text("size = [8, 8]\nradius = 0.4\nmean = [0.1, 0.1, 0.1]\n")
    with Index.open(tmp_path / "d.db", workers=1, embedding=str(own)) as index:
        assert names(index) == [{"tissue.png", "part.png"}]
        rotated = np.asarray(Image.open(pictures / "part.png"))[:300, 40:340]
        index.ingest([save(tmp_path / "new" / "smaller.png", np.ascontiguousarray(rotated))])
        assert {"part.png", "smaller.png"} in names(index)


def test_similar_leaves_out_copies(ingested, model, pictures, tmp_path):
    with opened(ingested, tmp_path, embedding=str(model)) as index:
        index.find_duplicates()
        near = index.similar(pictures / "tissue.png")
        assert "tissue.png" not in [one.path.name for one in near]
        assert "part.png" not in [one.path.name for one in near]
        assert len(near) == 4
        assert [one.distance for one in near] == sorted(one.distance for one in near)
        assert len(index.similar(save(tmp_path / "x.png", picture(3)), limit=2)) == 2
    with Index.open(tmp_path / "d.db", workers=1) as index:  # by the descriptor
        assert {one.path.name for one in index.similar(pictures / "tissue.png")} == {one.path.name for one in near}


def test_a_picture_without_a_vector_is_told(ingested, tmp_path):
    file = parquet(tmp_path / "v.parquet", {"a": [1.0, 0.0]})
    with opened(ingested, tmp_path, embedding=str(file)) as index, pytest.raises(SettingsError, match="has no vector"):
        index.similar(save(tmp_path / "x.png", picture(3)))


def test_inputs_are_resized_and_normalised():
    pixels = np.zeros((40, 80, 3), np.uint8)
    pixels[:, 20:60] = (255, 51, 0)
    stretched = model_input(pixels, Options(size=(4, 4)))
    assert stretched.shape == (1, 3, 4, 4)
    np.testing.assert_allclose(stretched[0, 0, 0], [0, 1, 1, 0])
    cropped = model_input(
        pixels, Options(size=(4, 4), resize="crop", mean=(0.5, 0.2, 0), std=(0.5, 1, 1), layout="NHWC")
    )
    assert cropped.shape == (1, 4, 4, 3)
    np.testing.assert_allclose(cropped[0], np.tile(np.float32([1, 0, 0]), (4, 4, 1)), atol=1e-6)
    bgr = model_input(pixels, Options(size=(4, 4), resize="crop", channels="BGR"))
    np.testing.assert_allclose(bgr[0, :, 0, 0], [0, 0.2, 1], atol=1e-6)


def test_vectors_keep_their_direction():
    vector = np.random.default_rng(0).normal(size=512)
    packed = codes(vector).astype(float)
    assert packed @ vector / np.linalg.norm(packed) / np.linalg.norm(vector) > 0.9999
    assert codes(np.zeros(4)) is None
    assert codes(np.array([1, np.nan])) is None


@pytest.mark.parametrize(
    "text",
    ["sise = 3", "size = 0", "size = [1, 2, 3]", "std = 0", "mean = [1, 2]", 'layout = "HWC"', "radius = 3",
     "neighbours = 0", 'channels = "XYZ"', 'size = "large"'],
)  # fmt: skip
def test_options_that_mean_nothing_are_told(tmp_path, model, text):
    shutil.copy(model, tmp_path / "m.onnx")
    (tmp_path / "m.toml").write_text(text)
    with pytest.raises(SettingsError, match=r"m\.toml"):
        read_embedding(tmp_path / "m.onnx")
    assert options_of({"size": 7, "mean": 0.5}, tmp_path).mean == (0.5,) * 3


def test_files_that_are_no_embedding_are_told(ingested, tmp_path):
    pytest.importorskip("onnxruntime")
    for name in ("m.onnx", "v.parquet"):
        (tmp_path / name).write_text("nothing")
        with opened(ingested, tmp_path, embedding=str(tmp_path / name)) as index, pytest.raises(SettingsError):
            index.find_duplicates()
    for name, words in (("m.pt", "must be an .onnx"), ("none.onnx", "No such file")):
        with pytest.raises(SettingsError, match=words):
            read_embedding(tmp_path / name)
    odd = parquet(tmp_path / "odd.parquet", {"a": [1.0], "b": [1.0, 2.0]})
    with (
        opened(ingested, tmp_path, embedding=str(odd)) as index,
        pytest.raises(SettingsError, match="different lengths"),
    ):
        index.find_duplicates()


def test_the_verb(script, run, ingested, model, pictures, tmp_path):
    shutil.copy(ingested, tmp_path / "d.db")

    def said(start, *arguments):
        return start("-d", "d.db", *arguments, "--embedding", model, cwd=tmp_path, code=0).stdout

    value = json.loads(said(script, "report", "--json"))
    assert len(value["groups"]) == 1
    near = json.loads(said(run, "similar", pictures / "tissue.png", "--json", "--limit", "2"))["neighbours"]
    assert len(near) == 2
    assert "2 similar, no copies" in said(run, "similar", pictures / "tissue.png", "--limit", "2")
