import io

import numpy as np
import pytest
from PIL import Image

from dedupindex import Index, Relation, SettingsError
from tests.pictures import half, picture


def encoded(pixels, kind="PNG", **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


@pytest.fixture
def index(tmp_path):
    with Index.open(tmp_path / "d.db", create=True, workers=1) as opened:
        yield opened


def groups(index):
    return [sorted(place.label for m in g.members for place in m.image.locations) for g in index.report().groups]


def test_every_kind_of_picture_is_found_again(index, tmp_path):
    path = tmp_path / "f.png"
    path.write_bytes(encoded(picture(1)))
    given = {
        "array": picture(1),
        "float": picture(1).astype(np.float32) / 255,
        "pillow": Image.fromarray(picture(1)),
        "bytes": encoded(half(picture(1)), "JPEG", quality=90),
        "dir/file": path,
        "other": picture(2),
    }
    summary = index.ingest_pictures(given, source="lab")
    assert (summary.found, summary.read, summary.failures) == (6, 6, ())
    assert groups(index) == [["array", "bytes", "dir/file", "float", "pillow"]]
    places = {str(place.path) for image in index.images() for place in image.locations}
    assert places == {"lab:/array", "lab:/float", "lab:/pillow", "lab:/bytes", "lab:/other", str(path)}


def test_taking_them_again_changes_nothing_and_another_picture_replaces(index):
    given = {"a": encoded(picture(1)), "b": picture(2)}
    assert index.ingest_pictures(given).added == 2
    again = index.ingest_pictures(given)
    assert (again.added, again.known, again.unchanged) == (0, 0, 1)
    index.ingest_pictures({"b": picture(3)})
    assert index.query(picture(3))[0].image.locations[0].label == "b"
    assert not [match for match in index.query(picture(2)) if not match.image.locations[0].missing]


def test_ids_in_order_or_numbers(index):
    index.ingest_pictures([picture(1), picture(2)])
    index.ingest_pictures((picture(n) for n in (3, 4)), ids=["x", 7], source="more")
    assert {place.label for image in index.images() for place in image.locations} == {"0", "1", "x", "7"}


def test_near_duplicates_without_files_are_unproven(index):
    index.ingest_pictures([picture(1), half(picture(1))])
    [pair] = index.report().pairs
    assert Relation.UNPROVEN in pair.relations


def test_a_data_set_of_hugging_face(index, tmp_path):
    datasets = pytest.importorskip("datasets")
    path = tmp_path / "file.png"
    path.write_bytes(encoded(picture(2)))
    rows = {
        "image": [encoded(picture(1)), encoded(half(picture(1)), "JPEG", quality=90), b"no picture"],
        "name": ["one", "small", "bad"],
    }
    features = datasets.Features({"image": datasets.Image(), "name": datasets.Value("string")})
    rows["image"] = [{"bytes": data, "path": None} for data in rows["image"]] + [{"bytes": None, "path": str(path)}]
    rows["name"].append("file")
    dataset = datasets.Dataset.from_dict(rows, features=features)
    summary = index.ingest_pictures(dataset, id_column="name", source="hub")
    assert [(str(f.path), f.reason) for f in summary.failures] == [("hub:/bad", "not_an_image")]
    assert groups(index) == [["one", "small"]]
    assert index.image_at(path).locations[0].label == "file"
    with pytest.raises(SettingsError, match="no column 'picture'"):
        index.ingest_pictures(dataset, column="picture")


@pytest.mark.parametrize(
    ("given", "options", "error", "words"),
    [
        ({"a": "name.png"}, {}, TypeError, "must be an array"),
        ({"": picture(1)}, {}, SettingsError, "cannot be an id"),
        ({"a/../b": picture(1)}, {}, SettingsError, "cannot be an id"),
        ([picture(1)] * 2, {"ids": ["a", "a"]}, SettingsError, "two pictures have the id 'a'"),
        ([picture(1)], {"ids": ["a", "b"]}, ValueError, "zip"),
        ([picture(1)], {"source": "x"}, SettingsError, "name of a volume"),
        ([np.zeros(3)], {}, ValueError, "shape"),
    ],
)
def test_mistakes_are_told(index, given, options, error, words):
    with pytest.raises(error, match=words):
        index.ingest_pictures(given, **options)
