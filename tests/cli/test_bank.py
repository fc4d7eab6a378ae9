"""Banks of hashes, as a user meets them; and blurred pages."""

import base64
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("pdqhash")

from tests.pictures import half, picture, save


@pytest.fixture
def folder(run, tmp_path):
    for number in range(2):
        save(tmp_path / "known" / f"{number}.png", picture(number, 240, 320))
    save(tmp_path / "copy.jpg", half(picture(1, 240, 320)), quality=85)
    save(tmp_path / "new.png", picture(7, 240, 320))
    run("scan", "known", cwd=tmp_path, code=0)
    return tmp_path


@pytest.mark.parametrize("name", ["b.csv", "b.json"])
@pytest.mark.parametrize("style", ["hma", "ThreatExchange"])
def test_export_and_ask(run, folder, name, style):
    assert "holds 2 hashes" in run("bank", "export", name, "--style", style, cwd=folder, code=0).stdout
    assert "b: 2 PDQ hashes, 0 descriptors" in run("bank", "show", name, cwd=folder, code=0).stdout
    said = run("query", "copy.jpg", "new.png", "--bank", name, cwd=folder, code=0).stdout
    assert re.search(r"copy\.jpg: 1 in banks\n    b: .*known/1\.png \(pdq, \d+ bits\)\n", said)
    assert "new.png: no match in a bank" in said


def test_make_needs_no_database(run, tmp_path):
    save(tmp_path / "p" / "a.png", picture(1, 240, 320))
    (tmp_path / "p" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 and then nothing")
    done = run("bank", "make", "b.csv", "p", cwd=tmp_path, code=1)
    assert "broken.jpg" in done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"b.csv", "p"}
    assert "1 PDQ hashes" in run("bank", "show", "b.csv", cwd=tmp_path, code=0).stdout


def test_descriptors_and_json(run, folder):
    run("bank", "export", "d.csv", "--signal", "dedupindex", cwd=folder, code=0)
    held = json.loads(run("bank", "show", "d.csv", "--json", cwd=folder, code=0).stdout)
    assert (held["pdq"], held["dedupindex"]) == (0, 2)
    assert re.fullmatch("[0-9a-f]{32}", held["fingerprint"])
    value = json.loads(run("query", "copy.jpg", "--bank", "d.csv", "--json", cwd=folder, code=0).stdout)
    [match] = value["queries"][0]["matches"]
    assert (match["signal_type"], match["bank"]) == ("dedupindex", "d")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("bank", "exprt", "b.csv"), "did you mean export?"),
        (("bank", "make", "b.csv"), "takes a bank and pictures"),
        (("bank", "show", "b.csv"), "b.csv: No such file"),
        (("bank", "export", "b.csv", "--signal", "md5"), "there are: pdq, dedupindex"),
        (("report", "--blur"), "--blur goes with --html"),
    ],
)
def test_mistakes_are_told(run, tmp_path, options, words):
    assert words in run(*options, cwd=tmp_path, code=2).stderr


def test_a_blurred_page_holds_no_sharp_picture(run, folder):
    save(folder / "known" / "copy.jpg", half(picture(1, 240, 320)), quality=85)
    run("scan", "known", "--html", "sharp.html", cwd=folder, code=0)
    run("report", "--html", "blurred.html", "--blur", cwd=folder, code=0)

    def detail(name):
        uris = re.findall(r"data:image/webp;base64,([\w+/=]+)", (folder / name).read_text())
        assert uris
        pictures = [np.asarray(Image.open(io.BytesIO(base64.b64decode(uri))).convert("L"), float) for uri in uris]
        return max(np.abs(np.diff(pixels, axis=1)).mean() for pixels in pictures)

    assert detail("blurred.html") < 0.4 * detail("sharp.html")
