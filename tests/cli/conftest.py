"""A scanned folder that tests only read; `run` and `script` are in `tests/commands.py`."""

import pytest

from tests.pictures import make_tree


@pytest.fixture(scope="session")
def tree(tmp_path_factory):
    return make_tree(tmp_path_factory.mktemp("cli") / "pictures")


@pytest.fixture(scope="session")
def scanned(script, tree):
    """A folder with a database `p.db`, made by a scan; tests only read it."""
    done = script("-d", "p.db", "scan", tree, "--pairs", "p.csv", "--html", "p.html", cwd=tree.parent, code=1)
    return tree.parent, done
