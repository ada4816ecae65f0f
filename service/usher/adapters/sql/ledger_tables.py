"""The ledger's tables as this version reads and writes them; `ledger_versions` makes them.

Owns column names. Keys and ids are `bounded`. `since`, `seen` and `at` are nanoseconds since 1970-01-01T00:00:00Z; an
owner who is given an earlier value again has it since then. Pure.
"""

from typing import Final

from sqlalchemy import BigInteger, Column, Integer, MetaData, Table, Text

CLAIM: Final = "claim"
REMEMBERED: Final = "remembered"
RESERVED: Final = "reserved"
LEAVER: Final = "leaver"
SOURCES: Final = (CLAIM, REMEMBERED, RESERVED, LEAVER)
"""How a value came to be held: by a rule, without one, or by `usher ledger import`."""

metadata = MetaData()

HOLDINGS: Final = Table(
    "holdings",
    metadata,
    Column("namespace", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
    Column("application", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("seen", BigInteger),
)
AUDIT: Final = Table(
    "audit",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("action", Text, nullable=False),
    Column("namespace", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("application", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("reason", Text, nullable=False),
)
NAMESPACES: Final = Table(
    "namespaces",
    metadata,
    Column("name", Text, primary_key=True),
    Column("fold_version", Integer, nullable=False),
    Column("compare", Text, nullable=False),
    Column("ignoring", Text, nullable=False),
)
