"""PDQ is that of the reference implementation; its published hashes are those of one picture in eight orientations."""

import numpy as np
import pytest
from PIL import Image
from skimage import data

from dedupindex.moderation import pdq as ours
from dedupindex.moderation.banks import bank_of, match_pdq
from dedupindex.records import Frame
from dedupindex.records.banks import Signal, SignalKind
from dedupindex.settings import Settings
from dedupindex.sources import decode_file
from tests.pictures import picture

pdqhash = pytest.importorskip("pdqhash")

# ThreatExchange, pdq/cpp/bin/README.md: the bridge, turned by 90, 180, 270 degrees, flipped in x, in y, along both
# diagonals. The pictures themselves are not stored here.
REFERENCE = [
    "f8f8f0cce0f4e84d0e370a22028f67f0b36e2ed596623e1d33e6339c4e9c9b22",
    "b0a10efd71cc3f429413d48d0ffffe12e34e0e17ada952a9d29684210aa9e5af",
    "adad5a64b5a142e55362a09057dacd5ae63b847fc23794b766b319361fc93188",
    "a5f4a457a48995e8c9065c275aaa5498b61ba4bdf8fcf80387c32f8b0bfc4f05",
    "f8f80f31e0f417b00e37f5cd028f980fb36ed02a9662c1e233e6cc634e9c64dd",
    "8dad2599b1a1bd1853625f6553da32a1e63b7280c2374b4866b366c91bc9ce77",
    "f0a1f102f1dcc0bd9c5309720fff018de34ef1e8ada9a956d2967ade0ea91a50",
    "a5f05ba8a4896a17c106a3da5aaaab07b61b5b42f8fc07fc83c3d0740bfcb0fa",
]
PICTURES = ("astronaut", "chelsea", "coffee", "rocket", "camera", "coins", "page")


def bits(digits):
    """(16, 16) bool: the signs of the DCT, the lowest frequency first; the first digits are the highest ones."""
    return np.unpackbits(np.frombuffer(bytes.fromhex(digits), np.uint8))[::-1].reshape(16, 16)


@pytest.mark.parametrize("name", PICTURES)
def test_hash_and_quality_are_those_of_the_library(name, tmp_path):
    pixels = getattr(data, name)()
    Image.fromarray(pixels).save(tmp_path / "x.png")
    expected, quality = pdqhash.compute(np.asarray(Image.open(tmp_path / "x.png").convert("RGB")))
    frame = decode_file(tmp_path / "x.png", Settings(), min_side=None).frames[0]
    signal = ours.pdq_of(frame)
    assert signal.value == np.packbits(expected).tobytes()
    assert signal.quality == quality
    assert ours.unpacked(ours.packed(signal), "") == signal


@pytest.mark.parametrize("name", PICTURES[:4])
def test_a_jpeg_is_hashed_at_its_full_size(name, tmp_path):
    Image.fromarray(getattr(data, name)()).resize((1600, 1200)).save(tmp_path / "x.jpg", quality=92)
    expected, _ = pdqhash.compute(np.asarray(Image.open(tmp_path / "x.jpg").convert("RGB")))
    value = ours.pdq_of(decode_file(tmp_path / "x.jpg", Settings(), min_side=None).frames[0]).value
    differing = np.unpackbits(np.frombuffer(value, np.uint8)) != np.asarray(expected)
    assert differing.sum() <= 2  # two decoders of JPEG may differ by a level


def test_the_reference_hashes_are_one_picture_in_eight_orientations():
    """Turning a picture transposes its DCT and changes signs of odd frequencies; half of the bits are set.

    The tolerance of the documentation is 31 bits; its own eight hashes agree within 16, because a picture of another
    number of pixels is reduced a little differently.
    """
    original, turned, half_turn, _, flip_x, flip_y, *_ = (bits(one) for one in REFERENCE)
    assert [int(bits(one).sum()) for one in REFERENCE] == [128] * 8
    odd = np.arange(1, 17) % 2 == 1  # PDQ takes the frequencies 1 to 16 of each direction
    rows, columns = np.broadcast_to(odd[:, None], (16, 16)), np.broadcast_to(odd[None, :], (16, 16))
    assert (half_turn ^ original ^ (rows ^ columns)).sum() <= 16
    flips = {name: (other ^ original ^ by).sum() for name, other, by in (("x", flip_x, rows), ("y", flip_y, columns))}
    swapped = {name: (other ^ original ^ by).sum() for name, other, by in (("x", flip_x, columns), ("y", flip_y, rows))}
    assert min(max(flips.values()), max(swapped.values())) <= 16
    transposed = {name: (turned ^ original.T ^ by).sum() for name, by in (("rows", rows), ("columns", columns))}
    assert min(transposed.values()) <= 16


def test_a_bank_finds_the_reference_hashes_as_they_are_written():
    signals = [Signal(SignalKind.PDQ, bytes.fromhex(digits), str(n)) for n, digits in enumerate(REFERENCE)]
    bank = bank_of("bridge", signals)
    for number, signal in enumerate(signals):
        [match] = match_pdq(bank, signal)
        assert (match.signal.id, match.distance) == (str(number), 0.0)


def test_depths_and_grey_pictures():
    pixels = picture(1)
    value, quality = ours.pdq(pixels)
    assert ours.pdq(pixels.astype(np.uint16) * 257)[0] == value
    assert ours.pdq(np.repeat(pixels[:, :, :1], 3, axis=2)) == ours.pdq(pixels[:, :, 0])
    grey = pixels[:, :, 0].astype(np.float32)
    grey[0, 0] = np.nan
    assert ours.pdq(grey)[1] > 0
    assert quality > 50
    flat = ours.pdq_of(Frame(np.full((64, 64), 7, np.uint8), np.ones((64, 64), bool)))
    assert flat.quality < 50
    assert match_pdq(bank_of("b", [flat]), flat) == []
