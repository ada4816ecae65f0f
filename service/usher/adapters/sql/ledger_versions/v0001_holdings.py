"""Who holds which value, what changed it, and how the keys of each namespace were made."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

# By code points, as SQLite compares: one order everywhere, and no unique index that a new libc would sort otherwise.
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Create the tables of `usher.adapters.sql.ledger_tables`."""
    op.create_table(
        "holdings",
        sa.Column("namespace", _TEXT, primary_key=True),
        sa.Column("key", _TEXT, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("application", _TEXT, nullable=False),
        sa.Column("subject", _TEXT, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("seen", sa.BigInteger),
        sqlite_with_rowid=False,
    )
    op.create_index("holdings_by_owner", "holdings", ["subject", "application", "namespace"])
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("namespace", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("application", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )
    op.create_table(
        "namespaces",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("fold_version", sa.Integer, nullable=False),
        sa.Column("compare", sa.Text, nullable=False),
        sa.Column("ignoring", sa.Text, nullable=False),
    )
