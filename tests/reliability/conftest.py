import pytest

from dedupindex import Index
from tests.ingest.test_ingest import content
from tests.reliability.harness import Machine, make_pictures
from tests.reliability.machine import seal


@pytest.fixture(scope="module", autouse=True)
def _remembered(remembered):
    """Here pictures are described and pairs verified only to have some."""


@pytest.fixture(scope="package")
def machine(tmp_path_factory, remembered_folder):
    made = Machine(tmp_path_factory.mktemp("machine"), remembered_folder)
    yield made
    made.close()


@pytest.fixture(scope="package")
def pictures(tmp_path_factory):
    return make_pictures(tmp_path_factory.mktemp("reliability") / "pictures")


@pytest.fixture(scope="package")
def made(pictures, tmp_path_factory):
    """A sealed database of the pictures, only read; and what is in it."""
    path = tmp_path_factory.mktemp("made") / "made.db"
    with Index.open(path, create=True, workers=1, batch=4) as index:
        index.ingest([pictures])
        index.find_duplicates()
        seal(index)
        return path, content(index, pictures)
