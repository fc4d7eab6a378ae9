"""What goes to and comes from photo managers, as a user meets it."""

import json
import uuid
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from tests.pictures import half, picture, save

IDS = [str(uuid.UUID(int=number + 1)) for number in range(4)]


@pytest.fixture
def library(run, tmp_path):
    """Four assets: a picture, a smaller copy, an edited copy, and another picture."""
    root = tmp_path / "library" / "2022"
    save(root / "a.png", picture(1, 480, 640))
    save(root / "small.jpg", half(picture(1, 480, 640)), quality=92)
    edited = Image.fromarray(picture(1, 480, 640))
    ImageDraw.Draw(edited).rectangle((300, 200, 420, 260), fill=(250, 250, 250))
    edited.save(root / "edited.png")
    save(root / "other.png", picture(2, 480, 640))
    names = ("a.png", "small.jpg", "edited.png", "other.png")
    assets = [
        {"id": key, "type": "IMAGE", "originalPath": f"/usr/src/app/upload/library/2022/{name}"}
        for key, name in zip(IDS, names, strict=True)
    ]
    (tmp_path / "assets.json").write_text(json.dumps({"assets": {"items": assets}}))
    return tmp_path


def test_a_library_of_immich_comes_in_and_goes_back(run, library):
    options = ("--map", "/usr/src/app/upload/library=library", "-o", "assets.csv")
    done = run("import-list", "assets.json", *options, cwd=library, code=0)
    assert "4 pictures of immich\n" in done.stderr
    run("ingest", "--list", "assets.csv", "--id-column", "id", cwd=library, code=0)
    [group] = json.loads(run("report", "--format", "immich", cwd=library, code=0).stdout)["groups"]
    assert group["trashAssetIds"] == [IDS[1]]
    assert group["keepAssetIds"][0] == IDS[0]
    assert IDS[3] not in group["keepAssetIds"]
    assert IDS[2] not in group["trashAssetIds"]  # edited: it shows something else
    assert str(uuid.UUID(group["duplicateId"])) == group["duplicateId"]
    again = json.loads(run("report", "--format", "immich", cwd=library, code=0).stdout)
    assert again["groups"] == [group]


def test_files_without_ids_are_no_assets(run, library):
    run("scan", "library", cwd=library, code=0)
    done = run("report", "--format", "immich", cwd=library, code=0)
    assert json.loads(done.stdout) == {"groups": []}
    assert "import-list" in done.stderr


def test_sidecars_stand_in_a_folder_of_their_own(run, library):
    run("scan", "library", cwd=library, code=0)
    before = {path: path.stat().st_mtime_ns for path in (library / "library").rglob("*")}
    done = run("report", "--xmp", "tags", cwd=library, code=0)
    assert "sidecars in tags" in done.stderr
    written = {path.relative_to(library / "tags").as_posix() for path in (library / "tags").rglob("*.xmp")}
    assert {"a.png.xmp", "small.jpg.xmp"} <= written
    assert "other.png.xmp" not in written
    text = (library / "tags" / "small.jpg.xmp").read_text()
    assert "dedupindex|duplicate|" in text
    assert "dedupindex|relation|resized" in text
    assert "dedupindex/relation/resized" in text
    assert "dedupindex|keeper" in (library / "tags" / "a.png.xmp").read_text()
    run("report", "--xmp", "tags", cwd=library, code=0)  # its own files are replaced
    (library / "tags" / "a.png.xmp").write_text("<x:xmpmeta>mine</x:xmpmeta>")
    assert "another program wrote it" in run("report", "--xmp", "tags", cwd=library, code=2).stderr
    assert "mine" in (library / "tags" / "a.png.xmp").read_text()
    assert {path: path.stat().st_mtime_ns for path in (library / "library").rglob("*")} == before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("import-list", "none.json"), "none.json: No such file"),
        (("import-list", "assets.json", "--from", "imich"), "did you mean immich?"),
        (("import-list", "assets.json", "--from", "photoprism"), "names no picture as photoprism would"),
        (("import-list", "assets.json", "--map", "x"), "--map must be like"),
    ],
)
def test_mistakes_are_told(run, library, options, words):
    assert words in run(*options, cwd=library, code=2).stderr


def test_without_a_map_it_is_said_that_files_are_not_there(run, library):
    done = run("import-list", "assets.json", cwd=library, code=0)
    assert done.stdout.splitlines()[1] == f"/usr/src/app/upload/library/2022/a.png,{IDS[0]}"
    assert "4 of them are not there" in done.stderr
    assert Path(library / "assets.json").exists()
