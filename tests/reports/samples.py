"""Records such as the store gives, with hostile names."""

from pathlib import Path

from dedupindex.errors import Reason
from dedupindex.groups.grouping import build_groups
from dedupindex.groups.series import build_series
from dedupindex.records import (
    Failure,
    ImageRecord,
    LocationRecord,
    Outcome,
    Pair,
    Proof,
    Registration,
    Relation,
    Verification,
    VerificationMeasures,
)
from dedupindex.records.reports import Report

HOSTILE = (
    "/pictures/new\nline.png",
    "/pictures/\x1b[31mred.png",
    "/pictures/\udcff\udcfe.png",  # bytes that are not UTF-8
    "/pictures/<img src=x onerror=alert(1)>.png",
    "=cmd|'/c calc'!A1",
    '/pictures/"quoted", comma.png',
    "/pictures/\u202egnp.exe",
)


def image(number: int, *paths: str, width: int = 200, height: int = 100, **fields) -> ImageRecord:
    places = tuple(LocationRecord(Path(path), size=1000, mtime_ns=number) for path in paths)
    values = {"frame": 0, "format": "PNG", "bits": 8, "channels": 3, "valid_share": 1.0, "scaling": "dtype 0..255"}
    values |= {"low_information": False, "lossless": True, "locations": places, **fields}
    return ImageRecord(id=number, sha256=bytes([number]) * 32, width=width, height=height, **values)


def verification(*relations: Relation, score: float = 0.9, **fields) -> Verification:
    registration = fields.pop("registration", Registration((0.0, 0.0)))
    values = {"reason": "keypoints: ncc 0.99", "measures": VerificationMeasures(ncc=0.99), "version": "1.1", **fields}
    return Verification(True, score, relations, registration, **values)


SAME = Proof(Outcome.SAME, largest=0.012, compared=1.0)


def pair(a: ImageRecord, b: ImageRecord, *relations: Relation, proof: Proof | None = SAME, **fields) -> Pair:
    if "registration" not in fields and "crop_of" not in fields:
        fields["registration"] = Registration((0.0, 0.0), scale=a.width / b.width)
    return Pair(a, b, verification(*relations, **fields), proof=proof)


def report(pairs, copies=(), failures=()) -> Report:
    images = {i.id: i for p in pairs for i in (p.a, p.b)} | {i.id: i for i in copies}
    groups = build_groups(list(pairs), list(copies))
    locations = sum(len(i.locations) for i in images.values())
    series = build_series(groups, pairs)
    return Report(None, groups, tuple(pairs), len(images), locations, tuple(failures), series=series, files=locations)


def hostile_report() -> Report:
    images = [image(number, path) for number, path in enumerate(HOSTILE, 1)]
    pairs = [pair(images[0], other, Relation.REENCODED, score=0.9) for other in images[1:]]
    copied = image(50, "/pictures/one.png", HOSTILE[0] + "2", HOSTILE[2] + "2")
    return report(pairs, [copied], [Failure(Path(name), Reason.DAMAGED, name) for name in HOSTILE])
