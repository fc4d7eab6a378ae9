"""Small files of every format that is read, and mutants of them: the same ones every time."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from tests.sources.readers import making
from tests.sources.reading import noise


def picture() -> Image.Image:
    y, x = np.mgrid[:24, :32]
    samples = np.stack([x * 8, y * 10, (x * y) % 256], axis=-1).astype(np.uint8)
    return Image.fromarray(samples)


def _samples(height: int = 24, width: int = 32) -> np.ndarray:
    return np.asarray(picture().resize((width, height)))


def exif() -> Image.Exif:
    tags = Image.Exif()
    tags[0x010F], tags[0x0112] = "a camera", 6
    return tags


def _pillow(kind: str, **options: Any) -> Callable[[], bytes]:
    def make() -> bytes:
        stream = io.BytesIO()
        picture().save(stream, kind, **options)
        return stream.getvalue()

    return make


def _deep() -> bytes:
    stream = io.BytesIO()
    Image.fromarray(noise(24, 32, dtype=np.uint16)).save(stream, "PNG")
    return stream.getvalue()


def _pages() -> bytes:
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream, bigtiff=True) as writer:
        for number in range(3):
            writer.write(noise(24, 32, seed=number, dtype=np.uint16), compression="zlib", subifds=int(number == 0))
            if not number:
                writer.write(noise(12, 16), compression="zlib")
    return stream.getvalue()


def _array() -> bytes:
    stream = io.BytesIO()
    np.save(stream, noise(3, 24, 32))
    return stream.getvalue()


def _archive() -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, a=noise(24, 32), b=noise(24, 32, seed=1))
    return stream.getvalue()


def _fits() -> bytes:
    fits = pytest.importorskip("astropy.io.fits")
    stream = io.BytesIO()
    parts = [fits.PrimaryHDU(noise(24, 32, dtype=np.int16)), fits.ImageHDU(noise(24, 32))]
    fits.HDUList(parts).writeto(stream)
    return stream.getvalue()


def _dicom() -> bytes:
    pydicom = pytest.importorskip("pydicom")
    meta = pydicom.dataset.FileMetaDataset()
    meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = pydicom.uid.SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = "1.2.3"
    made = pydicom.Dataset()
    made.file_meta = meta
    made.SOPClassUID, made.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    made.Rows, made.Columns, made.SamplesPerPixel, made.PhotometricInterpretation = 24, 32, 1, "MONOCHROME2"
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 12, 11, 0
    inner = pydicom.Dataset()
    inner.StudyDescription = "one"
    made.ReferencedStudySequence = pydicom.Sequence([inner])
    made.PixelData = (noise(24, 32, dtype=np.uint16) >> 4).tobytes()
    stream = io.BytesIO()
    made.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def _heif() -> bytes:
    pytest.importorskip("pillow_heif").register_heif_opener(thumbnails=False)
    return _pillow("HEIF")()


_MORE = {"save_all": True, "append_images": [picture().rotate(90), picture().rotate(180)]}
SEEDS: dict[str, tuple[str, Callable[[], bytes]]] = {  # name -> ending, what makes it
    "JPEG": ("jpg", _pillow("JPEG", exif=exif())),
    "MPO": ("jpg", _pillow("MPO", **_MORE)),
    "PNG": ("png", _pillow("PNG")),
    "PNG of 16 bits": ("png", _deep),
    "APNG": ("png", _pillow("PNG", **_MORE)),
    "GIF": ("gif", _pillow("GIF", **_MORE)),
    "WebP": ("webp", _pillow("WEBP", **_MORE)),
    "AVIF": ("avif", _pillow("AVIF", speed=10)),
    "HEIF": ("heic", _heif),
    "TIFF": ("tif", _pillow("TIFF", compression="tiff_lzw")),
    "BigTIFF": ("tif", _pages),
    "BMP": ("bmp", _pillow("BMP")),
    "JPEG 2000": ("jp2", _pillow("JPEG2000")),
    "PPM": ("ppm", _pillow("PPM")),
    "ICO": ("ico", _pillow("ICO", sizes=[(16, 16), (24, 24)])),
    "TGA": ("tga", _pillow("TGA", compression="tga_rle")),
    "NPY": ("npy", _array),
    "NPZ": ("npz", _archive),
    "FITS": ("fits", _fits),
    "DICOM": ("dcm", _dicom),
    "JPEG XL": ("jxl", lambda: making.jpeg_xl(_samples())),
    "QOI": ("qoi", lambda: making.qoi(_samples())),
    "JPEG-LS": ("jls", lambda: making.jpeg_ls(_samples())),
    "HDR": ("hdr", lambda: making.hdr(making.linear(_samples()))),
    "OpenEXR": ("exr", lambda: making.exr(making.linear(_samples()))),
    "DNG": ("dng", lambda: making.dng(_samples(48, 64), making.encoded(_samples(48, 64)))),
    "SVG": ("svg", lambda: making.svg(_samples())),
    "SVGZ": ("svgz", lambda: gzip.compress(making.svg(_samples()))),
    "PDF": ("pdf", lambda: making.pdf([making.encoded(_samples()), None])),
    "MP4": ("mp4", lambda: making.clip_with(_samples(), at=0.5, seconds=0.5)),
    "Matroska": ("mkv", lambda: making.clip_with(_samples(), at=0.5, seconds=0.5, kind="matroska")),
    "AVI": ("avi", lambda: making.clip_with(_samples(), at=0.5, seconds=0.5, kind="avi", codec="mpeg4")),
}


def mutants(data: bytes, count: int, seed: int = 0) -> Iterator[bytes]:
    """Bytes changed, runs of them removed, repeated or emptied, the end cut off."""
    rng = np.random.default_rng([len(data), seed])
    for number in range(count):
        changed = bytearray(data)
        # half of them in the header, where most of what a decoder believes stands
        reach = min(len(data), 80) if number % 2 else len(data)
        for _ in range(int(rng.integers(1, 4))):
            at, length = int(rng.integers(2, reach)), int(rng.integers(1, 12))
            match int(rng.integers(5)):
                case 0 | 1:
                    changed[at % len(changed)] = int(rng.integers(256))
                case 2:
                    changed[at : at + length] = rng.bytes(length)
                case 3:
                    del changed[at : at + length]
                case _:
                    changed[at:at] = changed[at : at + length]
        yield bytes(changed[: int(rng.integers(4, len(changed)))] if number % 7 == 0 else changed)
