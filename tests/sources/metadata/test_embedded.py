import pytest
from PIL import Image, IptcImagePlugin, TiffImagePlugin

from dedupindex.records.metadata import PictureMetadata, differing, joined, lacking
from dedupindex.settings import Settings
from dedupindex.sources.metadata.embedded import read_metadata
from dedupindex.sources.metadata.xmp import add_to_xmp

SETTINGS = Settings()
TAKEN = "2024-05-01T12:00:00+02:00"


def exif_of(*, position=True):
    exif = Image.Exif()
    exif[0x010E] = "The bridge"
    exif[0x4746] = 4
    exif[0x9C9E] = "Rome;Bridge".encode("utf-16-le") + b"\0\0"
    exif.get_ifd(0x8769).update({0x9003: "2024:05:01 12:00:00", 0x9011: "+02:00"})
    if position:
        rational = TiffImagePlugin.IFDRational
        degrees = (rational(48), rational(51), rational(30))
        exif.get_ifd(0x8825).update({1: "S", 2: degrees, 3: "E", 4: (rational(2), rational(30), rational(0))})
    return exif


def iptc_block(*records):
    """The block of Photoshop that holds IPTC records (dataset, value) in a JPEG."""
    data = b"".join(
        bytes([0x1C, 2, dataset]) + len(value).to_bytes(2, "big") + value for dataset, value in records
    )  # fmt: skip
    return b"Photoshop 3.0\x008BIM\x04\x04\0\0" + len(data).to_bytes(4, "big") + data + b"\0" * (len(data) % 2)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_exif(tmp_path, suffix):
    path = tmp_path / f"x.{suffix}"
    Image.new("RGB", (40, 30), "red").save(path, exif=exif_of())
    assert read_metadata(path, SETTINGS) == PictureMetadata(
        4, ("Rome", "Bridge"), (), "The bridge", (-48.858333, 2.5), TAKEN
    )


def test_xmp_comes_before_exif(tmp_path):
    own = PictureMetadata(5, ("Paris", "rome"), ("Places|Paris",), "Another", (10.0, 20.0), "2020-01-01T00:00:00")
    for suffix in ("jpg", "tif"):
        path = tmp_path / f"x.{suffix}"
        more = {"xmp": add_to_xmp(None, own)} if suffix == "jpg" else {"tiffinfo": {700: add_to_xmp(None, own)}}
        exif = {"exif": exif_of()} if suffix == "jpg" else {}
        Image.new("RGB", (40, 30)).save(path, **exif, **more)
        found = read_metadata(path, SETTINGS)
        assert found.keywords == (*own.keywords, *(("Bridge",) if exif else ()))
        assert (found.rating, found.description, found.position, found.taken) == (
            own.rating, own.description, own.position, own.taken,
        )  # fmt: skip


def test_iptc(tmp_path):
    path = tmp_path / "x.jpg"
    Image.new("RGB", (40, 30)).save(path)
    data = path.read_bytes()
    words = [(25, b"Rome"), (25, "Brücke".encode()), (120, b"Caption")]
    block = iptc_block(*words, (55, b"20240501"), (60, b"120000+0200"))
    segment = b"\xff\xed" + (len(block) + 2).to_bytes(2, "big") + block
    path.write_bytes(data[:2] + segment + data[2:])
    with Image.open(path) as image:
        assert IptcImagePlugin.getiptcinfo(image)
    assert read_metadata(path, SETTINGS) == PictureMetadata(None, ("Rome", "Brücke"), (), "Caption", None, TAKEN)


@pytest.mark.parametrize("data", [b"", b"no picture", b"\xff\xd8\xff\xe1\x00\x10Exif\0\0II*\0\xff\xff\xff\xff"])
def test_damaged_files_say_nothing(tmp_path, data):
    path = tmp_path / "x.jpg"
    path.write_bytes(data)
    assert read_metadata(path, SETTINGS) == PictureMetadata()


def test_what_one_of_two_lacks():
    kept = PictureMetadata(3, ("Rome",), (), "", (10.0, 20.0), "2024-05-01T12:00:00")
    other = PictureMetadata(5, ("rome ", "Bridge"), ("A|B",), "Text", (10.00001, 20.0), TAKEN)
    more = lacking(kept, other)
    assert more == PictureMetadata(None, ("Bridge",), ("A|B",), "Text")
    assert differing(kept, other) == PictureMetadata(rating=5)
    assert joined(kept, other) == PictureMetadata(
        3, ("Rome", "Bridge"), ("A|B",), "Text", (10.0, 20.0), "2024-05-01T12:00:00"
    )
    assert not lacking(joined(kept, other), other)
    assert differing(PictureMetadata(), other) == PictureMetadata()
