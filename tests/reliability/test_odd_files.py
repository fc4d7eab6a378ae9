"""Mutants of all formats: each is told in words, within its limits; and the counts of what was told."""

import os

import pytest

from tests.reliability.odd_files import Told
from tests.sources.mutants import SEEDS, mutants

EACH = int(os.environ.get("RELIABILITY_MUTANTS", "170"))  # of a format: 5,440 in all


@pytest.mark.slow
def test_many_mutants_of_all_formats(tmp_path):
    """In a worker, as every verb decodes: none ends it or takes longer than it may."""
    told = Told()
    for kind, (ending, make) in SEEDS.items():
        for number, data in enumerate(mutants(make(), EACH, seed=1)):
            path = tmp_path / f"{kind} {number}.{ending}"
            path.write_bytes(data)
            os.utime(path, (1e9 + 0.5, 1e9 + 0.5))  # files that have just been written are waited for
            told.add(path)
            path.unlink()
    print(f"\n{told.table()}\n{told.counts.total()} mutants, slowest {told.slowest}, largest {told.largest}")
    assert told.bad == []
    assert "worker_died" not in told.counts
    assert "timed_out" not in told.counts
