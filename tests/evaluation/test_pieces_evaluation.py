import pytest

from dedupindex.errors import SettingsError
from dedupindex.evaluation.pieces_evaluation import evaluate_pieces
from dedupindex.settings import Settings
from tests.scenes import photograph
from tests.search.test_pieces import NAMES, save

SETTINGS = Settings(workers=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    for name in NAMES:
        save(folder / f"{name}.jpg", photograph(name))
    (folder / "bad.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    save(folder / "small.jpg", photograph("cat")[:40, :40])
    return folder


def test_parts_of_photographs_are_found(folder):
    result = evaluate_pieces([folder], per_picture=3, seed=2, settings=SETTINGS)
    assert result.pictures == len(NAMES)
    assert sum(one.made for one in result.recalls) == 3 * len(NAMES)
    assert result.recall > 0.6
    assert result.pairs >= 10
    assert result.precision == 1
    assert [failure.path.name for failure in result.failures] == ["bad.jpg"]
    again = evaluate_pieces([folder], per_picture=3, seed=2, settings=SETTINGS)
    assert (again.recalls, again.pairs) == (result.recalls, result.pairs)


def test_one_picture_is_not_enough(folder):
    with pytest.raises(SettingsError, match="two pictures"):
        evaluate_pieces([folder / "cat.jpg"], settings=SETTINGS)
