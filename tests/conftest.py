"""Where tests keep their catalogues: in SQLite files, and once more on a PostgreSQL server where there is one.

``DEDUPINDEX_TEST_POSTGRES`` is the URL of a server on which databases may be made and dropped; `.ci/run` starts one.
"""

import os
import secrets
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.commands import environment, run, script, warm_server  # noqa: F401  (fixtures)

SERVER = "DEDUPINDEX_TEST_POSTGRES"

os.environ.pop("PYTHONUNBUFFERED", None)  # it would hide output that nobody flushes
if os.environ.pop("PYTHONDONTWRITEBYTECODE", None):  # hundreds of processes would compile the package, .4 s each
    sys.dont_write_bytecode = False
# Read when NumPy, FAISS and OpenCV are loaded. Matrices here are small: threads that wait for one another took three
# quarters of all computing.
_THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "OPENCV_FOR_THREADS_NUM")
os.environ.update(dict.fromkeys(_THREADS, "1"))
SLOW_SECONDS = 3600


def pytest_collection_modifyitems(items):
    """Give long programmes longer than the time limit of pyproject.toml."""
    for item in items:
        if item.get_closest_marker("slow") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(SLOW_SECONDS))


class Server:
    """Databases on a server: each path that a test names stands for one of its own."""

    def __init__(self, url: str) -> None:
        psycopg = pytest.importorskip("psycopg")
        from sqlalchemy.engine import make_url

        self._parse = make_url
        self.url = make_url(url).set(drivername="postgresql")
        self._admin = psycopg.connect(self.url.render_as_string(hide_password=False), autocommit=True)
        self._connect = psycopg.connect
        self._made: dict[Path, str] = {}
        self._template = ""

    def __call__(self, path: Path) -> str:
        """A catalogue without images."""
        if path not in self._made:
            self._made[path] = self._copy(self._template or self._make_template())
        return self.url_of(self._made[path])

    def empty(self, options: str = "") -> str:
        """A database without tables."""
        return self.url_of(self._create(options))

    def execute(self, words: str):
        """Something that only the owner of the server may do."""
        return self._admin.execute(words)

    def name_of(self, location: str) -> str:
        return str(self._parse(location).database)

    def url_of(self, name: str) -> str:
        return self.url.set(database=name).render_as_string(hide_password=False)

    def close(self) -> None:
        with ThreadPoolExecutor(8) as threads:  # the server waits for a checkpoint each time: many share one
            list(threads.map(self._drop, self._made.values()))
        self._admin.close()

    def _drop(self, name: str) -> None:
        with self._connect(self.url.render_as_string(hide_password=False), autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def _make_template(self) -> str:
        from dedupindex.store.database import Database
        from dedupindex.store.migrate import prepare_schema

        name = self._create()
        made = Database(self.url_of(name), create=True)
        prepare_schema(made, create=True)
        made.close()
        self._template = name
        return name

    def _copy(self, template: str) -> str:
        name = self._create(f'TEMPLATE "{template}"')
        with self._connect(self.url_of(name), autocommit=True) as connection:
            connection.execute("UPDATE meta SET value = %s WHERE key = 'catalogue'", [secrets.token_hex(8)])
        return name

    def _create(self, options: str = "") -> str:
        name = f"dedupindex_test_{secrets.token_hex(6)}"
        self._admin.execute(f'CREATE DATABASE "{name}" {options}')
        self._made.setdefault(Path(name), name)
        return name


@pytest.fixture(scope="session", autouse=True)
def _databases_shared():
    """Databases share what each would compute anew; see `tests/databases.py`."""
    from tests.databases import databases_shared

    with databases_shared():
        yield


@pytest.fixture
def migrations_run(monkeypatch):
    """Make new databases by the migrations, as the program does."""
    from dedupindex.store import migrate
    from tests.databases import run_migrations

    monkeypatch.setattr(migrate, "_run_migrations", run_migrations)


@pytest.fixture
def decoding_here(monkeypatch):
    """Decode in this process, as a worker does: for tests that watch, replace or interrupt what happens there."""
    monkeypatch.setattr("dedupindex.execution.contained.is_worker", lambda: True)


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """A PostgreSQL server."""
    if not os.environ.get(SERVER):
        pytest.skip(f"needs a PostgreSQL server: set {SERVER} to the URL of one on which databases may be made")
    found = Server(os.environ[SERVER])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEDUPINDEX_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield found
    found.close()


@pytest.fixture(scope="module")
def browser():
    """A Chromium; tests that need one are skipped where there is none."""
    from tests.browsers import chromium

    with chromium() as started:
        yield started


@pytest.fixture(scope="session")
def remembered_folder(tmp_path_factory):
    """Where processes of a session share what they computed; see `tests/remembered.py`."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "results"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session", autouse=True)
def _workers_that_remember(remembered_folder):
    """Workers of this process can use `remembered`."""
    from dedupindex.execution import worker

    def fork_worker(theirs, _):
        return forked(theirs, "tests.remembering_workers")

    forked = worker.fork_worker
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("DEDUPINDEX_TEST_RESULTS", str(remembered_folder))
        patched.setattr(worker, "fork_worker", fork_worker)
        yield


@pytest.fixture(scope="module")
def remembered(remembered_folder):
    """Describing, verifying and proving compute nothing twice, here and in workers; see `tests/remembered.py`."""
    from tests.remembered import stages_remembered

    with stages_remembered(remembered_folder):
        yield


@pytest.fixture
def computed_anew(remembered_folder):
    """Nothing is remembered in this test."""
    from tests.remembered import flag_of

    flag = flag_of(remembered_folder, os.getpid())
    was_used = flag.exists()
    flag.unlink(missing_ok=True)
    yield
    if was_used:
        flag.touch()


@pytest.fixture(scope="session", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def catalogue(request):
    """catalogue(path) -> a location for `Index.open` or `Database`: the path itself, or the URL of a fresh database.

    Tests that use it run on both.
    """
    return (lambda path: path) if request.param == "sqlite" else request.getfixturevalue("server")
