"""The tables. The database holds the truth; everything else (vector files, reports) can be made from it again.

```
run ──< image ──< feature        image = content: SHA-256 of a file's bytes + frame number
          │  └──< location       location = where it was seen: path + frame
          └──<< pair ── proof    accepted pairs only; a is the image with the smaller content key
failure   files that gave no frame        segment   sealed vector files        meta   fingerprint, generation, ...
decision  what people said of pictures    snapshot  groups at the end of a run
claim     files that somebody is reading  segment_part   vector files to hand out (both: shared databases only)
piece     parts of images that others show        piece_search  images that were searched for pieces
piece_segment   sealed files of the pieces index
```

`Feature` is a rowid table: with a key (image_id, name) it takes inserts faster than ``WITHOUT ROWID``, and is smaller.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence

from sqlalchemy import (
    BigInteger,
    Connection,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    UniqueConstraint,
    select,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from dedupindex.errors import StoreError
from dedupindex.store.text import Text

# SQLite makes only an INTEGER primary key an alias of the rowid; elsewhere ids are 64 bits.
_Id = BigInteger().with_variant(Integer(), "sqlite")


class Base(DeclarativeBase):
    """Holds the metadata of all tables; the naming convention lets Alembic name constraints in batch mode."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Meta(Base):
    """Facts about the whole database: ``fingerprint``, ``settings`` (JSON), ``generation``, ``program``.

    A database on a server also has ``catalogue``, a random id.
    """

    __tablename__ = "meta"

    key: Mapped[str] = mapped_column(Text, primary_key=True)
    value: Mapped[str] = mapped_column(Text)


