"""A small scanned folder, served to a test client; each test that changes something gets a database of its own."""

import shutil

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="needs the extra web")
pytest.importorskip("httpx2", reason="the test client needs httpx2")

from starlette.testclient import TestClient

from dedupindex import Index
from dedupindex.search.uploads import upload_workers
from dedupindex.settings import Settings
from dedupindex.web.page.app import create_app
from dedupindex.web.page.guard import Keys
from dedupindex.web.shared.gate import hosts_for
from tests.pictures import half, make_tree, picture, save

PORT = 8000
BASE = f"http://127.0.0.1:{PORT}"
MARKUP = "<img src=x onerror=alert(1)>\u202e&amp;.png"
NO_TEXT = "no \udcff text.png"


def make_pictures(root):
    """Two groups of three files, one of two with a hole in one of them, names with markup and without text."""
    make_tree(root)
    save(root / MARKUP, half(picture(4)))
    save(root / NO_TEXT, picture(5)[10:, 8:])
    holed = np.dstack([picture(3), np.full((120, 160), 255, np.uint8)])
    holed[30:70, 20:60, 3] = 0
    save(root / "holed.png", holed)
    return root


@pytest.fixture(scope="module", autouse=True)
def _remembered(remembered):
    """Here pictures are described and pairs verified only to have some."""


@pytest.fixture(scope="session")
def scanned(tmp_path_factory):
    """Folder with `p.db` and the pictures; only read."""
    root = tmp_path_factory.mktemp("web")
    make_pictures(root / "pictures")
    with Index.open(root / "p.db", create=True, workers=1) as index:
        index.ingest([root / "pictures"])
        index.find_duplicates()
    return root


@pytest.fixture
def own(scanned, tmp_path):
    """A database of one's own over the same pictures."""
    shutil.copy(scanned / "p.db", tmp_path / "p.db")
    return tmp_path / "p.db"


@pytest.fixture(scope="session")
def workers():
    with upload_workers(Settings(), 2) as pool:
        yield pool  # for every page and replica: tasks bring their settings along


@pytest.fixture
def serve(workers, monkeypatch):
    """serve(database, allow_apply=False) -> (client that is let in, keys)."""
    opened = []

    def start(database, **options):
        index = Index.open(database, workers=1)
        opened.append(index)
        keys = Keys(hosts_for("127.0.0.1", PORT))
        uploads = index.uploads()
        monkeypatch.setattr(uploads, "_pool", workers)
        client = TestClient(create_app(index, uploads, keys, **options), base_url=BASE)
        client.headers["origin"] = BASE
        client.get(f"/?token={keys.token}")
        return client, keys

    yield start
    for index in opened:
        index.close()


@pytest.fixture
def site(serve, own):
    return serve(own)
