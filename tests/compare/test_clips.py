import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from dedupindex.compare.clips import shared_parts


def clip(length, seed):
    """Looks of a clip whose picture changes all the time."""
    rng = np.random.default_rng(seed)
    looks = [gaussian_filter(rng.random((32, 32)), 2) * 6 - 2.5 for _ in range(length)]
    return np.array(looks, np.float32).reshape(-1, 32, 32)


def times(length, step=0.5):
    return np.arange(length) * step


def compared(a, b):
    return shared_parts(a, times(len(a)), b, times(len(b)))


@given(before=st.integers(0, 20), shared=st.integers(4, 30), after=st.integers(0, 20), first=st.integers(0, 15))
@settings(max_examples=60, deadline=None)
def test_a_part_of_one_clip_in_another(before, shared, after, first):
    whole = clip(first + shared + 10, 1)
    part = whole[first : first + shared]
    other = np.concatenate([clip(before, 2), part, clip(after, 3)]) if before or after else part
    found = compared(whole, other)
    assert found.share_a == pytest.approx(shared / len(whole))
    assert found.share_b == pytest.approx(shared / len(other))
    [one] = found.parts
    assert one.a == pytest.approx((first / 2, (first + shared - 1) / 2))
    assert one.b == pytest.approx((before / 2, (before + shared - 1) / 2))
    assert one.middle[1] - one.middle[0] == pytest.approx((before - first) / 2)


def test_parts_in_another_order():
    whole = clip(60, 1)
    other = np.concatenate([whole[40:60], clip(10, 2), whole[5:20]])
    found = compared(whole, other)
    assert [(part.a, part.b) for part in found.parts] == [((2.5, 9.5), (15.0, 22.0)), ((20.0, 29.5), (0.0, 9.5))]
    assert found.share_a == pytest.approx(35 / 60)
    assert found.share_b == pytest.approx(35 / 45)


def test_brightness_and_noise_do_not_matter():
    whole = clip(40, 1)
    noisy = 0.5 * whole[10:30] + 0.2 + np.random.default_rng(5).normal(0, 0.01, (20, 32, 32)).astype(np.float32)
    assert compared(whole, noisy).share_b == 1


def test_other_clips_have_nothing_in_common():
    found = compared(clip(50, 1), clip(50, 2))
    assert (found.share_a, found.share_b, found.parts) == (0, 0, ())


def test_black_frames_count_nowhere():
    black = np.zeros((30, 32, 32), np.float32)
    assert compared(black, black).parts == ()
    whole = np.concatenate([black, clip(10, 1), black])
    assert compared(whole, clip(10, 1)).share_a == 1


def test_a_still_scene_is_no_end():
    still = np.repeat(clip(1, 1), 40, axis=0)
    found = compared(still, still[:10])
    assert found.share_b == 1
    assert len(found.parts) <= 5
