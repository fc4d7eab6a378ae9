"""POST /api/match: is this picture, or this hash, in a bank?"""

import pytest

pytest.importorskip("pdqhash")

from dedupindex import Index, bank_csv
from tests.pictures import half, picture
from tests.web.service.conftest import READER, by, encoded


@pytest.fixture
def bank(scanned, tmp_path):
    with Index.open(scanned / "p.db", workers=1, read_only=True) as index:
        signals, _ = index.hashes()
    (tmp_path / "known.csv").write_bytes(bank_csv(signals))
    return tmp_path / "known.csv", {signal.id: signal for signal in signals}


def test_pictures_and_hashes_are_found(replica, own, bank):
    path, signals = bank
    client = by(replica(own, banks=(path,)), READER)
    answer = client.post("/api/match", files={"image": ("x.jpg", encoded(half(picture(2)), "JPEG", quality=90))})
    assert answer.status_code == 200, answer.text
    value = answer.json()
    assert value["banks"] == ["known"]
    assert value["matches"][0]["id"].endswith("p2.png")
    assert value["quality"] > 50
    digits = next(one.value.hex() for name, one in signals.items() if name.endswith("/p3.png"))
    value = client.post("/api/match", data={"signal": digits, "signal_type": "pdq"}).json()
    assert value["matches"][0]["distance"] == 0
    assert client.post("/api/match", data={"signal": "0" * 64}).json()["matches"] == []
    assert client.post("/api/match", data={"signal": "xyz"}).status_code == 400
    assert client.post("/api/match", data={"signal": digits, "signal_type": "md5"}).status_code == 400
    assert client.post("/api/match", files={"image": ("x.jpg", b"no picture")}).status_code == 422


def test_without_a_bank_there_is_nothing_to_ask(reader):
    assert reader.post("/api/match", data={"signal": "0" * 64}).status_code == 404
