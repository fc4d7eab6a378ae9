import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedupindex.errors import VectorIndexError
from dedupindex.features.piece_entries import ENTRY
from dedupindex.vectors.piece_lists import file_entries, match
from dedupindex.vectors.piece_segments import lists_digest, parse, read_lists, serialise, write_lists


def made(seed, images=6, most=30, words=5):
    random = np.random.default_rng(seed)
    ids = np.cumsum(random.integers(1, 5, images))
    entries = []
    for _ in range(images):
        one = np.zeros(int(random.integers(0, most)), ENTRY)
        one["word"] = random.integers(0, words, len(one))
        base = random.integers(0, 2**63, len(one), dtype=np.uint64)
        one["signature"] = np.where(random.random(len(one)) < 0.5, base, np.uint64(0x0F0F0F0F))
        for name in ("angle", "scale"):
            one[name] = random.integers(0, 256, len(one))
        one["y"], one["x"] = random.integers(0, 65536, (2, len(one)))
        entries.append(one)
    return ids, entries


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 30))
def test_matches_are_those_of_a_slow_search(seed, bits):
    ids, entries = made(seed)
    lists = file_entries(ids, entries)
    random = np.random.default_rng(seed + 1)
    words = random.integers(0, 6, 25).astype(np.uint16)
    asked = np.where(random.random(25) < 0.6, np.uint64(0x0F0F0F0F), random.integers(0, 2**63, 25, dtype=np.uint64))
    hits = match(lists, words, asked, most_bits=bits)
    got = sorted(
        (int(p), int(lists.images[lists.owner[e]]), int(lists.place[e, 0]), int(lists.place[e, 1]), int(b))
        for p, e, b in zip(hits.probe, hits.entry, hits.bits, strict=True)
    )
    wanted = sorted(
        (probe, int(image), int(row["y"]), int(row["x"]), bin(int(asked[probe]) ^ int(row["signature"])).count("1"))
        for probe in range(25)
        for image, table in zip(ids, entries, strict=True)
        for row in table
        if row["word"] == words[probe] and bin(int(asked[probe]) ^ int(row["signature"])).count("1") <= bits
    )
    assert got == wanted
    assert (np.diff(hits.probe) >= 0).all()


def test_nothing_matches_where_there_is_nothing():
    full, none = file_entries(*made(2, images=3)), file_entries([], [])
    for lists, asked in ((none, 0), (none, 3), (full, 0)):
        hits = match(lists, np.zeros(asked, np.uint16), np.zeros(asked, np.uint64))
        assert (len(hits.probe), len(hits.entry), len(hits.bits)) == (0, 0, 0)


def test_ids_must_rise():
    _, entries = made(1, images=2)
    with pytest.raises(ValueError, match="rise"):
        file_entries([5, 5], entries)


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_files_hold_the_lists(seed):
    lists = file_entries(*made(seed))
    again = parse(serialise(lists))
    assert lists_digest(again) == lists_digest(lists)
    for name in lists.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(again, name), getattr(lists, name))


def test_a_file_is_read_only_whole(tmp_path):
    lists = file_entries(*made(2))
    file, sha256 = write_lists(tmp_path, lists)
    assert lists_digest(read_lists(tmp_path, file, sha256)) == lists_digest(lists)
    data = (tmp_path / file).read_bytes()
    for damaged in (data[:-1], data[: len(data) // 2], b"", data[:200] + bytes([data[200] ^ 1]) + data[201:]):
        (tmp_path / file).write_bytes(damaged)
        with pytest.raises(VectorIndexError):
            read_lists(tmp_path, file, sha256)
    (tmp_path / file).unlink()
    with pytest.raises(VectorIndexError):
        read_lists(tmp_path, file, sha256)
    with pytest.raises(VectorIndexError, match="plain"):
        read_lists(tmp_path, f"../{file}", sha256)


@pytest.mark.parametrize("data", [b"", b"DIPIECE1", b"x" * 100, b"DIPIECE1\x05\x00\x00\x00{}abc" + bytes(200)])
def test_other_files_are_refused(data):
    with pytest.raises(VectorIndexError):
        parse(data)


def test_mapped_lists_cannot_be_written(tmp_path):
    lists = file_entries(*made(2))
    mapped = read_lists(tmp_path, *write_lists(tmp_path, lists))
    with pytest.raises(ValueError, match="read-only"):
        mapped.signature[:] = 0
