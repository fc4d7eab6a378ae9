import os

import pytest

from dedupindex.actions import file_copies


@pytest.fixture(scope="module", autouse=True)
def _remembered(remembered):
    """Here pictures are described and pairs verified only to have some."""


@pytest.fixture(autouse=True)
def _blocks_are_copied(monkeypatch):
    """Files share blocks on few file systems; elsewhere a copy stands for that. `tests/test_system.py` has the call."""

    def copied(source, target):
        os.lseek(source, 0, os.SEEK_SET)
        while data := os.read(source, 1 << 16):
            os.write(target, data)

    monkeypatch.setattr(file_copies, "clone_content", copied)
