"""Which packages are loaded when: many take longer to import than what is then done with them."""

import subprocess
import sys

import pytest

from dedupindex import Index
from tests.pictures import make_tree

SLOW = ("alembic", "faiss", "jinja2", "matplotlib", "pathspec", "pyarrow", "rich", "scipy", "tifffile")


def loaded(code: str, *names: str) -> list[str]:
    """Those of the modules that a fresh interpreter has loaded after *code*."""
    code = f"import sys\ntry:\n    {code}\nexcept SystemExit:\n    pass\nsys.stderr.write(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = set(done.stderr.split())
    assert "dedupindex" in modules
    return [name for name in names if name in modules]


@pytest.mark.parametrize(
    "module",
    [
        "dedupindex.ingest.describing",
        "dedupindex.search.pair_stages",
        "dedupindex.search.proof_stages",
        "dedupindex.search.upload_work",
        "dedupindex.evaluation.attacked_copies",
    ],
)
def test_workers_load_neither_the_database_nor_the_vector_index(module):
    """These modules hold the functions that run in worker processes; every new process imports them."""
    assert loaded(f"import {module}", *SLOW, "sqlalchemy", "typer", "pydantic") == []


def test_a_report_of_what_is_known_loads_nothing_that_it_does_not_need(tmp_path):
    make_tree(tmp_path / "in", 3)
    with Index.open(tmp_path / "a.db", create=True, workers=1) as index:
        index.ingest([tmp_path / "in"])
        index.find_duplicates()
    arguments = ["dedupindex", "-d", str(tmp_path / "a.db"), "report"]
    code = f"sys.argv = {arguments}; from dedupindex.cli.main import main; main()"
    assert loaded(code, *SLOW, "sqlalchemy.dialects.postgresql", "dedupindex.search.file_proofs") == []
    assert loaded(code.replace("report", "query"), "numpy", "sqlalchemy") == []  # wrong usage: loads nothing
    assert loaded(code, "numpy", "sqlalchemy") == ["numpy", "sqlalchemy"]  # the list is not empty for want of a report
