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

from typing import TYPE_CHECKING, Any, ClassVar

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    UniqueConstraint,
)

from dedupindex.store.text import Text

if TYPE_CHECKING:
    from sqlalchemy.orm import Mapped

# SQLite makes only an INTEGER primary key an alias of the rowid; elsewhere ids are 64 bits.
_Id = BigInteger().with_variant(Integer(), "sqlite")


def _column(*kind: Any, nullable: bool = False, **options: Any) -> Any:
    """A column whose name is that of the attribute it is given to; to type checkers it is what a mapped one is."""
    return Column(*kind, nullable=nullable, **options)


class Base:
    """A table as a class with its columns, for people and type checkers to read: ``select(Image.id)``.

    SQLAlchemy's object mapper would take as long to load and to set up as the rest of it, and no row is ever an object
    of these classes. The naming convention lets Alembic name constraints in batch mode.
    """

    metadata: ClassVar = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    __table__: ClassVar[Table]
    __tablename__: ClassVar[str]
    __table_args__: ClassVar[tuple[Any, ...]] = ()

    def __init_subclass__(cls) -> None:
        columns = {name: value for name, value in vars(cls).items() if isinstance(value, Column)}
        for name, column in columns.items():
            column.name = column.key = name
        constraints = [one for one in cls.__table_args__ if not isinstance(one, dict)]
        options = {name: value for one in cls.__table_args__ if isinstance(one, dict) for name, value in one.items()}
        cls.__table__ = Table(cls.__tablename__, cls.metadata, *columns.values(), *constraints, **options)

    @classmethod
    def __clause_element__(cls) -> Table:
        """What SQLAlchemy takes in the place of the class."""
        return cls.__table__


class Meta(Base):
    """Facts about the whole database: ``fingerprint``, ``settings`` (JSON), ``generation``, ``program``.

    A database on a server also has ``catalogue``, a random id.
    """

    __tablename__ = "meta"

    key: Mapped[str] = _column(Text, primary_key=True)
    value: Mapped[str] = _column(Text)


class Run(Base):
    """One ingest, search for duplicates or other change; see `dedupindex.store.rows.RunKind`."""

    __tablename__ = "run"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = _column(_Id, primary_key=True)
    kind: Mapped[str] = _column(Text)
    started: Mapped[str] = _column(Text)  # ISO 8601, UTC
    finished: Mapped[str | None] = _column(Text, nullable=True)  # None: running, or was interrupted
    summary: Mapped[str] = _column(Text, default="{}")  # JSON


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

    id: Mapped[int] = _column(_Id, primary_key=True)
    sha256: Mapped[bytes] = _column(LargeBinary(32))  # of the file's bytes
    frame: Mapped[int] = _column(Integer)
    format: Mapped[str] = _column(Text)
    width: Mapped[int] = _column(Integer)  # pixels, upright
    height: Mapped[int] = _column(Integer)
    bits: Mapped[int] = _column(Integer)  # significant bits a sample
    channels: Mapped[int] = _column(Integer)
    valid_share: Mapped[float] = _column(Double)  # 0..1
    low_information: Mapped[bool] = _column(Boolean)
    scaling: Mapped[str] = _column(Text)
    lossless: Mapped[bool] = _column(Boolean)
    metadata_count: Mapped[int] = _column(Integer)
    frame_count: Mapped[int] = _column(Integer)  # of the file
    pixel_sha256: Mapped[bytes] = _column(LargeBinary(32))  # of decoded pixels, shape and mask
    added_run: Mapped[int] = _column(ForeignKey("run.id"))
    searched: Mapped[int | None] = _column(ForeignKey("run.id"), nullable=True)  # run that searched it for duplicates


