"""Catalogues that several hosts share: files that somebody is reading, vector files to hand out; ids of listed files.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")  # in byte order, whatever the language


def upgrade() -> None:
    op.create_table(
        "claim",
        sa.Column("path", sa.LargeBinary(), nullable=False),
        sa.Column("host", TEXT, nullable=False),
        sa.Column("claimed", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("path", name=op.f("pk_claim")),
    )
    op.create_table(
        "segment_part",
        sa.Column("segment_id", ID, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["segment_id"], ["segment.id"], name=op.f("fk_segment_part_segment_id_segment"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("segment_id", "number", name=op.f("pk_segment_part")),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE segment_part ALTER COLUMN data SET STORAGE EXTERNAL")
    op.add_column("location", sa.Column("label", TEXT, nullable=True))


def downgrade() -> None:
    op.drop_column("location", "label")
    op.drop_table("segment_part")
    op.drop_table("claim")
