"""Decisions that people made on pictures, which groups stood after a run, checksums of features.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")  # in byte order, whatever the language


def upgrade() -> None:
    op.create_table(
        "decision",
        sa.Column("a", TEXT, nullable=False),
        sa.Column("b", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("note", TEXT, nullable=False),
        sa.Column("decided", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("a", "b", name=op.f("pk_decision")),
    )
    op.create_table(
        "standing",
        sa.Column("run", ID, nullable=False),
        sa.Column("groups", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["run"], ["run.id"], name=op.f("fk_standing_run_run")),
        sa.PrimaryKeyConstraint("run", name=op.f("pk_standing")),
    )
    op.add_column("feature", sa.Column("checksum", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("feature", "checksum")
    op.drop_table("standing")
    op.drop_table("decision")
