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


def upgrade() -> None:
    op.create_table(
        "decision",
        sa.Column("a", sa.String(), nullable=False),
        sa.Column("b", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("decided", sa.String(), nullable=False),
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
