import json

import pytest

from dedupindex import SettingsError, coco_parts, part_of, read_baseline, read_split
from dedupindex.curation.folders import Linking, write_folders
from dedupindex.reports.curation.splits import split_csv, split_parquet
from dedupindex.sources import SourceList
from dedupindex.sources.coco import read_coco
from dedupindex.sources.lists import read_list


def coco(path, names, **more):
    images = [{"id": number, "file_name": name} for number, name in enumerate(names, 1)]
    marks = [{"id": 10 * image["id"] + k, "image_id": image["id"]} for image in images for k in (0, 1)]
    path.write_text(json.dumps({"info": {"year": 2026}, "images": images, "annotations": marks, **more}))
    return path


@pytest.mark.parametrize("name", ["s.csv", "s.parquet"])
def test_a_split_comes_back_as_it_was_written(index, folder, name):
    split = index.split([folder], seed=3)
    write = split_csv if name.endswith(".csv") else split_parquet
    (folder / name).write_bytes(write(split, folder))
    try:
        assert b"/" + bytes(folder.name, "utf-8") not in (folder / name).read_bytes()  # paths are relative
        parts = {part.name: set(part.files) for part in read_split(folder / name)}
    finally:
        (folder / name).unlink()
    assert parts == {name: {file.path for file in split.of(name)} for name in split.ratios if split.of(name)}


def test_a_coco_file_is_a_list_and_is_divided_with_its_annotations(index, folder, tmp_path):
    names = [file.relative_to(folder).as_posix() for file in sorted(folder.rglob("*.*g")) if file.parent != folder]
    path = coco(tmp_path / "all.json", names, categories=[{"id": 1}])
    assert part_of("", [path], images=folder).files == tuple(folder / name for name in names)
    rows = list(read_list(SourceList(path, images=folder)))
    assert [row.label for row in rows] == [str(number) for number in range(1, len(names) + 1)]
    split = index.split([path], "train=0.6,test=0.4", images=folder)
    documents = coco_parts(split, path, images=folder)
    listed = {part: [image["file_name"] for image in value["images"]] for part, value in documents.items()}
    assert sorted([*listed["train"], *listed["test"]]) == sorted(names)
    for part, value in documents.items():
        ids = {image["id"] for image in value["images"]}
        assert [mark["image_id"] for mark in value["annotations"]] == [i for i in sorted(ids) for _ in (0, 1)]
        assert value["info"] == {"year": 2026}
        assert value["categories"] == [{"id": 1}]
        assert {folder / name for name in listed[part]} == {file.path for file in split.of(part)}


def test_pictures_are_looked_for_beside_the_coco_file(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "annotations").mkdir()
    (tmp_path / "images" / "a.jpg").write_bytes(b"")
    read = read_coco(coco(tmp_path / "annotations" / "x.json", ["a.jpg"]))
    assert read.files[1].samefile(tmp_path / "images" / "a.jpg")
    assert ".." not in read.files[1].parts


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"images": 3}', '{"images": [3]}', '{"images": [{"id": 1}]}', '{"images": [{"file_name": "a"}]}',
     '{"images": [{"id": 1, "file_name": "a"}, {"id": 1, "file_name": "b"}]}', "[" * 100_000],
)  # fmt: skip
def test_what_is_no_coco_file_is_told(tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(SettingsError, match=r"x\.json"):
        read_coco(tmp_path / "x.json")


@pytest.mark.parametrize("how", list(Linking))
def test_folders_keep_classes_and_overwrite_nothing(index, folder, tmp_path, how):
    split = index.split([folder], "train=0.5,test=0.5")
    assert write_folders(split, tmp_path, [folder], how) == 9
    for file in split.files:
        target = tmp_path / file.part / file.path.relative_to(folder)
        assert target.read_bytes() == file.path.read_bytes()
        assert target.is_symlink() == (how is Linking.SYMLINK)
    assert write_folders(split, tmp_path, [folder], how) == 0
    target.unlink()
    target.write_bytes(b"mine")
    with pytest.raises(SettingsError, match="in the way"):
        write_folders(split, tmp_path, [folder], how)
    assert target.read_bytes() == b"mine"


def test_damaged_files_are_told(tmp_path):
    for name, text in (("a.csv", "path\nx\n"), ("b.csv", "path,part\nx,\n"), ("c.parquet", "no"), ("d.csv", "")):
        (tmp_path / name).write_text(text)
        with pytest.raises(SettingsError, match=name):
            read_split(tmp_path / name)
    for text in ("", "[]", '{"kind": "leaks"}', '{"kind": "leaks", "accepted": [3]}', '{"kind": "x", "accepted": []}'):
        (tmp_path / "b.json").write_text(text)
        with pytest.raises(SettingsError, match=r"b\.json"):
            read_baseline(tmp_path / "b.json")
    with pytest.raises(SettingsError):
        read_split(tmp_path / "none.csv")
