"""Heaps of made-up files with the records that an index would have of them: no decoding, any bytes."""

import dataclasses
import hashlib
import os
import stat
from datetime import UTC, datetime
from pathlib import Path

from dedupindex.actions.plan_options import PlanOptions
from dedupindex.actions.planning import make_plan
from dedupindex.actions.renewed_proof import FileProof
from dedupindex.groups.grouping import build_groups
from dedupindex.records import (
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


def write(path: Path, data: bytes, mtime: int = 1_600_000_000, mode: int = 0o644) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(mode)
    os.utime(path, ns=(mtime * 10**9, mtime * 10**9 + 123_456_789))
    return path


def image(number: int, data: bytes, *paths: Path, frame: int = 0, **known) -> ImageRecord:
    stack = known.get("frame_count", 1) > 1
    known = {"width": 100, "height": 80, "format": "TIFF" if stack else "JPEG", "bits": 8} | known
    places = []
    for path in sorted(paths):
        status = path.stat()
        places.append(LocationRecord(path, frame, status.st_size, status.st_mtime_ns))
    return ImageRecord(
        id=number,
        sha256=hashlib.sha256(data).digest(),
        frame=frame,
        channels=3,
        valid_share=1.0,
        low_information=False,
        scaling="",
        locations=tuple(places),
        **known,
    )


SAME = Proof(Outcome.SAME, compared=1.0)


def pair(
    a: ImageRecord,
    b: ImageRecord,
    *relations: Relation,
    covers=(1.0, 1.0),
    crop_of: str | None = None,
    score=0.9,
    proof: Proof | None = SAME,
) -> Pair:
    """Of two images; *covers*: share of a that b shows, and of b that a shows."""
    if (b.sha256, b.frame) < (a.sha256, a.frame):
        a, b, covers = b, a, covers[::-1]
        crop_of = None if crop_of is None else {"a": "b", "b": "a"}[crop_of]
    measures = VerificationMeasures(cover_a=covers[0], cover_b=covers[1])
    registration = Registration((0.0, 0.0), scale=1.0 if crop_of else a.width / b.width)
    found = Verification(True, score, relations, registration, "", measures=measures, crop_of=crop_of)
    return Pair(a, b, found, proof=proof)


def crop(large: ImageRecord, small: ImageRecord, *more: Relation, scale: float = 1.0) -> Pair:
    """Of a picture and a half of it, which has *scale* times the resolution."""
    made = pair(large, small, Relation.CROP_OF, *more, covers=(0.5, 1.0), crop_of="a")
    turned = 1 / scale if made.a is large else scale
    registration = Registration((0.0, 0.0), scale=turned)
    return dataclasses.replace(made, verification=dataclasses.replace(made.verification, registration=registration))


def plan_of(images, pairs=(), decisions=(), settings=None, **options):
    options = {"keep": ("more-pixels", "oldest", "shortest-path")} | options
    return make_plan(
        build_groups(sorted(pairs, key=lambda p: -p.verification.score), images),
        decisions,
        PlanOptions(**options),
        database="made-up.db",
        version="0",
        made=datetime(2026, 1, 1, tzinfo=UTC),
        settings=settings,
    )


def proves(outcome: Outcome = Outcome.SAME, reason: str = ""):
    """A prover that reads the files as they are, and finds always the same."""

    def prover(item):
        keeper, file = (hashlib.sha256(some.path.read_bytes()).hexdigest() for some in (item.keeper, item.file))
        return FileProof(Proof(outcome, compared=1.0, reason=reason), keeper, file)

    return prover


def gone(plan) -> dict[str, str]:
    """Names of the files that would go, with those of their keepers."""
    return {item.file.path.name: item.keeper.path.name for item in plan.items}


def reasons(plan) -> dict[str, str]:
    return {some.path.name: some.why for some in plan.left_out}


def snapshot(root: Path, *, links: bool = True) -> dict[str, tuple]:
    """Everything below a folder that undo has to restore: names, kinds, contents, modes, times, who shares an inode."""
    found, shared = {}, {}
    for path in sorted(root.rglob("*"), key=os.fsencode):
        status = path.lstat()
        name = str(path.relative_to(root))
        if stat.S_ISLNK(status.st_mode):
            found[name] = ("link", str(path.readlink()))
        elif stat.S_ISDIR(status.st_mode):
            found[name] = ("folder", status.st_mode)
        elif stat.S_ISREG(status.st_mode):
            first = shared.setdefault(status.st_ino, name) if links else ""
            found[name] = ("file", path.read_bytes(), status.st_mode, status.st_mtime_ns, first)
        else:
            found[name] = ("other", status.st_mode)
    return found
