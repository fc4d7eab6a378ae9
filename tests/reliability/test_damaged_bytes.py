"""A damaged byte in every 4 kB: right answers, or a refusal that says what mends it."""

import logging
import os

import pytest

from tests.reliability.damaged_bytes import damage_all


@pytest.fixture(autouse=True)
def _as_before(monkeypatch):
    """Decoding here, and no log, only while this runs."""
    monkeypatch.setattr("dedupindex.execution.contained.is_worker", lambda: True)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("images", "most"), [(300, 100_000), (10_000, int(os.environ.get("RELIABILITY_BLOCKS", "400")))]
)
def test_damaged_bytes(tmp_path, images, most):
    seen = damage_all(tmp_path, images, most, seed=1)
    assert seen.bad == []
    assert seen.counts["same answers"] > seen.counts["refused"] > 0