class Location(Base):
    """Where an image was seen. Paths are bytes, because file names are; ``display`` is for people."""

    __tablename__ = "location"
    __table_args__ = (UniqueConstraint("path", "frame"), Index(None, "image_id"), {"sqlite_autoincrement": True})

    id: Mapped[int] = _column(_Id, primary_key=True)
    path: Mapped[bytes] = _column(LargeBinary)
    display: Mapped[str] = _column(Text)
    frame: Mapped[int] = _column(Integer)
    size: Mapped[int] = _column(BigInteger)  # bytes
    mtime_ns: Mapped[int] = _column(BigInteger)
    inode: Mapped[int] = _column(BigInteger)  # as a signed 64-bit number
    missing: Mapped[bool] = _column(Boolean, default=False)
    image_id: Mapped[int] = _column(ForeignKey("image.id", ondelete="CASCADE"))
    added_run: Mapped[int] = _column(ForeignKey("run.id"))
    changed_run: Mapped[int] = _column(ForeignKey("run.id"))  # last run that wrote this row
    label: Mapped[str | None] = _column(Text, nullable=True)  # the id that a list gave it


class Feature(Base):
    """A named, versioned description of an image."""

    __tablename__ = "feature"

    image_id: Mapped[int] = _column(ForeignKey("image.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = _column(Text, primary_key=True)
    version: Mapped[str] = _column(Text)
    data: Mapped[bytes] = _column(LargeBinary)
    # CRC-32 over whose it is, name and data; NULL before 0002
    checksum: Mapped[int | None] = _column(BigInteger, nullable=True)


class PairRow(Base):
    """An accepted pair: *a* has the smaller content key (sha256, frame). Shifts are in full-resolution pixels of a."""

    __tablename__ = "pair"
    __table_args__ = (Index(None, "b"), Index(None, "run"))

    a: Mapped[int] = _column(ForeignKey("image.id", ondelete="CASCADE"), primary_key=True)
    b: Mapped[int] = _column(ForeignKey("image.id", ondelete="CASCADE"), primary_key=True)
    score: Mapped[float] = _column(Double)  # 0..1
    relations: Mapped[str] = _column(Text)  # joined by "+"
    dy: Mapped[float] = _column(Double)
    dx: Mapped[float] = _column(Double)
    scale: Mapped[float] = _column(Double)
    rotation: Mapped[float] = _column(Double)  # degrees, counter-clockwise
    mirrored: Mapped[bool] = _column(Boolean)
    overlap: Mapped[float] = _column(Double)  # 0..1
    evidence: Mapped[str] = _column(Text)  # JSON: everything else that the verification said
    version: Mapped[str] = _column(Text)  # of the decision rule
    run: Mapped[int] = _column(ForeignKey("run.id"))


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

    a: Mapped[int] = _column(_Id, primary_key=True, autoincrement=False)
    b: Mapped[int] = _column(_Id, primary_key=True, autoincrement=False)
    outcome: Mapped[str] = _column(Text)
    changed: Mapped[float] = _column(Double)  # share of the compared area, 0..1
    derived: Mapped[bool] = _column(Boolean)  # concluded from the proofs of other pairs
    version: Mapped[str] = _column(Text)  # of the method
    detail: Mapped[str] = _column(Text)  # JSON: everything else that is known
    run: Mapped[int] = _column(ForeignKey("run.id"))


class FailureRow(Base):
    """A file that gave no frame (or not all), kept so that it is not read again until it changes."""

    __tablename__ = "failure"
    __table_args__ = (UniqueConstraint("path"), {"sqlite_autoincrement": True})

    id: Mapped[int] = _column(_Id, primary_key=True)
    path: Mapped[bytes] = _column(LargeBinary)
    display: Mapped[str] = _column(Text)
    reason: Mapped[str] = _column(Text)
    detail: Mapped[str] = _column(Text)
    size: Mapped[int] = _column(BigInteger)
    mtime_ns: Mapped[int] = _column(BigInteger)
    inode: Mapped[int] = _column(BigInteger)
    run: Mapped[int] = _column(ForeignKey("run.id"))


class Segment(Base):
    """A sealed vector file beside the database. The row is written after the file, and deleted before it."""

    __tablename__ = "segment"
    __table_args__ = (UniqueConstraint("file"), {"sqlite_autoincrement": True})

    id: Mapped[int] = _column(_Id, primary_key=True)
    file: Mapped[str] = _column(Text)  # name inside the vector directory
    rows: Mapped[int] = _column(Integer)  # image ids it answers for
    generation: Mapped[int] = _column(BigInteger)  # of the database when it was made
    fingerprint: Mapped[str] = _column(Text)
    row_digest: Mapped[str] = _column(Text)  # SHA-256 over ids and descriptors
    sha256: Mapped[str] = _column(Text)  # of the file
    spec: Mapped[str] = _column(Text)  # kind of index, for people and for checks
    twins: Mapped[bytes] = _column(LargeBinary)  # int64 pairs (image id, id of the equal vector in the file)


class SegmentPart(Base):
    """A piece of a sealed vector file, where hosts that share the database have no folder in common."""

    __tablename__ = "segment_part"

    segment_id: Mapped[int] = _column(ForeignKey("segment.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = _column(Integer, primary_key=True, autoincrement=False)
    data: Mapped[bytes] = _column(LargeBinary)


class Claim(Base):
    """A file that a process is reading: the one that has the row locked. An unlocked row was left by a crash."""

    __tablename__ = "claim"

    path: Mapped[bytes] = _column(LargeBinary, primary_key=True)
    host: Mapped[str] = _column(Text)
    claimed: Mapped[str] = _column(Text)  # ISO 8601, UTC


class DecisionRow(Base):
    """A decision of a person, by content keys: *a* < *b*; equal = the places of one; b = "" = on the image itself."""

    __tablename__ = "decision"

    a: Mapped[str] = _column(Text, primary_key=True)
    b: Mapped[str] = _column(Text, primary_key=True)
    kind: Mapped[str] = _column(Text)
    note: Mapped[str] = _column(Text)
    decided: Mapped[str] = _column(Text)  # ISO 8601, UTC


class Snapshot(Base):
    """The duplicate groups at the end of a run, to tell later what has changed."""

    __tablename__ = "snapshot"

    run: Mapped[int] = _column(ForeignKey("run.id"), primary_key=True, autoincrement=False)
    groups: Mapped[bytes] = _column(LargeBinary)  # zlib of JSON: group id -> [[image id, location id], ...]


class PieceRow(Base):
    """A part of the image *part* that the image *container* shows; one of several of the two."""

    __tablename__ = "piece"
    __table_args__ = (Index(None, "part"),)

    container: Mapped[int] = _column(ForeignKey("image.id", ondelete="CASCADE"), primary_key=True)
    part: Mapped[int] = _column(ForeignKey("image.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = _column(Integer, primary_key=True, autoincrement=False)
    score: Mapped[float] = _column(Double)  # 0..1
    detail: Mapped[str] = _column(Text)  # JSON: boxes, map, shares, measures
    version: Mapped[str] = _column(Text)  # of the decision rule
    run: Mapped[int] = _column(ForeignKey("run.id"))


class PieceSearch(Base):
    """An image that was searched for pieces, and the run that did it."""

    __tablename__ = "piece_search"

    image_id: Mapped[int] = _column(ForeignKey("image.id", ondelete="CASCADE"), primary_key=True)
    run: Mapped[int] = _column(ForeignKey("run.id"))


class PieceSegment(Base):
    """A sealed file of the pieces index. The row is written after the file, and deleted before it."""

    __tablename__ = "piece_segment"
    __table_args__ = (UniqueConstraint("file"), {"sqlite_autoincrement": True})

    id: Mapped[int] = _column(_Id, primary_key=True)
    file: Mapped[str] = _column(Text)  # name inside the vector directory
    images: Mapped[int] = _column(Integer)
    entries: Mapped[int] = _column(BigInteger)
    generation: Mapped[int] = _column(BigInteger)  # of the database when it was made
    fingerprint: Mapped[str] = _column(Text)
    row_digest: Mapped[str] = _column(Text)  # SHA-256 over ids and entries
    sha256: Mapped[str] = _column(Text)  # of the file
