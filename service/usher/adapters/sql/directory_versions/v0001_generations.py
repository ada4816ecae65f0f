"""Which loads there are, how their keys were made, and which of them is current; their rows get tables of their own."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables of `usher.adapters.sql.directory_tables`, and the one row that a load switches."""
    op.create_table(
        "generations",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("started", sa.BigInteger, nullable=False),
        sa.Column("beat", sa.BigInteger, nullable=False),
        sa.Column("loaded", sa.BigInteger),
        sa.Column("replaced", sa.BigInteger),
        sa.Column("users", sa.BigInteger, nullable=False),
        sa.Column("settings", sa.Text, nullable=False),
        sa.Column("dictionary", sa.LargeBinary, nullable=False),
        # A number that came back would show a reader who remembers it the users of another load.
        sqlite_autoincrement=True,
    )
    current = op.create_table(
        "current_generation",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("generation", sa.Integer),
    )
    op.execute(current.insert().values(id=1, generation=None))
