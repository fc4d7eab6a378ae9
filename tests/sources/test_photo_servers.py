"""Answers as the servers' documentation describes them; made up here, not recorded from a server."""

import json

import pytest

from dedupindex import PhotoServer, SettingsError, mapped, read_answer

ASSET = {
    "id": "0590d4d0-3995-4000-821b-bce65440b1bc",
    "ownerId": "36741db1-b6b5-420b-8cdd-91b3fd2269b0",
    "type": "IMAGE",
    "originalPath": "/usr/src/app/upload/library/admin/2022/a.jpg",
    "originalFileName": "a.jpg",
    "checksum": "3GkEfJv0Q0Wq5o0CkGq1yN8q3bE=",
    "isTrashed": False,
    "exifInfo": {"fileSizeInByte": 47927},
}
VIDEO = {**ASSET, "id": "1", "type": "VIDEO", "originalPath": "/v.mp4"}
TRASHED = {**ASSET, "id": "2", "isTrashed": True}
PHOTO = {
    "UID": "ptn547rxew9tkh8d",
    "Type": "image",
    "FileRoot": "/",
    "FileName": "2022/b.jpg",
    "FileUID": "ftn547r1",
    "Hash": "abc",
    "Files": [
        {"UID": "ftn547r1", "Name": "2022/b.jpg", "Root": "/", "Primary": True, "FileType": "jpg"},
        {"UID": "ftn547r2", "Name": "2022/b.dng", "Root": "/", "FileType": "raw"},
        {"UID": "ftn547r3", "Name": "2022/b.dng.jpg", "Root": "sidecar", "FileType": "jpg"},
        {"UID": "ftn547r4", "Name": "2022/b.mov", "Root": "/", "Video": True},
    ],
}


@pytest.mark.parametrize(
    "answer",
    [
        [ASSET, VIDEO, TRASHED],
        {"albums": {"items": []}, "assets": {"total": 2, "items": [ASSET, VIDEO], "nextPage": None}},
        [{"duplicateId": "x", "assets": [ASSET, ASSET], "suggestedKeepAssetIds": [ASSET["id"]]}],
    ],
)
def test_immich(tmp_path, answer):
    (tmp_path / "a.json").write_text(json.dumps(answer))
    server, files = read_answer(tmp_path / "a.json")
    assert server is PhotoServer.IMMICH
    assert [(file.path, file.id) for file in files] == [(ASSET["originalPath"], ASSET["id"])]


def test_photoprism(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps([PHOTO]))
    server, files = read_answer(tmp_path / "a.json")
    assert server is PhotoServer.PHOTOPRISM
    assert [(file.path, file.id) for file in files] == [("2022/b.jpg", "ftn547r1"), ("2022/b.dng", "ftn547r2")]
    flat = {name: value for name, value in PHOTO.items() if name != "Files"}
    (tmp_path / "a.json").write_text(json.dumps([flat, {**flat, "Type": "video"}, {**flat, "FileRoot": "sidecar"}]))
    assert [file.id for file in read_answer(tmp_path / "a.json")[1]] == ["ftn547r1"]


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "3", '[{"id": 3}]', '[{"originalPath": "", "id": "x"}]', "[" * 100_000]
)
def test_what_names_no_picture_is_told(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(SettingsError, match=r"a\.json"):
        read_answer(tmp_path / "a.json")


def test_paths_of_the_server_become_paths_here():
    rules = [("/usr/src/app/upload", "/srv/immich"), ("", "/srv/originals")]
    assert mapped("/usr/src/app/upload/library/a.jpg", rules) == "/srv/immich/library/a.jpg"
    assert mapped("/usr/src/app/uploads/a.jpg", rules) == "/usr/src/app/uploads/a.jpg"
    assert mapped("2022/b.jpg", rules) == "/srv/originals/2022/b.jpg"
