"""Pieces: parts of one picture that another one shows, which images were searched for them, and their index files.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")  # in byte order, whatever the language


def upgrade() -> None:
    op.create_table(
        "piece",
        sa.Column("container", ID, nullable=False),
        sa.Column("part", ID, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("detail", TEXT, nullable=False),
        sa.Column("version", TEXT, nullable=False),
        sa.Column("run", ID, nullable=False),
        sa.ForeignKeyConstraint(["container"], ["image.id"], name=op.f("fk_piece_container_image"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["part"], ["image.id"], name=op.f("fk_piece_part_image"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["run"], ["run.id"], name=op.f("fk_piece_run_run")),
        sa.PrimaryKeyConstraint("container", "part", "number", name=op.f("pk_piece")),
    )
    op.create_index(op.f("ix_piece_part"), "piece", ["part"])
    op.create_table(
        "piece_search",
        sa.Column("image_id", ID, nullable=False),
        sa.Column("run", ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["image_id"], ["image.id"], name=op.f("fk_piece_search_image_id_image"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["run"], ["run.id"], name=op.f("fk_piece_search_run_run")),
        sa.PrimaryKeyConstraint("image_id", name=op.f("pk_piece_search")),
    )
    op.create_table(
        "piece_segment",
        sa.Column("id", ID, nullable=False),
        sa.Column("file", TEXT, nullable=False),
        sa.Column("images", sa.Integer(), nullable=False),
        sa.Column("entries", sa.BigInteger(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("fingerprint", TEXT, nullable=False),
        sa.Column("row_digest", TEXT, nullable=False),
        sa.Column("sha256", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_piece_segment")),
        sa.UniqueConstraint("file", name=op.f("uq_piece_segment_file")),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    op.drop_table("piece_segment")
    op.drop_table("piece_search")
    op.drop_table("piece")
