import numpy as np
import pytest

from dedupindex import Index
from dedupindex.evaluation import synthetic
from dedupindex.evaluation.synthetic import group_of, make_picture_pool, original_of, path_of
from dedupindex.features import unit, unpack
from dedupindex.store import catalog_images
from dedupindex.store.database import Database
from tests.tools.fill_synthetic import fill_database, main


@pytest.fixture(scope="module", autouse=True)
def small_blocks():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(synthetic, "BLOCK", 40)
        patch.setattr("tests.tools.fill_synthetic.LANDSCAPES", 20)
        yield


def contents(path):
    database = Database(path, read_only=True)
    with database.read() as connection:
        images = list(catalog_images.all_images(connection))
        features = catalog_images.features(connection, [image.id for image in images])
    database.close()
    return {image.locations[0].path: features[image.id] for image in images}


def test_filling_in_steps_gives_the_same(tmp_path):
    filled = fill_database(tmp_path / "a.db", 100, copies=0.2, show=False)
    assert filled.images == 100
    assert 5 < filled.copies < 40
    for count in (30, 70):
        fill_database(tmp_path / "b.db", count, copies=0.2, show=False)
    assert contents(tmp_path / "a.db") == contents(tmp_path / "b.db")


def test_planted_copies_are_found_and_nothing_else(tmp_path):
    path, truth = tmp_path / "a.db", tmp_path / "truth.csv"
    assert main([str(path), "--images", "120", "--copies", "0.2", "--truth", str(truth)]) == 0
    with Index.open(path, workers=1) as index:
        report = index.report()
        assert index.check() == []
    found = {frozenset((str(p.a.locations[0].path), str(p.b.locations[0].path))) for p in report.pairs}
    planted = {frozenset(line.split(",")) for line in truth.read_text().splitlines()[1:]}
    assert planted
    assert len(found & planted) >= 0.95 * len(planted)
    assert len(found - planted) <= 0.3 * len(planted)  # images that share one of the few pool members


def test_copies_are_as_near_as_they_should_be(tmp_path):
    fill_database(tmp_path / "a.db", 200, copies=0.1, show=False)
    parts = contents(tmp_path / "a.db")
    vectors = {p: unit(unpack(some).descriptor[None])[0] for p, some in parts.items()}
    originals = {group_of(p): v for p, v in vectors.items() if original_of(p) is None}
    near = [float(v @ originals[group_of(p)]) for p, v in vectors.items() if original_of(p) is not None]
    assert min(near) > synthetic.FURTHEST_COPY - 0.15
    alone = np.stack([v for p, v in vectors.items() if original_of(p) is None])
    cosines = (alone @ alone.T)[np.triu_indices(len(alone), 1)]
    assert abs(cosines.mean()) < 0.05
    assert np.mean(cosines > 0.35) < 1e-2  # some hundredths only because the pool is so small


def test_lean_images_are_small(tmp_path):
    full = fill_database(tmp_path / "a.db", 20, show=False)
    lean = fill_database(tmp_path / "b.db", 20, lean=True, show=False)
    assert lean.feature_bytes < 0.35 * full.feature_bytes


def test_a_database_of_files_is_not_filled(tmp_path, capsys):
    np.save(tmp_path / "p.npy", np.random.default_rng(0).random((40, 50)))
    with Index.open(tmp_path / "a.db", create=True, workers=1) as index:
        index.ingest([tmp_path / "p.npy"])
    assert main([str(tmp_path / "a.db"), "--images", "20"]) == 2
    assert "holds images of files" in capsys.readouterr().err


def test_a_pool_needs_pictures():
    with pytest.raises(ValueError, match="at least 2"):
        make_picture_pool([])


def test_names_tell_the_original():
    assert original_of(path_of(7)) is None
    assert original_of(path_of(7, 3)) == 3
    assert group_of(path_of(7, 3)) == group_of(path_of(3)) == 3
