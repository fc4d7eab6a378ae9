"""The first schema.

Revision ID: 0001
Revises: nothing
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")  # in byte order, whatever the language


def upgrade() -> None:
    op.create_table(
        "meta",
        sa.Column("key", TEXT, nullable=False),
        sa.Column("value", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_meta")),
    )
    op.create_table(
        "run",
        sa.Column("id", ID, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("started", TEXT, nullable=False),
        sa.Column("finished", TEXT, nullable=True),
        sa.Column("summary", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "segment",
        sa.Column("id", ID, nullable=False),
        sa.Column("file", TEXT, nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("fingerprint", TEXT, nullable=False),
        sa.Column("row_digest", TEXT, nullable=False),
        sa.Column("sha256", TEXT, nullable=False),
        sa.Column("spec", TEXT, nullable=False),
        sa.Column("twins", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_segment")),
        sa.UniqueConstraint("file", name=op.f("uq_segment_file")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "failure",
        sa.Column("id", ID, nullable=False),
        sa.Column("path", sa.LargeBinary(), nullable=False),
        sa.Column("display", TEXT, nullable=False),
        sa.Column("reason", TEXT, nullable=False),
        sa.Column("detail", TEXT, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False),
        sa.Column("inode", sa.BigInteger(), nullable=False),
        sa.Column("run", ID, nullable=False),
        sa.ForeignKeyConstraint(["run"], ["run.id"], name=op.f("fk_failure_run_run")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_failure")),
        sa.UniqueConstraint("path", name=op.f("uq_failure_path")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "image",
        sa.Column("id", ID, nullable=False),
        sa.Column("sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("frame", sa.Integer(), nullable=False),
        sa.Column("format", TEXT, nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("bits", sa.Integer(), nullable=False),
        sa.Column("channels", sa.Integer(), nullable=False),
        sa.Column("valid_share", sa.Double(), nullable=False),
        sa.Column("low_information", sa.Boolean(), nullable=False),
        sa.Column("scaling", TEXT, nullable=False),
        sa.Column("lossless", sa.Boolean(), nullable=False),
        sa.Column("metadata_count", sa.Integer(), nullable=False),
        sa.Column("frame_count", sa.Integer(), nullable=False),
        sa.Column("pixel_sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("added_run", ID, nullable=False),
        sa.Column("searched", ID, nullable=True),
        sa.ForeignKeyConstraint(["added_run"], ["run.id"], name=op.f("fk_image_added_run_run")),
        sa.ForeignKeyConstraint(["searched"], ["run.id"], name=op.f("fk_image_searched_run")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_image")),
        sa.UniqueConstraint("sha256", "frame", name=op.f("uq_image_sha256_frame")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_image_low_information"), "image", ["low_information"])
    op.create_index(op.f("ix_image_pixel_sha256"), "image", ["pixel_sha256"])
    op.create_index(op.f("ix_image_searched"), "image", ["searched"])

    op.create_table(
        "feature",
        sa.Column("image_id", ID, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("version", TEXT, nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["image_id"], ["image.id"], name=op.f("fk_feature_image_id_image"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("image_id", "name", name=op.f("pk_feature")),
    )
    if op.get_bind().dialect.name == "postgresql":  # packed already; and the head of one is read without the rest
        op.execute("ALTER TABLE feature ALTER COLUMN data SET STORAGE EXTERNAL")
    op.create_table(
        "location",
        sa.Column("id", ID, nullable=False),
        sa.Column("path", sa.LargeBinary(), nullable=False),
        sa.Column("display", TEXT, nullable=False),
        sa.Column("frame", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False),
        sa.Column("inode", sa.BigInteger(), nullable=False),
        sa.Column("missing", sa.Boolean(), nullable=False),
        sa.Column("image_id", ID, nullable=False),
        sa.Column("added_run", ID, nullable=False),
        sa.Column("changed_run", ID, nullable=False),
        sa.ForeignKeyConstraint(["added_run"], ["run.id"], name=op.f("fk_location_added_run_run")),
        sa.ForeignKeyConstraint(["changed_run"], ["run.id"], name=op.f("fk_location_changed_run_run")),
        sa.ForeignKeyConstraint(
            ["image_id"], ["image.id"], name=op.f("fk_location_image_id_image"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_location")),
        sa.UniqueConstraint("path", "frame", name=op.f("uq_location_path_frame")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_location_image_id"), "location", ["image_id"])

    op.create_table(
        "pair",
        sa.Column("a", ID, nullable=False),
        sa.Column("b", ID, nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("relations", TEXT, nullable=False),
        sa.Column("dy", sa.Double(), nullable=False),
        sa.Column("dx", sa.Double(), nullable=False),
        sa.Column("scale", sa.Double(), nullable=False),
        sa.Column("rotation", sa.Double(), nullable=False),
        sa.Column("mirrored", sa.Boolean(), nullable=False),
        sa.Column("overlap", sa.Double(), nullable=False),
        sa.Column("evidence", TEXT, nullable=False),
        sa.Column("version", TEXT, nullable=False),
        sa.Column("run", ID, nullable=False),
        sa.ForeignKeyConstraint(["a"], ["image.id"], name=op.f("fk_pair_a_image"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["b"], ["image.id"], name=op.f("fk_pair_b_image"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["run"], ["run.id"], name=op.f("fk_pair_run_run")),
        sa.PrimaryKeyConstraint("a", "b", name=op.f("pk_pair")),
    )
    op.create_index(op.f("ix_pair_b"), "pair", ["b"])
    op.create_index(op.f("ix_pair_run"), "pair", ["run"])
    # Every write transaction raises this number; vector files say which one they reflect.
    op.execute("INSERT INTO meta (key, value) VALUES ('generation', '0')")


def downgrade() -> None:
    for name in ("pair", "location", "feature", "image", "failure", "segment", "run", "meta"):
        op.drop_table(name)
