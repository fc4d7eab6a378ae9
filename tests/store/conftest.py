from pathlib import Path

import pytest

from dedupindex.store.database import Database
from dedupindex.store.migrate import prepare_schema


@pytest.fixture
def database(tmp_path: Path):
    made = Database(tmp_path / "pictures.db", create=True)
    prepare_schema(made, create=True)
    yield made
    made.close()
