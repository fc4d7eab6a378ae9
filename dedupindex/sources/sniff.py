"""Recognise a file's format, or what else it is, by its first bytes."""

from __future__ import annotations

import os
import re
from collections.abc import Container
from pathlib import Path, PurePosixPath

from dedupindex.errors import Reason
from dedupindex.places import is_local
from dedupindex.records import FoundFile
from dedupindex.sources.readers.headers import jpeg_ls_header
from dedupindex.system import READ

HEAD_BYTES = 512  # what `sniff` and `diagnose` look at

# Formats that decode_file can read; those from HEIF on, NPY and NPZ apart, need an extra.
_READABLE = (
    "JPEG PNG WEBP AVIF GIF TIFF BMP JPEG2000 PPM ICO TGA HEIF NPY NPZ FITS DICOM RAW JPEGXL QOI JPEGLS HDR EXR SVG PDF"
    " VIDEO"
)
READABLE = frozenset(_READABLE.split())

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II\0*", "TIFF"),  # wrong-endian magics that real writers made; Pillow reads them
    (b"MM*\0", "TIFF"),
    (b"II+\0", "TIFF"),  # BigTIFF
    (b"MM\0+", "TIFF"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG2000"),
    (b"\xff\x4f\xff\x51", "JPEG2000"),
    (b"\x93NUMPY", "NPY"),
    (b"SIMPLE  =", "FITS"),
    (b"8BPS", "PSD"),
    (b"DDS ", "DDS"),
    (b"qoif", "QOI"),
    (b"icns", "ICNS"),
    (b"BLP1", "BLP"),
    (b"BLP2", "BLP"),
    (b"FTEX", "FTEX"),
    (b"FTU\0", "FTEX"),
    (b"\x01\xda", "SGI"),
    (b"\xb1\x68\xde\x3a", "DCX"),
    (b"\x59\xa6\x6a\x95", "SUN"),
    (b"/* XPM */", "XPM"),
    (b"DanM", "MSP"),
    (b"LinS", "MSP"),
    (b"P7 332", "XVThumb"),
    (b"v/1\x01", "EXR"),
    (b"#?RADIANCE", "HDR"),
    (b"#?RGBE", "HDR"),
    (b"\xff\x0a", "JPEGXL"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEGXL"),
    (b"%PDF-", "PDF"),
    (b"\x1a\x45\xdf\xa3", "VIDEO"),  # Matroska, WebM
    (b"FLV\x01", "VIDEO"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "VIDEO"),  # ASF
    (b"OggS", "VIDEO"),
    (b"\0\0\1\xba", "VIDEO"),  # MPEG program stream
    (b"%!PS", "EPS"),
    (b"\xc5\xd0\xd3\xc6", "EPS"),
    (b"\xd7\xcd\xc6\x9a", "WMF"),
    (b"gimp xcf", "XCF"),
    (b"\x80\xe8\0\0", "PIXAR"),
    (b"AT&TFORM", "DJVU"),
    (b"FUJIFILMCCD-RAW", "RAW"),
    (b"IIRO", "RAW"),  # Olympus
    (b"IIU\0", "RAW"),  # Panasonic
)

_HEIF_BRANDS = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"))
_DIB_SIZES = tuple(bytes((size,)) for size in (40, 52, 56, 64, 108, 124))  # of the header, bytes
_DIB_BITS = tuple(bytes((bits,)) for bits in (1, 4, 8, 16, 24, 32))
_ICO = re.compile(rb"\x00\x00\x01\x00[^\x00]")  # at least one picture; an uncompressed TGA has none here
_CUR = re.compile(rb"\x00\x00\x02\x00[^\x00]")
_PNM = re.compile(rb"P[1-6fF][\s#]|P[fF]\n|P0CMYK|P7\nWIDTH|PyP|PyRGBA|PyCMYK")
_PCX = re.compile(rb"\x0a[\x00\x02\x03\x05][\x00\x01]")
_FLI = re.compile(rb".{4}[\x11\x12]\xaf.{8}[\x00\x03]\x00", re.DOTALL)
_XBM = re.compile(rb"\s*#define[ \t]+\S*_width[ \t]")
_SVG = re.compile(rb"<(?:\w+:)?svg[\s>]|<!DOCTYPE\s+svg", re.IGNORECASE)
_HTML = re.compile(rb"\s*(?:<!--.*?-->\s*)?<(?:!doctype\s+html|html|head|body|title)[\s>]", re.IGNORECASE | re.DOTALL)

_ARCHIVES: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", "a zip archive"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\x1f\x8b", "a gzip stream"),
    (b"BZh", "a bzip2 stream"),
    (b"\xfd7zXZ\0", "an xz stream"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a rar archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd stream"),
    (b"\x7fELF", "a program"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (b"GRIB", "a GRIB file"),
    (b"BUFR", "a BUFR file"),
)

TGA_SUFFIXES = frozenset((".tga", ".vda", ".icb", ".vst"))
_RAW = (
    ".cr2 .cr3 .crw .nef .nrw .arw .srf .sr2 .dng .raf .orf .rw2 .pef .srw .raw .rwl .iiq .3fr .erf .kdc .mos .mrw"
    " .x3f .dcr"
)
RAW_SUFFIXES = frozenset(_RAW.split())
# Names that claim to be a picture: such a file is a failure when it is none.
_PICTURES = (
    ".jpg .jpeg .jpe .jfif .jif .mpo .png .apng .webp .avif .avifs .gif .tif .tiff .btf .tf8 .bmp .dib .jp2 .j2k"
    " .j2c .jpc .jpf .jpx .jph .jhc .ppm .pgm .pbm .pnm .pfm .pam .ico .cur .heic .heif .hif .npy .npz .fits .fit"
    " .fts .dcm .dicom .jxl .exr .hdr .psd .psb .jls .dds .pcx .dcx .sgi .rgb .rgba .bw .qoi .icns .svg .svgz .eps .wmf"
    " .emf .xpm .xbm .xcf .fli .flc .blp .ras .msp"
)
IMAGE_SUFFIXES = frozenset(_PICTURES.split()) | TGA_SUFFIXES | RAW_SUFFIXES


def sniff(head: bytes) -> str | None:
    """Image format from magic bytes, or None.

    Parameters
    ----------
    head : bytes
        The first `HEAD_BYTES` bytes of a file.

    Returns
    -------
    str or None
        One of `READABLE`, or the name of an image format that is not read (``PSD``, ``DDS``, ``EPS`` ...). TGA has no
        magic bytes, NPZ is a zip archive, and camera raw files often look like TIFF: `format_of` knows the name too.
    """
    if head[128:132] == b"DICM":  # first: its preamble may be a TIFF header
        return "DICOM"
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return "JPEGLS" if name == "JPEG" and jpeg_ls_header(head) is not None else name
    if head[:4] == b"RIFF" and head[8:12] in (b"WEBP", b"AVI "):
        return "WEBP" if head[8:12] == b"WEBP" else "VIDEO"
    if head[4:8] in (b"moov", b"mdat", b"wide") or _is_transport_stream(head):
        return "VIDEO"
    if head[4:8] == b"ftyp":
        return _iso_brand(head)
    if head[:2] == b"BM" and (head[14:15] in _DIB_SIZES or head[14:15] in (b"\x0c", b"\x10")) and len(head) > 17:
        return "BMP"
    if head[0:1] in _DIB_SIZES and head[1:4] == b"\0\0\0" and head[12:14] == b"\1\0" and head[14:15] in _DIB_BITS:
        return "BMP"  # a DIB: the same without its file header
    for pattern, name in ((_ICO, "ICO"), (_CUR, "CUR"), (_PNM, "PPM"), (_PCX, "PCX"), (_FLI, "FLI"), (_XBM, "XBM")):
        if pattern.match(head):
            return name
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") and _SVG.search(head):
        return "SVG"
    return None


def _iso_brand(head: bytes) -> str | None:
    length = min(int.from_bytes(head[:4]), len(head))
    brands = [head[8:12], *(head[i : i + 4] for i in range(16, length - 3, 4))]
    if any(brand in (b"avif", b"avis") for brand in brands):
        return "AVIF"
    if any(brand in _HEIF_BRANDS for brand in brands):
        return "HEIF"
    if brands[0] == b"crx ":
        return "RAW"
    return None if brands[0][:3] == b"M4A" else "VIDEO"


def _is_transport_stream(head: bytes) -> bool:
    """Whether packets of 188 bytes (192 in files of cameras) begin with their sync byte."""
    return any(
        len(head) > start + 2 * size and all(head[start + n * size] == 0x47 for n in range(3))
        for start, size in ((0, 188), (4, 192))
    )


def format_of(head: bytes, path: Path) -> str | None:
    """Like `sniff`, helped by the name where bytes do not tell: TGA, NPZ and camera raw files."""
    suffix = path.suffix.lower()
    format_name = sniff(head)
    if suffix in RAW_SUFFIXES and format_name in (None, "TIFF", "RAW"):
        return "RAW"
    if format_name is None and suffix == ".npz" and head.startswith(b"PK"):
        return "NPZ"
    if format_name is None and suffix == ".svgz" and head.startswith(b"\x1f\x8b"):
        return "SVG"
    # PNG, JPEG and others named .tga are told by their bytes; a real TGA may by chance begin like a weak magic.
    if suffix in TGA_SUFFIXES and format_name in (None, "ICO", "CUR", "FLI", "PCX", "SGI") and _is_tga(head):
        return "TGA"
    return format_name


def _is_tga(head: bytes) -> bool:
    return (
        len(head) >= 18 and head[1] in (0, 1) and head[2] in (1, 2, 3, 9, 10, 11) and head[16] in (1, 8, 15, 16, 24, 32)
    )


def diagnose(head: bytes) -> tuple[Reason, str]:
    """Recognise what a file is that is not an image.

    Returns
    -------
    (Reason, str)
        The reason and one line for people.
    """
    if not head:
        return Reason.EMPTY, "the file has no bytes"
    if head.startswith(b"version https://git-lfs.github.com/spec/"):
        return Reason.GIT_LFS_POINTER, "a pointer of git-lfs; fetch the file with `git lfs pull`"
    if head.startswith((b"\0\x05\x16\x07", b"\0\x05\x16\0")):
        return Reason.APPLEDOUBLE, "the AppleDouble companion of another file, without a picture"
    if _HTML.match(head.lstrip(b"\xef\xbb\xbf")):
        return Reason.HTML, "a web page, perhaps saved in place of a picture"
    for magic, what in _ARCHIVES:
        if head.startswith(magic):
            return Reason.NOT_AN_IMAGE, what
    if not head.strip(b"\0"):
        return Reason.DAMAGED, "begins with nothing but zero bytes"
    return Reason.NOT_AN_IMAGE, "no known image format"


def has_picture_name(name: str) -> bool:
    """Whether a name has an ending of pictures."""
    return PurePosixPath(name).suffix.lower() in IMAGE_SUFFIXES


def read_head(path: Path) -> bytes:
    """First `HEAD_BYTES` bytes of a file; never waits for a pipe.

    Raises
    ------
    OSError
        The file cannot be read.
    """
    descriptor = os.open(path, READ)
    try:
        return os.read(descriptor, HEAD_BYTES)
    finally:
        os.close(descriptor)


def is_candidate(file: FoundFile, head: bytes | None = None, *, documents: Container[str] = ()) -> bool:
    """Whether a file that was found should be decoded, or passed over as ``not_an_image``.

    A folder may hold other files: a file in it counts when its name or its first bytes are those of an image; then a
    failure to decode is reported. A file that the user named always counts. The head is read only where the name does
    not decide; a file whose head cannot be read counts, so that `decode_file` says why. Of objects in a store no head
    is read, which would cost a request: the name decides, and one without an ending counts.

    Parameters
    ----------
    file : FoundFile
    head : bytes, optional
        First `HEAD_BYTES` bytes, where they are at hand.
    documents : container of str
        Endings of the documents and videos that count too; they are known by their names alone.
    """
    suffix = file.path.suffix.lower()
    if file.explicit or suffix in IMAGE_SUFFIXES or suffix in documents:
        return True
    if head is None:
        if not is_local(file.path):
            return file.offset is not None or (not file.path.suffix and file.size != 0)
        try:
            head = read_head(file.path)
        except OSError:
            return True
    return sniff(head) not in (None, "PDF", "VIDEO")
