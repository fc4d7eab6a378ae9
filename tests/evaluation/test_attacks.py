import numpy as np
import pytest

from dedupindex.errors import SettingsError
from dedupindex.evaluation.attacks import ATTACKS, attack
from tests.scenes import photograph


def small(name: str = "coffee") -> np.ndarray:
    return np.ascontiguousarray(photograph(name)[::3, ::3])


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize("strength", [0.5, 1.0, 2.0])
def test_every_attack_gives_a_picture_and_leaves_the_original(name, strength):
    picture = small()
    before = picture.copy()
    for seed in range(4):
        found = attack(name, picture, strength, np.random.default_rng(seed))
        assert found.dtype == np.uint8
        assert found.ndim == 3
        assert found.shape[2] == 3
        assert min(found.shape[:2]) >= 8
        np.testing.assert_array_equal(picture, before)
        assert found.std() > 2


@pytest.mark.parametrize("name", ATTACKS)
def test_the_same_generator_gives_the_same_copy_and_something_changes(name):
    picture = small()
    first, second = (attack(name, picture, 1.0, np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert first.shape != picture.shape or (first != picture).any()


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize("shape", [(16, 16), (9, 70), (70, 9)])
def test_small_pictures_survive(name, shape):
    picture = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    for seed in range(3):
        assert attack(name, picture, 1.0, np.random.default_rng(seed)).ndim == 3


def test_results_do_not_share_memory_with_the_original():
    picture = small()
    for name in ATTACKS:
        for seed in range(3):
            assert not np.shares_memory(attack(name, picture, 1.0, np.random.default_rng(seed)), picture), name


def test_chains_apply_in_order():
    picture = small()
    random = np.random.default_rng(3)
    expected = ATTACKS["crop"](picture, 0.7, random)
    expected = ATTACKS["mirror"](expected, 0.7, random)
    np.testing.assert_array_equal(attack("crop+mirror", picture, 0.7, np.random.default_rng(3)), expected)


@pytest.mark.parametrize("name", ["", "melt", "crop+melt", "crop+"])
def test_unknown_names(name):
    with pytest.raises(SettingsError, match="unknown attack"):
        attack(name, small(), 1.0, np.random.default_rng(0))


def test_strength_counts():
    picture = small()

    def damage(name, strength):
        pairs = [(attack(name, picture, strength, np.random.default_rng(s)), picture) for s in range(6)]
        return np.mean([np.abs(a.astype(float) - b).mean() for a, b in pairs])

    for name in ("noise", "blur", "speckle", "posterise", "recompress", "watermark"):
        assert damage(name, 0.5) < damage(name, 2.0), name