class Run(Base):
    """One ingest, search for duplicates or other change; see `dedupindex.store.rows.RunKind`."""

    __tablename__ = "run"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(_Id, primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    started: Mapped[str] = mapped_column(Text)  # ISO 8601, UTC
    finished: Mapped[str | None] = mapped_column(Text)  # None: running, or was interrupted
    summary: Mapped[str] = mapped_column(Text, default="{}")  # JSON


class Image(Base):
    """Content. Ids are never used twice (autoincrement), because sealed vector files name images by id."""

    __tablename__ = "image"
    __table_args__ = (
        UniqueConstraint("sha256", "frame"),
        Index(None, "pixel_sha256"),
        Index(None, "searched"),
        Index(None, "low_information"),  # covers the question "which ids belong in the vector index"
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(_Id, primary_key=True)
    sha256: Mapped[bytes] = mapped_column(LargeBinary(32))  # of the file's bytes
    frame: Mapped[int] = mapped_column(Integer)
    format: Mapped[str] = mapped_column(Text)
    width: Mapped[int] = mapped_column(Integer)  # pixels, upright
    height: Mapped[int] = mapped_column(Integer)
    bits: Mapped[int] = mapped_column(Integer)  # significant bits a sample
    channels: Mapped[int] = mapped_column(Integer)
    valid_share: Mapped[float] = mapped_column(Double)  # 0..1
    low_information: Mapped[bool] = mapped_column()
    scaling: Mapped[str] = mapped_column(Text)
    lossless: Mapped[bool] = mapped_column()
    metadata_count: Mapped[int] = mapped_column(Integer)
    frame_count: Mapped[int] = mapped_column(Integer)  # of the file
    pixel_sha256: Mapped[bytes] = mapped_column(LargeBinary(32))  # of decoded pixels, shape and mask
    added_run: Mapped[int] = mapped_column(ForeignKey("run.id"))
    searched: Mapped[int | None] = mapped_column(ForeignKey("run.id"))  # run that searched it for duplicates


class Location(Base):
    """Where an image was seen. Paths are bytes, because file names are; ``display`` is for people."""

    __tablename__ = "location"
    __table_args__ = (UniqueConstraint("path", "frame"), Index(None, "image_id"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(_Id, primary_key=True)
    path: Mapped[bytes] = mapped_column(LargeBinary)
    display: Mapped[str] = mapped_column(Text)
    frame: Mapped[int] = mapped_column(Integer)
    size: Mapped[int] = mapped_column(BigInteger)  # bytes
    mtime_ns: Mapped[int] = mapped_column(BigInteger)
    inode: Mapped[int] = mapped_column(BigInteger)  # as a signed 64-bit number
    missing: Mapped[bool] = mapped_column(default=False)
    image_id: Mapped[int] = mapped_column(ForeignKey("image.id", ondelete="CASCADE"))
    added_run: Mapped[int] = mapped_column(ForeignKey("run.id"))
    changed_run: Mapped[int] = mapped_column(ForeignKey("run.id"))  # last run that wrote this row
    label: Mapped[str | None] = mapped_column(Text)  # the id that a list gave it


class Feature(Base):
    """A named, versioned description of an image."""

    __tablename__ = "feature"

    image_id: Mapped[int] = mapped_column(ForeignKey("image.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(Text, primary_key=True)
    version: Mapped[str] = mapped_column(Text)
    data: Mapped[bytes] = mapped_column(LargeBinary)
    checksum: Mapped[int | None] = mapped_column(BigInteger)  # CRC-32 over whose it is, name and data; NULL before 0002


class PairRow(Base):
    """An accepted pair: *a* has the smaller content key (sha256, frame). Shifts are in full-resolution pixels of a."""

    __tablename__ = "pair"
    __table_args__ = (Index(None, "b"), Index(None, "run"))

    a: Mapped[int] = mapped_column(ForeignKey("image.id", ondelete="CASCADE"), primary_key=True)
    b: Mapped[int] = mapped_column(ForeignKey("image.id", ondelete="CASCADE"), primary_key=True)
    score: Mapped[float] = mapped_column(Double)  # 0..1
    relations: Mapped[str] = mapped_column(Text)  # joined by "+"
    dy: Mapped[float] = mapped_column(Double)
    dx: Mapped[float] = mapped_column(Double)
    scale: Mapped[float] = mapped_column(Double)
    rotation: Mapped[float] = mapped_column(Double)  # degrees, counter-clockwise
    mirrored: Mapped[bool] = mapped_column()
    overlap: Mapped[float] = mapped_column(Double)  # 0..1
    evidence: Mapped[str] = mapped_column(Text)  # JSON: everything else that the verification said
    version: Mapped[str] = mapped_column(Text)  # of the decision rule
    run: Mapped[int] = mapped_column(ForeignKey("run.id"))


class ProofRow(Base):
    """What the files of an accepted pair show at full resolution.

    A table of its own: most proofs are written later than their pair, by other runs, and a pair's row need not be
    rewritten for that. Images are content, so a proof holds as long as its pair does; `version` is the method's.
    """

    __tablename__ = "proof"
    __table_args__ = (
        ForeignKeyConstraint(["a", "b"], ["pair.a", "pair.b"], ondelete="CASCADE"),
        Index(None, "b"),
        Index(None, "outcome"),
    )

    a: Mapped[int] = mapped_column(_Id, primary_key=True, autoincrement=False)
    b: Mapped[int] = mapped_column(_Id, primary_key=True, autoincrement=False)
    outcome: Mapped[str] = mapped_column(Text)
    changed: Mapped[float] = mapped_column(Double)  # share of the compared area, 0..1
    derived: Mapped[bool] = mapped_column()  # concluded from the proofs of other pairs
    version: Mapped[str] = mapped_column(Text)  # of the method
    detail: Mapped[str] = mapped_column(Text)  # JSON: everything else that is known
    run: Mapped[int] = mapped_column(ForeignKey("run.id"))


class FailureRow(Base):
    """A file that gave no frame (or not all), kept so that it is not read again until it changes."""

    __tablename__ = "failure"
    __table_args__ = (UniqueConstraint("path"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(_Id, primary_key=True)
    path: Mapped[bytes] = mapped_column(LargeBinary)
    display: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    detail: Mapped[str] = mapped_column(Text)
    size: Mapped[int] = mapped_column(BigInteger)
    mtime_ns: Mapped[int] = mapped_column(BigInteger)
    inode: Mapped[int] = mapped_column(BigInteger)
    run: Mapped[int] = mapped_column(ForeignKey("run.id"))


class Segment(Base):
    """A sealed vector file beside the database. The row is written after the file, and deleted before it."""

    __tablename__ = "segment"
    __table_args__ = (UniqueConstraint("file"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(_Id, primary_key=True)
    file: Mapped[str] = mapped_column(Text)  # name inside the vector directory
    rows: Mapped[int] = mapped_column(Integer)  # image ids it answers for
    generation: Mapped[int] = mapped_column(BigInteger)  # of the database when it was made
    fingerprint: Mapped[str] = mapped_column(Text)
    row_digest: Mapped[str] = mapped_column(Text)  # SHA-256 over ids and descriptors
    sha256: Mapped[str] = mapped_column(Text)  # of the file
    spec: Mapped[str] = mapped_column(Text)  # kind of index, for people and for checks
    twins: Mapped[bytes] = mapped_column(LargeBinary)  # int64 pairs (image id, id of the equal vector in the file)


class SegmentPart(Base):
    """A piece of a sealed vector file, where hosts that share the database have no folder in common."""

    __tablename__ = "segment_part"

    segment_id: Mapped[int] = mapped_column(ForeignKey("segment.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    data: Mapped[bytes] = mapped_column(LargeBinary)


class Claim(Base):
    """A file that a process is reading: the one that has the row locked. An unlocked row was left by a crash."""

    __tablename__ = "claim"

    path: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    host: Mapped[str] = mapped_column(Text)
    claimed: Mapped[str] = mapped_column(Text)  # ISO 8601, UTC


class DecisionRow(Base):
    """A decision of a person, by content keys: *a* < *b*; equal = the places of one; b = "" = on the image itself."""

    __tablename__ = "decision"

    a: Mapped[str] = mapped_column(Text, primary_key=True)
    b: Mapped[str] = mapped_column(Text, primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    note: Mapped[str] = mapped_column(Text)
    decided: Mapped[str] = mapped_column(Text)  # ISO 8601, UTC


class Snapshot(Base):
    """The duplicate groups at the end of a run, to tell later what has changed."""

    __tablename__ = "snapshot"

    run: Mapped[int] = mapped_column(ForeignKey("run.id"), primary_key=True, autoincrement=False)
    groups: Mapped[bytes] = mapped_column(LargeBinary)  # zlib of JSON: group id -> [[image id, location id], ...]


class PieceRow(Base):
    """A part of the image *part* that the image *container* shows; one of several of the two."""

    __tablename__ = "piece"
    __table_args__ = (Index(None, "part"),)

    container: Mapped[int] = mapped_column(ForeignKey("image.id", ondelete="CASCADE"), primary_key=True)
    part: Mapped[int] = mapped_column(ForeignKey("image.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    score: Mapped[float] = mapped_column(Double)  # 0..1
    detail: Mapped[str] = mapped_column(Text)  # JSON: boxes, map, shares, measures
    version: Mapped[str] = mapped_column(Text)  # of the decision rule
    run: Mapped[int] = mapped_column(ForeignKey("run.id"))


class PieceSearch(Base):
    """An image that was searched for pieces, and the run that did it."""

    __tablename__ = "piece_search"

    image_id: Mapped[int] = mapped_column(ForeignKey("image.id", ondelete="CASCADE"), primary_key=True)
    run: Mapped[int] = mapped_column(ForeignKey("run.id"))


class PieceSegment(Base):
    """A sealed file of the pieces index. The row is written after the file, and deleted before it."""

    __tablename__ = "piece_segment"
    __table_args__ = (UniqueConstraint("file"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(_Id, primary_key=True)
    file: Mapped[str] = mapped_column(Text)  # name inside the vector directory
    images: Mapped[int] = mapped_column(Integer)
    entries: Mapped[int] = mapped_column(BigInteger)
    generation: Mapped[int] = mapped_column(BigInteger)  # of the database when it was made
    fingerprint: Mapped[str] = mapped_column(Text)
    row_digest: Mapped[str] = mapped_column(Text)  # SHA-256 over ids and entries
    sha256: Mapped[str] = mapped_column(Text)  # of the file


# ------------------------------------------------------------------------------------- checksums of features
def feature_seeds(connection: Connection, ids: Sequence[int]) -> Iterator[tuple[int, bytes]]:
    """What the checksum of a feature begins with: whose it is."""
    query = select(Image.id, Image.sha256, Image.frame, Image.width, Image.height, Image.format)
    for image, sha256, frame, width, height, kind in connection.execute(query.where(Image.id.in_(ids))):
        yield image, b"%b %d %d %d %b" % (sha256, frame, width, height, str(kind).encode())


def checksum_of(seed: bytes, name: str, data: bytes) -> int:
    """CRC-32 of a feature.

    Parameters
    ----------
    seed : bytes
        From `feature_seeds`.
    name : str
    data : bytes
    """
    return zlib.crc32(data, zlib.crc32(name.encode(), zlib.crc32(seed)))


def refuse_damaged(image: int, seed: bytes, name: str, data: bytes, checksum: int | None) -> None:
    """Refuse a feature that is not what was written.

    Parameters
    ----------
    image : int
        Id of the image that it belongs to.
    seed : bytes
        From `feature_seeds`.
    name : str
    data : bytes
    checksum : int or None
        As it is stored; None = nothing was, in a database of an old version.

    Raises
    ------
    StoreError
    """
    if checksum is not None and checksum_of(seed, name, data) != checksum:
        raise StoreError(
            f"image {image}: its stored {name} is damaged; `dedupindex rebuild --describe` reads the picture again, "
            "`dedupindex check --deep` looks for more damage"
        )
