"""The files of near-duplicates compared again, with real pictures."""

import hashlib
import json
import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
import skimage.data
from PIL import Image, ImageDraw

from dedupindex import Index
from dedupindex.actions.applying import OutcomeKind, apply_plan
from dedupindex.actions.plan_options import PlanOptions
from dedupindex.actions.plans import read_plan
from dedupindex.errors import ReadError, Reason, SettingsError
from dedupindex.index.files import compare_files
from dedupindex.records import Outcome, Relation
from dedupindex.reports.jsonfile import to_json
from dedupindex.reports.plans import plan_json
from dedupindex.search import file_proofs
from dedupindex.search.file_proofs import FilePair, prove_files, prover
from dedupindex.settings import Settings
from dedupindex.verify.proof.finer import prove_closely
from tests.verify.pictures import encoded, wall

pytestmark = pytest.mark.usefixtures("remembered")

KINDS = {
    "same_pixels.bmp": Relation.SAME_PIXELS,
    "reencoded.jpg": Relation.REENCODED,
    "resized.png": Relation.RESIZED,
    "edited.png": Relation.EDITED,
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A database with a photograph, and a copy of it of several kinds that a plan may take."""
    root = tmp_path_factory.mktemp("copies")
    picture = Image.fromarray(skimage.data.astronaut())
    picture.save(root / "a.png")
    picture.save(root / "same_pixels.bmp")
    picture.save(root / "reencoded.jpg", quality=88)
    picture.resize((384, 384), Image.Resampling.LANCZOS).save(root / "resized.png")
    edited = picture.copy()
    ImageDraw.Draw(edited).rectangle((30, 400, 70, 430), fill=(10, 200, 30))
    edited.save(root / "edited.png")
    with Index.open(root / "i.db", create=True, workers=1) as index:
        index.ingest([root])
        index.find_duplicates()
    return root


def planned(root, relation):
    with Index.open(root / "i.db") as index:
        return index.plan(PlanOptions(relations=(relation,), keep=("more-pixels", "lossless", "first-path")))


@pytest.mark.parametrize("name", KINDS)
def test_what_is_planned_proves_again(made, name):
    plan = planned(made, KINDS[name])
    assert name in {item.file.path.name for item in plan.items}
    with prover(Settings(workers=1), plan.settings) as compare:
        for item in plan.items:
            found = compare(item)
            assert found.proof.outcome is (Outcome.EDITED if name == "edited.png" else Outcome.SAME)
            assert (found.keeper_sha256, found.file_sha256) == (item.keeper.sha256, item.file.sha256)
        assert apply_plan(plan, None, prover=compare).well


@pytest.mark.parametrize("name", [name for name in KINDS if name != "edited.png"])
def test_a_plan_that_was_made_to_fit_a_look_alike_takes_nothing(made, tmp_path, name):
    """The digest in the plan is that of the look-alike, so only the pictures can tell."""
    root = shutil.copytree(made, tmp_path / "copies")
    values = json.loads(json.dumps(plan_json(planned(made, KINDS[name]))).replace(str(made), str(root)))
    values["items"] = [item for item in values["items"] if item["file"]["path"].endswith(name)]
    other = np.asarray(Image.open(root / name).convert("RGB")).copy()
    other[60:200, 60:200] = other[60:200, 60:200][::-1, ::-1]
    Image.fromarray(other).save(root / name)
    planned_file = values["items"][0]["file"]
    os.utime(root / name, ns=(0, planned_file["mtime_ns"]))
    data = (root / name).read_bytes()
    planned_file |= {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    (tmp_path / "plan.json").write_bytes(to_json(values))
    faked = read_plan(tmp_path / "plan.json")
    with prover(Settings(workers=1), faked.settings) as compare:
        [done] = apply_plan(faked, tmp_path / "j.jsonl", prover=compare).outcomes
    assert done.outcome is OutcomeKind.SURPRISE
    assert "not as planned" in done.detail
    assert (root / name).read_bytes() == data


def test_settings_without_a_meaning():
    with pytest.raises(SettingsError), prover(Settings(), {"scaling": "by magic"}):
        pass


@pytest.fixture(scope="module")
def walls(tmp_path_factory):
    """Two large files of which one lacks some fine texture, as a pair that is to be compared."""
    folder = tmp_path_factory.mktemp("walls")
    for name, plane, quality in zip(("a.jpg", "b.jpg"), wall(), (92, 88), strict=True):
        (folder / name).write_bytes(encoded(plane, quality))
    identity = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)
    return FilePair(folder / "a.jpg", folder / "b.jpg", (1200, 1600), (1200, 1600), identity, False, Settings())


def test_where_there_is_doubt_the_files_are_read_once_more_and_finer(walls):
    [found] = prove_files([walls])
    assert found.proof.outcome is Outcome.EDITED
    assert found.proof.grid[1] > 1500
    assert found.keeper_sha256 == hashlib.sha256(walls.keeper.read_bytes()).hexdigest()


def test_a_file_that_is_exchanged_before_the_finer_look_is_an_error(walls, tmp_path, monkeypatch):
    file = tmp_path / "b.jpg"
    shutil.copy(walls.file, file)
    first = prove_closely

    def exchanged(a, b, matrix, finer):
        file.write_bytes(encoded(np.full((1200, 1600), 90.0), 80))
        return first(a, b, matrix, finer)

    monkeypatch.setattr(file_proofs, "prove_closely", exchanged)
    [error] = prove_files([replace(walls, file=file)])
    assert isinstance(error, ReadError)
    assert error.reason is Reason.CHANGED_WHILE_READ
    assert str(file) in str(error)


def test_a_scan_and_a_comparison_see_what_was_erased_from_a_large_picture(walls, tmp_path):
    with Index.open(tmp_path / "i.db", create=True, workers=1) as index:
        index.ingest([walls.keeper.parent])
        index.find_duplicates()
        [pair] = index.pairs()
        assert pair.proof.outcome is Outcome.EDITED
        assert compare_files(str(walls.keeper), str(walls.file), Settings()).pair.proof.outcome is Outcome.EDITED
        [match] = [one for one in index.query(walls.keeper) if one.image.locations[0].path == walls.file]
        assert match.proof.outcome is Outcome.EDITED
