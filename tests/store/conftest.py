from pathlib import Path

import pytest

from dedupindex.store.database import Database
from dedupindex.store.migrate import prepare_schema


@pytest.fixture
def database(catalogue, tmp_path: Path):
    made = Database(catalogue(tmp_path / "pictures.db"), create=True)
    prepare_schema(made, create=True)
    yield made
    made.close()


@pytest.fixture
def file_database(tmp_path: Path):
    """In a file, for what has a meaning there only."""
    made = Database(tmp_path / "pictures.db", create=True)
    prepare_schema(made, create=True)
    yield made
    made.close()
