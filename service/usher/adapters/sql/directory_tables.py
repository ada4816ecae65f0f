"""The directory's tables as this version reads and writes them.

Owns column names, and the tables each generation has for itself, so that an old one goes without a trace and a new one
is filled without a reader noticing; `directory_versions` makes the two that all share. `started`, `beat`, `loaded` and
`replaced` are nanoseconds since 1970-01-01T00:00:00Z, by the clock of whoever loads. Pure.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, Table, Text

LOADING: Final = "loading"
READY: Final = "ready"

metadata = MetaData()

GENERATIONS: Final = Table(
    "generations",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("state", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("started", BigInteger, nullable=False),
    Column("beat", BigInteger, nullable=False),
    Column("loaded", BigInteger),
    Column("replaced", BigInteger),
    Column("users", BigInteger, nullable=False),
    Column("settings", Text, nullable=False),
    Column("dictionary", LargeBinary, nullable=False),
)
CURRENT: Final = Table(
    "current_generation",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("generation", Integer),
)


@dataclass(frozen=True, slots=True)
class GenerationTables:
    """The rows of one generation, as it is read.

    `users`: where a user stood in the file, the key of the id, the packed user. `entries`: one row for each key by
    which a user is found, with that user's position. Keys are made by `directory_keys`.
    """

    users: Table
    entries: Table

    def by_id(self) -> Index:
        """Return the index by id, to be created when the rows are there."""
        return Index(f"{self.users.name}_by_id", self.users.c.id_key)

    def by_key(self) -> Index:
        """Return the index by key, to be created when the rows are there."""
        return Index(f"{self.entries.name}_by_key", self.entries.c.key)


def tables_of(generation: int) -> GenerationTables:
    """Return the tables of a generation, whether they exist or not."""
    own = MetaData()
    users = Table(
        f"users_{generation}",
        own,
        Column("position", Integer, primary_key=True, autoincrement=False),
        Column("id_key", BigInteger, nullable=False),
        Column("attributes", LargeBinary, nullable=False),
    )
    entries = Table(
        f"entries_{generation}",
        own,
        Column("key", BigInteger, nullable=False),
        Column("position", Integer, nullable=False),
    )
    return GenerationTables(users, entries)
