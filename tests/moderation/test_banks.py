import json
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedupindex import Index, SettingsError
from dedupindex.moderation.bank_files import bank_csv, bank_entries, read_bank
from dedupindex.moderation.banks import bank_of, match_pdq
from dedupindex.records.banks import BankStyle, Signal, SignalKind
from tests.pictures import half, picture, save

HASH = "f8f8f0cce0f4e84d0e370a22028f67f0b36e2ed596623e1d33e6339c4e9c9b22"
OTHER = "b0a10efd71cc3f429413d48d0ffffe12e34e0e17ada952a9d29684210aa9e5af"


def pdq(value: bytes, name="", quality=None):
    return Signal(SignalKind.PDQ, value, name, quality)


@given(hashes=st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=20), most=st.integers(0, 256))
def test_matches_are_those_within_so_many_bits(hashes, most):
    bank = bank_of("b", [pdq(value, str(number)) for number, value in enumerate(hashes)])
    asked = int.from_bytes(hashes[0])
    apart = {str(n): (int.from_bytes(value) ^ asked).bit_count() for n, value in enumerate(hashes)}
    matches = match_pdq(bank, pdq(hashes[0]), most)
    assert {match.signal.id: match.distance for match in matches} == {n: d for n, d in apart.items() if d <= most}
    assert [match.distance for match in matches] == sorted(match.distance for match in matches)


def test_a_hundred_thousand_hashes_answer_within_ten_milliseconds():
    random = np.random.default_rng(0)
    values = random.integers(0, 256, (100_000, 32), np.uint8)
    bank = bank_of("b", [pdq(value.tobytes(), str(number)) for number, value in enumerate(values)])
    near = values[77].copy()
    near[:3] ^= 255  # 24 bits
    taken = []
    for _ in range(20):
        began = time.perf_counter()
        matches = match_pdq(bank, pdq(near.tobytes()))
        taken.append(time.perf_counter() - began)
        assert [(match.signal.id, match.distance) for match in matches] == [("77", 24.0)]
    assert min(taken) < 0.010


SHAPES = {
    "hma.csv": f"signal_type,signal,id\npdq,{HASH},a\nvideo_md5,0123,m\n",
    "indicators.csv": f"indicator_id,indicator,type\n7,{HASH},HASH_PDQ\n",
    "photo_hasher.csv": f"{HASH},dir/a.jpg\n",
    "tool.csv": f"1234,{HASH},1601409423,tag\n",
    "contents.json": json.dumps([{"id": 7, "bank": {"name": "x"}, "signals": {"pdq": HASH, "video_md5": "01"}}]),
    "threat.json": json.dumps({"data": [{"id": "9", "type": "HASH_PDQ", "indicator": HASH}], "paging": {}}),
    "plain.json": json.dumps([HASH.upper()]),
}


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_of_other_programs_are_read(tmp_path, name):
    (tmp_path / name).write_text(SHAPES[name])
    bank = read_bank(tmp_path / name)
    assert [signal.value.hex() for signal in bank.signals] == [HASH]
    ids = {"hma.csv": "a", "indicators.csv": "7", "photo_hasher.csv": "dir/a.jpg", "tool.csv": "1234"}
    ids |= {"contents.json": "7", "threat.json": "9", "plain.json": ""}
    assert bank.signals[0].id == ids[name]


@pytest.mark.parametrize("style", list(BankStyle))
@pytest.mark.parametrize("kind", ["csv", "json"])
def test_what_is_written_is_read_back(tmp_path, style, kind):
    signals = [pdq(bytes.fromhex(HASH), 'a, "b".jpg', 93), pdq(bytes.fromhex(OTHER), "ü")]
    data = bank_csv(signals, style) if kind == "csv" else json.dumps(bank_entries(signals, style)).encode()
    (tmp_path / f"b.{kind}").write_bytes(data)
    read = read_bank(tmp_path / f"b.{kind}").signals
    assert [(one.value, one.id) for one in read] == [(one.value, one.id) for one in signals]
    if style is BankStyle.HMA:
        assert [one.quality for one in read] == [93, None]


def test_descriptors_carry_their_signature(tmp_path):
    own = Signal(SignalKind.DESCRIPTOR, bytes(range(128)) * 3, "x", None, "a" * 32)
    (tmp_path / "b.csv").write_bytes(bank_csv([own]))
    assert read_bank(tmp_path / "b.csv").signals == (own,)
    other = Signal(SignalKind.DESCRIPTOR, own.value, "y", None, "b" * 32)
    with pytest.raises(SettingsError, match="different settings"):
        bank_of("b", [own, other])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a,b\n",
        "signal\nxyz\n",
        "[]",
        "{}",
        "[3]",
        '[{"id": 3}]',
        '["ab"]',
        "nonsense",
        f"signal_type,signal\nmd5,{HASH}\n",
    ],
)
@pytest.mark.parametrize("kind", ["csv", "json"])
def test_what_is_no_bank_is_told(tmp_path, text, kind):
    (tmp_path / f"b.{kind}").write_text(text)
    with pytest.raises(SettingsError, match=rf"b\.{kind}"):
        read_bank(tmp_path / f"b.{kind}")
    with pytest.raises(SettingsError, match="none"):
        read_bank(tmp_path / "none.csv")


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    pytest.importorskip("pdqhash")
    root = tmp_path_factory.mktemp("bank")
    for number in range(3):
        save(root / "p" / f"{number}.png", picture(number, 240, 320))
    with Index.open(root / "d.db", create=True, workers=1) as opened:
        opened.ingest([root / "p"])
        yield opened


def test_hashes_are_stored_once(index, monkeypatch):
    signals, failures = index.hashes()
    assert len(signals) == 3
    assert failures == []
    from dedupindex.moderation import hashing

    monkeypatch.setattr(hashing, "_Task", None)  # nothing is hashed any more
    assert index.hashes() == (signals, [])
    assert index.check(deep=True) == []


@pytest.mark.parametrize("kind", list(SignalKind))
def test_a_smaller_copy_is_in_the_bank(index, kind, tmp_path):
    signals, _ = index.hashes(kind)
    bank = bank_of("known", signals)
    copy = save(tmp_path / "copy.jpg", half(picture(1, 240, 320)), quality=85)
    matches = index.match_banks(copy, [bank])
    assert matches[0].signal.id.endswith("/1.png")
    assert len(matches) == 1
    assert index.match_banks(save(tmp_path / "new.png", picture(9, 240, 320)), [bank]) == []


def test_descriptors_of_other_settings_are_refused(index, tmp_path):
    signals, _ = index.hashes("dedupindex")
    bank = bank_of("old", [Signal(one.kind, one.value, one.id, None, "0" * 32) for one in signals])
    with pytest.raises(SettingsError, match="export it again"):
        index.match_banks(save(tmp_path / "x.png", picture(1)), [bank])
