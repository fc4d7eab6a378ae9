import pytest

from dedupindex import Index
from tests.pictures import half, picture, save


@pytest.fixture(scope="module", autouse=True)
def _remembered(remembered):
    """Here pictures are described and pairs verified only to have some."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A data set: `copied`, a smaller one, and the same bytes in another folder; six pictures that stand alone."""
    root = tmp_path_factory.mktemp("data")
    save(root / "cats" / "copied.png", picture(1))
    save(root / "cats" / "small.jpg", half(picture(1)), quality=90)
    save(root / "dogs" / "same.png", picture(1))
    for number in range(6):
        save(root / "dogs" / f"alone{number}.png", picture(10 + number))
    return root


@pytest.fixture(scope="module")
def index(folder, tmp_path_factory):
    with Index.open(tmp_path_factory.mktemp("index") / "d.db", create=True, workers=1) as opened:
        opened.ingest([folder])
        opened.find_duplicates()
        yield opened
