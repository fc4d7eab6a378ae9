"""The tests themselves: each safeguard that is taken out makes some test fail."""

import pytest

from tests.reliability.mutants import MUTANTS, survives


@pytest.mark.slow
@pytest.mark.parametrize("name", MUTANTS)
def test_somebody_notices(name, tmp_path):
    assert not survives(name, tmp_path)
    print(f"\nnoticed: {name}")
