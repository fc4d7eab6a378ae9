"""Thousands of probes at once find what FAISS finds for each alone, and what a loop over all numbers finds."""

import threading

import faiss
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedupindex.vectors import VectorIndex, batch_search
from dedupindex.vectors.cells import Cells
from tests.amounts import examples
from tests.vectors.test_vector_index import D, made, unit

NOTHING = np.empty(0, np.int64)


def slow_search(cells: Cells, probes, least, k, nprobe, excluded):
    """By the definition: the cells that are nearest to a probe, and of each vector in them its product."""
    index = cells._index
    centres = index.quantizer.reconstruct_n(0, index.nlist)
    lists = batch_search.inverted_lists(index)
    found = []
    for number, probe in enumerate(probes):
        hits = []
        for cell in np.argsort(-(centres @ probe), kind="stable")[:nprobe]:
            keys, codes = lists[cell]
            vectors = index.sq.decode(codes.copy()) if len(keys) else np.empty((0, D), np.float32)
            hits += [(-float(v @ probe), int(key)) for key, v in zip(keys, vectors, strict=True) if key not in excluded]
        found += [(number, -away, key) for away, key in sorted(hits)[:k] if -away >= least]
    return found


@given(
    seed=st.integers(0, 10**6),
    count=st.integers(1, 400),
    k=st.integers(1, 30),
    least=st.floats(-1, 1),
    nprobe=st.integers(1, 8),
)
@examples(15)
def test_a_batch_finds_what_the_definition_says(seed, count, k, least, nprobe):
    rng = np.random.default_rng(seed)
    keys = rng.permutation(1000)[:count].astype(np.int64)
    cells = Cells.build(keys, made(count, seed))
    excluded = rng.choice(keys, count // 5, replace=False)
    probes = unit(made(12, seed + 1))
    nprobe = min(nprobe, cells._index.nlist)
    row, similarity, key = batch_search.search_cells(cells._index, cells._lists, probes, least, k, nprobe, excluded)
    looser, stricter = (
        slow_search(cells, probes, bound, k, nprobe, set(excluded.tolist())) for bound in (least - 1e-5, least + 1e-5)
    )
    for number in range(len(probes)):
        found = similarity[row == number]
        wanted = [s for n, s, _ in looser if n == number]
        assert sum(n == number for n, _, _ in stricter) <= len(found) <= len(wanted)
        np.testing.assert_allclose(found, wanted[: len(found)], atol=1e-5)
    of_pair = {(n, name): s for n, s, name in slow_search(cells, probes, -2.0, count, nprobe, set(excluded.tolist()))}
    for n, s, name in zip(row.tolist(), similarity.tolist(), key.tolist(), strict=True):
        assert of_pair[n, name] == pytest.approx(s, abs=1e-5)
    assert len(set(zip(row.tolist(), key.tolist(), strict=True))) == len(row)


@pytest.mark.parametrize("threads", [1, 3])
def test_small_strips_and_little_room_change_nothing(monkeypatch, threads):
    """Cells longer than a product is wide, more probes than fit, and a crowd of hits that has to be thinned out."""
    cells = Cells.build(np.arange(3000), made(3000))
    probes = unit(made(200, 5))
    plain = batch_search.search_cells(cells._index, cells._lists, probes, -1.0, 20, 30, NOTHING)
    assert (np.bincount(plain[0]) == 20).all()
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(threads)
    try:
        for name, value in (("PROBES", 7), ("VECTORS", 5), ("HELD", 100)):
            monkeypatch.setattr(batch_search, name, value)
        strips = batch_search.search_cells(cells._index, cells._lists, probes, -1.0, 20, 30, NOTHING)
    finally:
        faiss.omp_set_num_threads(before)
    np.testing.assert_array_equal(plain[0], strips[0])
    np.testing.assert_allclose(plain[1], strips[1], atol=1e-5)
    assert np.mean(plain[2] == strips[2]) > 0.99  # equal similarities may change places


def test_many_probes_at_once_find_what_each_finds_alone():
    """The index takes one way for few probes and another for many; both tell the same."""
    descriptors = made(4000)
    descriptors[7] = descriptors[3000]
    index = VectorIndex(D, flat_limit=0)
    index.add(np.arange(4000), descriptors)
    index.remove([11, 3999, 7])
    probes = unit(made(2500, 9))
    nlist = index._blocks[0].cells._index.nlist
    assert batch_search.is_worth_it(len(probes), 16, nlist, 3997)
    assert not batch_search.is_worth_it(1, 16, nlist, 3997)
    at_once = index.search(probes, 0.3, 5, nprobe=16)
    for number in range(0, 2500, 50):
        [alone] = index.search(probes[number : number + 1], 0.3, 5, nprobe=16)
        np.testing.assert_allclose(at_once[number].distances, alone.distances, atol=3e-6)
        assert at_once[number].overflow == alone.overflow
        assert set(at_once[number].ids.tolist()) == set(alone.ids.tolist())
    assert not {11, 3999, 7} & {image for found in at_once for image in found.ids.tolist()}


def test_a_crowd_is_sorted_a_few_times_only(monkeypatch):
    """Where what is kept of all probes is more than may be held, not every product is followed by a sort."""
    cells = Cells.build(np.arange(3000), made(3000))
    sorted_so_far = []
    kept = batch_search._kept
    monkeypatch.setattr(batch_search, "_kept", lambda parts, k: sorted_so_far.append(len(parts)) or kept(parts, k))
    for name, value in (("PROBES", 7), ("VECTORS", 5), ("HELD", 100), ("SHARES", 1)):
        monkeypatch.setattr(batch_search, name, value)
    monkeypatch.setattr(faiss, "omp_get_max_threads", lambda: 1)
    batch_search.search_cells(cells._index, cells._lists, unit(made(200, 5)), -1.0, 20, 30, NOTHING)
    assert sum(sorted_so_far) > 20 * len(sorted_so_far)


@pytest.mark.parametrize("probes", [1, 2500])
def test_what_is_removed_meanwhile_is_not_found(monkeypatch, probes):
    """Cells are searched without the lock: another thread may remove what is being found, also its last twin."""
    descriptors = made(4000)
    descriptors[1] = descriptors[0]
    index = VectorIndex(D, flat_limit=0)
    index.add(np.arange(4000), descriptors)
    [wanted] = index.search(unit(descriptors[:1]), 2.0, 6, nprobe=16)
    assert set(wanted.ids.tolist()) >= {0, 1}
    calls = []
    real = Cells.nearest

    def remove_first(self, *arguments, **options):
        found = real(self, *arguments, **options)
        if not calls:
            thread = threading.Thread(target=index.remove, args=([0, 1, int(wanted.ids[3])],))
            thread.start()
            thread.join(20)
            assert not thread.is_alive()  # nothing is locked meanwhile
        calls.append(len(arguments[0]))
        return found

    monkeypatch.setattr(Cells, "nearest", remove_first)
    found = index.search(unit(descriptors[:probes]), 2.0, 6, nprobe=16)
    assert len(calls) == 2
    assert not {0, 1, int(wanted.ids[3])} & {image for some in found for image in some.ids.tolist()}
    assert all(len(some.ids) == 6 for some in found)
