import pytest


@pytest.fixture(scope="module", autouse=True)
def _remembered(remembered):
    """Here pictures are described and pairs verified only to have some."""
