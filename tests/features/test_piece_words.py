import numpy as np
import pytest

from dedupindex.features.piece_words import WORDS, PieceWords, assign, load_words, parse_words, save_words, signatures


def codes(count, seed=0):
    return np.random.default_rng(seed).integers(-60, 60, (count, 64)).astype(np.int8)


@pytest.mark.parametrize("count", [1, 3])
def test_words_are_the_nearest_centres(count):
    words = load_words()
    got = assign(codes(20), words, count)
    for row, code in zip(got, codes(20).astype(float), strict=True):
        away = ((words.centres - code) ** 2).sum(1)
        np.testing.assert_allclose(away[row], np.sort(away)[:count], rtol=1e-4)


def test_signatures_say_on_which_side_of_the_word_a_code_lies():
    words = load_words()
    assigned = assign(codes(10), words, 2)
    got = signatures(codes(10), assigned, words)
    for number in range(10):
        for column in range(2):
            turned = (codes(10)[number].astype(np.float64) - words.centres[assigned[number, column]]) @ words.axes
            wanted = sum(1 << bit for bit in range(64) if turned[bit] > 0)
            differing = bin(int(got[number, column]) ^ wanted).count("1")
            assert differing <= 1  # float32 against float64


def test_words_come_back_from_their_file(tmp_path):
    random = np.random.default_rng(0)
    made = PieceWords(
        random.integers(-100, 100, (WORDS, 64)).astype(np.float32),
        np.linalg.qr(random.normal(size=(64, 64)))[0].astype(np.float32),
        random.uniform(1, 6, WORDS).astype(np.float32),
        "",
    )
    save_words(tmp_path / "w.npz", made)
    again = parse_words((tmp_path / "w.npz").read_bytes())
    np.testing.assert_array_equal(again.centres, made.centres)
    np.testing.assert_allclose(again.axes, made.axes, atol=1e-3)
    np.testing.assert_allclose(again.weights, made.weights, rtol=1e-3)
    assert len(again.digest) == 16


def test_the_shipped_words_are_small():
    words = load_words()
    assert words.centres.shape == (WORDS, 64)
    np.testing.assert_allclose(words.axes.T @ words.axes, np.eye(64), atol=2e-2)
    assert (words.weights >= 0).all()
