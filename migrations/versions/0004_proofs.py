"""Proofs of pairs at full resolution; `standing` is called `snapshot`; animations are not the same by a first frame.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")  # in byte order, whatever the language

# Pairs were called `same_pixels` where the first frames of two animations are alike, whatever follows them.
FIRST_FRAMES_ONLY = """
UPDATE pair SET relations = 'reencoded' WHERE relations = 'same_pixels' AND EXISTS (
    SELECT 1 FROM image WHERE image.id IN (pair.a, pair.b) AND image.format IN ('GIF', 'PNG', 'WEBP', 'AVIF')
    AND image.frame_count > (SELECT count(*) FROM image AS frame WHERE frame.sha256 = image.sha256)
)
"""


def upgrade() -> None:
    op.create_table(
        "proof",
        sa.Column("a", ID, nullable=False),
        sa.Column("b", ID, nullable=False),
        sa.Column("outcome", TEXT, nullable=False),
        sa.Column("changed", sa.Double(), nullable=False),
        sa.Column("derived", sa.Boolean(), nullable=False),
        sa.Column("version", TEXT, nullable=False),
        sa.Column("detail", TEXT, nullable=False),
        sa.Column("run", ID, nullable=False),
        sa.ForeignKeyConstraint(["a", "b"], ["pair.a", "pair.b"], name=op.f("fk_proof_a_b_pair"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["run"], ["run.id"], name=op.f("fk_proof_run_run")),
        sa.PrimaryKeyConstraint("a", "b", name=op.f("pk_proof")),
    )
    op.create_index(op.f("ix_proof_b"), "proof", ["b"])
    op.create_index(op.f("ix_proof_outcome"), "proof", ["outcome"])
    op.execute(FIRST_FRAMES_ONLY)
    # Made anew rather than renamed: the names of its constraints follow that of the table.
    op.create_table(
        "snapshot",
        sa.Column("run", ID, nullable=False),
        sa.Column("groups", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["run"], ["run.id"], name=op.f("fk_snapshot_run_run")),
        sa.PrimaryKeyConstraint("run", name=op.f("pk_snapshot")),
    )
    op.execute('INSERT INTO snapshot (run, "groups") SELECT run, "groups" FROM standing')
    op.drop_table("standing")


def downgrade() -> None:
    op.create_table(
        "standing",
        sa.Column("run", ID, nullable=False),
        sa.Column("groups", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["run"], ["run.id"], name=op.f("fk_standing_run_run")),
        sa.PrimaryKeyConstraint("run", name=op.f("pk_standing")),
    )
    op.execute('INSERT INTO standing (run, "groups") SELECT run, "groups" FROM snapshot')
    op.drop_table("snapshot")
    op.drop_table("proof")
