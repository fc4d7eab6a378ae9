import threading
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedupindex.errors import VectorIndexError
from dedupindex.vectors import VectorIndex, row_digest, segments, strays, sweep
from dedupindex.vectors.blocks import first_equal
from tests.amounts import examples

D = 16


def made(count: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(max(1, count // 10), D))
    vectors = centres[rng.integers(0, len(centres), count)] + 0.3 * rng.normal(size=(count, D))
    return np.rint(vectors / np.abs(vectors).max(1, keepdims=True) * 127).astype(np.int8)


def unit(descriptors: np.ndarray) -> np.ndarray:
    vectors = descriptors.astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def slow_search(ids, descriptors, probe, radius, k):
    """k-nearest by the definition, in double precision; ties by id."""
    rows = unit(descriptors).astype(np.float64)
    distances = np.round(1 - rows @ probe.astype(np.float64), 6)
    return [(int(i), d) for d, i in sorted(zip(distances, ids, strict=True)) if d <= radius][:k]


@given(seed=st.integers(0, 10**6), count=st.integers(1, 80), k=st.integers(1, 20), radius=st.floats(0.05, 2))
@examples(15)
def test_flat_search_equals_the_oracle(seed, count, k, radius):
    rng = np.random.default_rng(seed)
    descriptors = np.unique(made(count, seed), axis=0)
    ids = rng.permutation(1000)[: len(descriptors)].astype(np.int64)
    index = VectorIndex(D)
    index.add(ids, descriptors)
    probe = unit(made(1, seed + 1))
    [found] = index.search(probe, radius, k)
    expected = slow_search(ids, descriptors, probe[0], radius, k)
    np.testing.assert_allclose(found.distances, [d for _, d in expected], atol=2e-6)
    clear = np.diff([d for _, d in expected], prepend=-1, append=3)
    for row, (image, _) in enumerate(expected):
        if min(clear[row], clear[row + 1]) > 1e-5:
            assert found.ids[row] == image
    assert found.overflow == (len(slow_search(ids, descriptors, probe[0], radius, 10**6)) > k)


def test_equal_vectors_are_kept_once_and_named_all():
    descriptors = made(5)
    index = VectorIndex(D)
    index.add(np.array([7, 3]), descriptors[[0, 1]])
    index.add(np.array([9, 2, 5]), descriptors[[0, 0, 2]])
    [found] = index.search(unit(descriptors[:1]), 1e-3, 5)
    assert list(found.ids) == [2, 7, 9]
    assert not found.overflow
    index.remove([7])
    assert list(index.search(unit(descriptors[:1]), 1e-3, 5)[0].ids) == [2, 9]
    index.remove([2, 9, 1234])
    assert list(index.search(unit(descriptors[:1]), 1e-3, 5)[0].ids) == []
    assert list(index.ids()) == [3, 5]
    index.add(np.array([10]), descriptors[:1])
    assert list(index.search(unit(descriptors[:1]), 1e-3, 5)[0].ids) == [10]


def test_empty_index_answers_nothing():
    [found] = VectorIndex(D).search(unit(made(1)), 2.0, 5)
    assert len(found.ids) == 0
    assert VectorIndex(D).search(np.empty((0, D), np.float32), 2.0, 5) == []


@pytest.mark.parametrize(
    ("ids", "descriptors", "error"),
    [
        ([1, 1], made(2), ValueError),
        ([-1, 1], made(2), ValueError),
        ([0, 1], made(2), ValueError),
        ([1], made(2), ValueError),
        ([1, 2], made(2).astype(np.float32), TypeError),
        ([1, 2], np.zeros((2, D), np.int8), ValueError),
        ([1.5, 2], made(2), TypeError),
    ],
)
def test_wrong_input_is_refused_and_changes_nothing(ids, descriptors, error):
    index = VectorIndex(D)
    index.add(np.array([0]), made(1, 5))
    with pytest.raises(error):
        index.add(np.array(ids), descriptors)
    assert list(index.ids()) == [0]


@pytest.mark.parametrize("bad", [np.zeros((1, D + 1)), np.full((1, D), np.nan), np.zeros(D)])
def test_wrong_probes_are_refused(bad):
    with pytest.raises(ValueError, match="probes"):
        VectorIndex(D).search(bad, 1.0, 5)


def filled(count: int, sealed: bool, directory=None):
    descriptors = made(count)
    descriptors[1] = descriptors[0]
    ids = np.arange(10, 10 + count)
    index = VectorIndex(D)
    index.add(ids, descriptors)
    if sealed:
        index.seal()
    return index, ids, descriptors


def test_sealed_search_finds_what_flat_search_finds():
    flat, _, descriptors = filled(3000, False)
    sealed, _, _ = filled(3000, True)
    sealed.add(np.array([9000]), made(1, 99))
    wanted = flat.search(unit(descriptors[:300]), 0.1, 10)
    found = sealed.search(unit(descriptors[:300]), 0.1, 10)
    kept = sum(len(set(w.ids) & set(f.ids)) for w, f in zip(wanted, found, strict=True))
    assert kept / sum(len(w.ids) for w in wanted) > 0.98
    assert all(f.ids[0] == w.ids[0] for w, f in zip(wanted, found, strict=True))
    assert list(sealed.search(unit(made(1, 99)), 1e-3, 1)[0].ids) == [9000]


@given(seed=st.integers(0, 10**6), count=st.one_of(st.integers(1, 400), st.integers(21, 31)))  # 20 of 31 train
@examples(15)
def test_cells_hold_every_vector_within_a_step_of_their_codes(seed, count):
    """Also vectors that stick out and were not among those that the cells were trained on."""
    rng = np.random.default_rng(seed)
    descriptors = made(count, seed)
    descriptors[rng.integers(count)] = np.where(np.arange(D) == rng.integers(D), 127, 1)
    index = VectorIndex(D, flat_limit=0)
    index.add(np.arange(count), descriptors)
    [(keys, vectors)] = index.sealed_vectors()
    wanted = unit(descriptors)
    step = np.ptp(wanted, axis=0) / 255
    assert (np.abs(vectors - wanted[keys]) <= step / 2 + 1e-5).all()


def test_removed_images_stay_away_from_sealed_answers():
    index, _, descriptors = filled(500, True)
    index.remove([10, 12])
    assert list(index.search(unit(descriptors[:1]), 1e-3, 3)[0].ids) == [11]
    index.remove([11])
    assert 11 not in index.search(unit(descriptors[:1]), 2.0, 400)[0].ids
    assert 12 not in index.search(unit(descriptors[2:3]), 2.0, 400)[0].ids
    with pytest.raises(ValueError, match="used before"):
        index.add(np.array([12]), made(1, 7))


def test_save_and_load(tmp_path):
    index, ids, descriptors = filled(500, True)
    [number] = index.unsaved()
    record = index.save(number, tmp_path / "v", generation=3, fingerprint="f")
    assert record.row_digest == row_digest(ids, descriptors)
    assert index.unsaved() == []
    assert record.rows == 500
    again = VectorIndex(D)
    again.load(tmp_path / "v", record)
    assert list(again.ids()) == list(ids)
    for one, two in zip(index.search(unit(descriptors), 0.3, 5), again.search(unit(descriptors), 0.3, 5), strict=True):
        np.testing.assert_array_equal(one.ids, two.ids)
        np.testing.assert_array_equal(one.distances, two.distances)
    with pytest.raises(ValueError, match="already"):
        again.load(tmp_path / "v", record)
    keys, vectors = again.sealed_vectors()[0]
    np.testing.assert_allclose(vectors, unit(descriptors)[keys - 10], atol=0.02)


def test_every_damage_is_noticed(tmp_path):
    index, *_ = filled(200, True)
    record = index.save(0, tmp_path, generation=3, fingerprint="f")
    path = tmp_path / record.file
    sound = path.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(40):
        data = bytearray(sound)
        data[rng.integers(len(data))] ^= 1 << int(rng.integers(8))
        path.write_bytes(bytes(data) if rng.random() < 0.7 else sound[: rng.integers(len(sound))])
        with pytest.raises(VectorIndexError, match="digest"):
            VectorIndex(D).load(tmp_path, record)
    path.unlink()
    with pytest.raises(VectorIndexError, match="No such file"):
        VectorIndex(D).load(tmp_path, record)
    path.write_bytes(sound)
    with pytest.raises(VectorIndexError, match="dimensions"):
        VectorIndex(D + 1).load(tmp_path, record)


def test_failed_write_leaves_the_old_file(tmp_path):
    index, *_ = filled(200, True)
    target = tmp_path / "no-folder"
    target.write_text("in the way")
    with pytest.raises(VectorIndexError, match="cannot write"):
        index.save(0, target, generation=1, fingerprint="f")
    assert index.unsaved()


def test_strays_are_swept_and_nothing_else(tmp_path):
    import os

    live = tmp_path / f"{segments.TEMPORARY}{os.getpid()}-segment-1.faiss"
    dead = tmp_path / f"{segments.TEMPORARY}999999999-segment-1.faiss"
    known, fresh, old = (tmp_path / f"segment-{n}.faiss" for n in ("known", "fresh", "old"))
    notes = tmp_path / "notes.txt"
    for path in (live, dead, known, fresh, old, notes):
        path.write_bytes(b"")
    for path in (known, old, notes):
        os.utime(path, (1, 1))
    assert strays(tmp_path, [known.name]) == [dead, old]
    assert sweep(tmp_path, [known.name]) == [dead, old]
    assert sorted(tmp_path.iterdir()) == sorted([live, known, fresh, notes])
    assert sweep(tmp_path / "nowhere", []) == []


def test_searching_while_adding_from_threads():
    descriptors = made(6000)
    index = VectorIndex(D)
    index.add(np.arange(10), descriptors[:10])
    stop = threading.Event()
    errors: list[BaseException] = []

    def look() -> None:
        try:
            while not stop.is_set():
                index.search(unit(descriptors[:20]), 0.5, 5)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=look) for _ in range(2)]
    for thread in threads:
        thread.start()
    for start in range(10, 6000, 100):
        index.add(np.arange(start, min(6000, start + 100)), descriptors[start : start + 100])
        if start % 1000 == 10:
            index.seal()
            index.remove([start])
    stop.set()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(index) == 6000 - 6


def test_row_digest_follows_ids_and_vectors_but_not_order():
    descriptors, ids = made(5), np.arange(5)
    order = np.array([3, 1, 0, 4, 2])
    assert row_digest(ids, descriptors) == row_digest(ids[order], descriptors[order])
    assert row_digest(ids, descriptors) != row_digest(ids + 1, descriptors)
    assert row_digest(ids, descriptors) != row_digest(ids, made(5, 1))


@given(seed=st.integers(0, 10**6), count=st.integers(5, 200), distinct=st.integers(1, 60))
@settings(max_examples=30, deadline=None)
def test_many_at_once_make_the_block_that_the_tail_would_have_made(seed, count, distinct):
    rng = np.random.default_rng(seed)
    descriptors = made(distinct, seed)[rng.integers(0, distinct, count)]
    ids = rng.permutation(1000)[:count].astype(np.int64)
    at_once, slowly = VectorIndex(D, flat_limit=4), VectorIndex(D)
    at_once.add(ids, descriptors)
    order = np.argsort(ids)  # the first to come stands for its twins
    slowly.add(ids[order], descriptors[order])
    slowly.seal()
    assert not at_once.needs_sealing
    probe = unit(made(5, seed + 1))
    gone = rng.choice(ids, count // 3, replace=False).tolist()
    for _ in range(2):
        assert list(at_once.ids()) == list(slowly.ids())
        assert len(at_once) == len(slowly) == len(at_once.ids())
        for one, two in zip(at_once.search(probe, 2.0, 7), slowly.search(probe, 2.0, 7), strict=True):
            assert (list(one.ids), list(one.distances), one.overflow) == (
                list(two.ids),
                list(two.distances),
                two.overflow,
            )
        at_once.remove(gone)
        slowly.remove(gone)


def test_equal_rows_are_told_from_rows_of_equal_sums(monkeypatch):
    rows = made(50)[np.random.default_rng(1).integers(0, 50, 300)]
    slow = [next(i for i in range(300) if (rows[i] == rows[n]).all()) for n in range(300)]
    assert first_equal(rows).tolist() == slow
    few = made(2)[[0, 1, 0, 1]]
    monkeypatch.setattr(
        np.random, "default_rng", lambda seed: SimpleNamespace(integers=lambda *a: np.zeros(2, np.uint64))
    )
    found = first_equal(few)  # all sums are alike now
    assert all((few[head] == few[row]).all() for row, head in enumerate(found))
