"""PDQ is that of the reference implementation; its published hashes are those of one picture in eight orientations."""

from pathlib import Path

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

# ThreatExchange, pdq/cpp/bin/README.md: the bridge; turned by 90, 180, 270 degrees anticlockwise; upside down;
# mirrored; flipped along both diagonals.
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
BRIDGE = Path(__file__).parent / "bridge.jpg"  # its licence: bridge.md
ORIENTATIONS = [
    lambda pixels: pixels,
    lambda pixels: np.rot90(pixels),
    lambda pixels: np.rot90(pixels, 2),
    lambda pixels: np.rot90(pixels, 3),
    lambda pixels: pixels[::-1],
    lambda pixels: pixels[:, ::-1],
    lambda pixels: pixels.swapaxes(0, 1),
    lambda pixels: np.rot90(pixels, 2).swapaxes(0, 1),
]
TOLERANCE = 10  # bits between two implementations, for a quality of 80 or more: ThreatExchange, pdq/README.md
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


def bridge():
    return decode_file(BRIDGE, Settings(), min_side=None).frames[0]


def test_the_hash_of_the_reference_picture():
    """As the package threatexchange documents it, first of its examples; two decoders of JPEG may differ by a level."""
    value, quality = ours.pdq(bridge().pixels)
    expected = "f8f8f0cee0f4a84f06370a22038f63f0b36e2ed596621e1d33e6b39c4e9c9b22"
    assert (bits(value.hex()) ^ bits(expected)).sum() <= 2
    assert quality == 100


def test_the_eight_reference_hashes():
    pixels = bridge().pixels
    values = [bits(ours.pdq(turn(pixels))[0].hex()) for turn in ORIENTATIONS]
    distances = np.array([[(value ^ bits(digits)).sum() for digits in REFERENCE] for value in values])
    assert distances.diagonal().max() <= TOLERANCE, distances.diagonal()
    assert distances[~np.eye(8, dtype=bool)].min() > 31  # no other orientation matches


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
