"""What files say of how they were made."""

import numpy as np
import pytest
from PIL import Image

from dedupindex.errors import ReadError
from dedupindex.records.pictures import FileFacts
from dedupindex.settings import Settings
from dedupindex.sources.camera_facts import jpeg_quality, read_facts
from tests.pictures import picture

SETTINGS = Settings()


def exif(**values):
    made = Image.Exif()
    numbers = {"make": 0x010F, "model": 0x0110, "software": 0x0131, "changed": 0x0132, "rating": 0x4746}
    for name, value in values.items():
        if name == "taken":
            made.get_ifd(0x8769)[0x9003] = value
        else:
            made[numbers[name]] = value
    return made


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_exif(tmp_path, form):
    path = tmp_path / f"a.{form.lower()}"
    given = exif(make="NIKON CORPORATION", model="NIKON Z 6", taken="2024:05:01 12:03:09", rating=4, software="x\0")
    Image.fromarray(picture(1)).save(path, form, exif=given)
    facts = read_facts(path, SETTINGS)
    assert facts.taken == "2024-05-01T12:03:09"
    assert facts.camera == "NIKON Z 6"  # the maker once
    assert facts.rating == 4
    assert facts.software == "x"


def test_a_maker_that_is_not_in_the_model(tmp_path):
    Image.fromarray(picture(1)).save(tmp_path / "a.jpg", exif=exif(make="Google", model="Pixel 8"))
    assert read_facts(tmp_path / "a.jpg", SETTINGS).camera == "Google Pixel 8"


@pytest.mark.parametrize("quality", [1, 10, 33, 50, 51, 75, 80, 90, 95, 99, 100])
def test_the_quality_of_a_jpeg(tmp_path, quality):
    path = tmp_path / "a.jpg"
    Image.fromarray(picture(1)).save(path, quality=quality)
    assert read_facts(path, SETTINGS).quality == quality


def test_quality_of_no_table():
    assert jpeg_quality([1, 2, 3]) is None


def test_a_rating_in_xmp(tmp_path):
    packet = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description xmp:Rating="3"/></x:xmpmeta>'
    Image.fromarray(picture(1)).save(tmp_path / "a.jpg", xmp=packet)
    assert read_facts(tmp_path / "a.jpg", SETTINGS).rating == 3


@pytest.mark.parametrize(
    "given",
    [
        {"taken": "0000:00:00 00:00:00"},
        {"taken": "yesterday"},
        {"changed": "2024"},
        {"rating": 99},
        {"model": "\0\0"},
    ],
)
def test_nonsense_says_nothing(tmp_path, given):
    Image.fromarray(picture(1)).save(tmp_path / "a.png", exif=exif(**given))
    assert read_facts(tmp_path / "a.png", SETTINGS) == FileFacts()


def test_other_files(tmp_path):
    np.save(tmp_path / "a.npy", picture(1))
    assert read_facts(tmp_path / "a.npy", SETTINGS) == FileFacts()
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 and then nothing")
    assert read_facts(tmp_path / "broken.jpg", SETTINGS) == FileFacts()
    with pytest.raises(ReadError):
        read_facts(tmp_path / "none.jpg", SETTINGS)
