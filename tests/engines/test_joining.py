import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedupindex.engines import joining
from dedupindex.engines.executor import Executor
from dedupindex.engines.folder import WorkFolder
from dedupindex.engines.jobs import put_part
from dedupindex.engines.joining import HITS, centres_table, join_cell, nearest_cells
from dedupindex.engines.local import LocalRunner
from dedupindex.engines.proposing import IMAGES_A_BLOCK, JoinLayout, images_table, join
from dedupindex.features import DESCRIPTOR_DIMENSIONS, unit
from dedupindex.features.descriptor import orientations
from dedupindex.search.candidates import merge
from dedupindex.settings import Settings
from dedupindex.vectors import VectorIndex, pairs_by_sign, sample_of, train_centres


def made(count, seed=0, dimensions=DESCRIPTOR_DIMENSIONS, equal=0):
    """Codes in loose clusters; the last *equal* of them repeat the first."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(max(1, count // 6), dimensions))
    vectors = centres[rng.integers(0, len(centres), count)] + 0.6 * rng.normal(size=(count, dimensions))
    codes = np.rint(vectors / np.abs(vectors).max(1, keepdims=True) * 127).astype(np.int8)
    codes[count - equal :] = codes[:equal]
    return codes


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    count=st.integers(0, 40),
    equal=st.integers(0, 12),
    most=st.integers(1, 8),
    radius=st.floats(0.05, 1.2),
)
def test_a_cell_is_joined_as_the_vector_index_searches(seed, count, equal, most, radius):
    codes = made(count, seed, 16, min(equal, count // 2))
    ids = np.arange(count) * 3 + 1
    probes = unit(made(9, seed, 16))
    found = join_cell(ids, codes, probes, radius, most)
    index = VectorIndex(16)
    index.add(ids, codes)
    for row, expected in enumerate(index.search(probes, radius, most)):
        mine = found.probe == row
        assert found.id[mine].tolist() == expected.ids.tolist()
        assert np.allclose(found.distance[mine], expected.distances, atol=2e-6)
        assert bool(found.overflow[row]) == expected.overflow


def test_blocks_and_pruning_change_nothing(monkeypatch):
    codes, probes = made(300, 1, equal=30), unit(made(70, 1))
    whole = join_cell(np.arange(300), codes, probes, 0.9, 5)
    monkeypatch.setattr(joining, "PROBES_AT_ONCE", 16)
    monkeypatch.setattr(joining, "TARGETS_AT_ONCE", 32)
    monkeypatch.setattr(joining, "HELD", 10)
    parts = join_cell(np.arange(300), codes, probes, 0.9, 5)
    assert parts.id.tolist() == whole.id.tolist()
    assert parts.overflow.tolist() == whole.overflow.tolist()
    assert len(whole.id)


def test_signs_let_near_pairs_pass_and_few_others():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(400, DESCRIPTOR_DIMENSIONS)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    noise = rng.normal(size=vectors.shape).astype(np.float32)
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    near = 0.5 * vectors + np.sqrt(1 - 0.25) * noise
    row, column = pairs_by_sign(near, vectors, 0.3)
    assert (row == column).sum() >= 396
    assert (row != column).sum() < 0.003 * 400 * 400
    assert len(pairs_by_sign(near, vectors, -1.0)[0]) == 400 * 400


def joined(folder, codes, probes, layout, radius=0.8, most=6, reach=None):
    work = Executor(WorkFolder(str(folder)), LocalRunner(Settings(workers=1)))
    ids = np.arange(len(codes)) + IMAGES_A_BLOCK - 20  # two blocks
    reach = np.full(len(codes), -1.0) if reach is None else reach
    parts = [
        put_part(work.folder, images_table(ids[some], codes[some], probes[some], reach[some]))
        for some in np.array_split(np.arange(len(codes)), 3)
    ]
    centres = ""
    if layout.cells > 1:
        sample = codes[sample_of(len(codes), layout.cells)]
        centres = put_part(work.folder, centres_table(train_centres(sample, layout.cells)))
    blocks = join(work, parts, len(codes), layout, centres, radius, most)
    return {(a, b): (d, o) for part in blocks.values() for a, b, d, o in _rows(work.folder.read(part))}, ids


def _rows(table):
    assert table.schema.names == HITS.names
    return zip(*(table[name].to_pylist() for name in HITS.names), strict=True)


def test_one_cell_is_exhaustive_new_meets_all_and_old_meets_none(tmp_path, monkeypatch):
    monkeypatch.setattr("dedupindex.engines.proposing.MEMBERS_A_TASK", 40)  # shared out
    codes = made(60, 3, equal=6)
    probes = np.where(np.arange(60) % 3 == 0, 8, np.where(np.arange(60) % 3 == 1, 2, 0)).astype(np.int8)
    reach = np.where(np.arange(60) % 5 == 0, 0.5, -1.0)
    found, ids = joined(tmp_path, codes, probes, JoinLayout(1, 1, 1), reach=reach)
    index = VectorIndex(DESCRIPTOR_DIMENSIONS)
    index.add(ids, codes)
    expected = {}
    for row in np.flatnonzero(probes):
        near, overflow = merge(
            index.search(orientations(codes[row : row + 1], int(probes[row]))[:, 0], 0.8, 6), min(0.8, 1 - reach[row])
        )
        expected |= {(int(ids[row]), c.image_id): overflow for c in near if c.image_id != ids[row]}
    flags = {}
    for (a, _), (_, overflow) in found.items():
        flags[a] = flags.get(a, False) or overflow
    assert {pair for pair in found if pair[0] != pair[1]} == set(expected)
    assert {pair: flags[pair[0]] for pair in expected} == expected
    assert any(expected.values())
    assert not all(expected.values())


def test_cells_find_near_pairs(tmp_path):
    codes = made(600, 5)
    found, ids = joined(tmp_path, codes, np.full(600, 2, np.int8), JoinLayout(12, 4, 2), radius=0.5, most=64)
    cosines = unit(codes) @ unit(codes).T
    wanted = {(a, b) for a, b in zip(*np.nonzero(cosines > 0.6), strict=True) if a != b}
    hit = {(a - ids[0], b - ids[0]) for a, b in found}
    either = sum((a, b) in hit or (b, a) in hit for a, b in wanted)
    assert either > 0.95 * len(wanted)
    assert all(cosines[a, b] > 0.49 or _mirrored(codes, a, b) > 0.49 for a, b in hit if a != b)


def _mirrored(codes, a, b):
    return float(orientations(codes[a : a + 1], 2)[1] @ unit(codes[b : b + 1])[0])


@pytest.mark.parametrize("count", [1, 3, 9])
def test_nearest_cells_are_those_of_a_sort(count):
    vectors, centres = unit(made(50, 1)), unit(made(9, 2))
    found = nearest_cells(vectors, centres, count)
    assert found.tolist() == np.argsort(-(vectors @ centres.T), axis=1)[:, :count].tolist()
    assert nearest_cells(vectors, None, count).tolist() == [[0]] * 50


def test_training_follows_from_the_sample_alone():
    sample = made(300, 4)[sample_of(300, 10)]
    assert np.array_equal(train_centres(sample, 10), train_centres(sample, 10))
    assert np.array_equal(sample_of(300, 10), sample_of(300, 10))
