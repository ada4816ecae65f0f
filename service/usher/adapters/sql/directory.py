"""The directory in SQL, as decisions ask it: a generation of known users, found by key.

Owns the look-ups and how long the current generation is remembered. Keys only narrow; whether a user is meant says the
directory in memory, so that the two agree. Any thread; what is remembered is replaced in one assignment.
"""

import math
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from sqlalchemy import Row, Select, bindparam, select

from usher.adapters.sql.database import Database
from usher.adapters.sql.directory_keys import Keying, attribute_key, namespace_key
from usher.adapters.sql.directory_packing import Packing, UnreadableUserError
from usher.adapters.sql.directory_tables import CURRENT, GENERATIONS, tables_of
from usher.engine import MemoryDirectory, Patience, StoreError, User
from usher.engine.stores import LOGIN, Generation, Named

REMEMBERED_SECONDS: Final = 1.0
"""How long a decision may begin with a generation after another became current."""
MAX_FOUND: Final = 1_000
"""Users who may have one value: a placeholder that a hundred thousand share would hold up every other decision."""
_CHUNK: Final = 200
_KEY: Final = "key"
_KEYS: Final = "keys"

_Row: TypeAlias = "Row[int, int, bytes]"
"""Key, position, packed user."""
Found: TypeAlias = "Select[int, int, bytes]"

_CURRENT: Final = select(GENERATIONS).join(CURRENT, CURRENT.c.generation == GENERATIONS.c.id)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One generation, and how it is asked."""

    number: int
    users: int
    source: str
    loaded: int
    keying: Keying
    packing: Packing
    by_id: Found
    by_key: Found
    by_keys: Found


class SqlDirectory:
    """Known users in a database, looked up with the namespaces and indexed attributes of `keying`.

    `clock` gives seconds from any moment on.
    """

    def __init__(self, database: Database, keying: Keying, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.database = database
        self.keying = keying
        self._clock = clock
        self._remembered: tuple[float, Snapshot | None] = (-math.inf, None)

    def generation(self, patience: Patience) -> Generation:
        """Return the users of the newest load; nobody while nothing was ever loaded."""
        snapshot = self.newest(patience)
        if snapshot is None:
            return MemoryDirectory()
        if not snapshot.keying.serves(self.keying):
            # APPSEC: keys made otherwise find nobody, and a login somebody has would be given away.
            raise StoreError(self.database.store, "it was loaded with other settings; load it again")
        return SqlGeneration(self.database, snapshot, patience)

    def newest(self, patience: Patience) -> Snapshot | None:
        """Return the current generation as it was at most a second ago; raises `StoreError`."""
        asked_at, known = self._remembered
        now = self._clock()
        if now - asked_at >= REMEMBERED_SECONDS:
            known = _current(self.database, patience, known)
            self._remembered = (now, known)
        return known


class SqlGeneration:
    """The users of one load, for one decision and on its patience."""

    def __init__(self, database: Database, snapshot: Snapshot, patience: Patience) -> None:
        self._database = database
        self._snapshot = snapshot
        self._patience = patience

    def find(self, attribute: str, value: str) -> Sequence[User]:
        """Return the users whose attribute equals the value; null, '' and blanks find nobody."""
        if not value.strip():
            return ()
        if attribute == "login":
            return self.holding([(LOGIN, value)])[0]
        if attribute not in {"id", *self._snapshot.keying.indexed}:
            raise StoreError(self._database.store, "it is not indexed by this attribute")
        key = attribute_key(attribute, value)
        statement = self._snapshot.by_id if attribute == "id" else self._snapshot.by_key
        return MemoryDirectory(self._with_key(statement, key)).find(attribute, value)

    def holding(self, values: Sequence[Named]) -> Sequence[Sequence[User]]:
        """Return, for each value, the users who hold it in any attribute of its namespace."""
        if not all(self._snapshot.keying.covers(namespace) for namespace in {namespace for namespace, _ in values}):
            raise StoreError(self._database.store, "it was loaded without this namespace")
        keys = [namespace_key(namespace, value) for namespace, value in values]
        if len(values) == 1:
            found = {keys[0]: self._with_key(self._snapshot.by_key, keys[0])}
        else:
            found = self._with_keys(frozenset(keys))
        return [
            MemoryDirectory(found[key]).holding([named])[0] if found.get(key) else ()
            for key, named in zip(keys, values, strict=True)
        ]

    def _with_key(self, statement: Found, key: int) -> list[User]:
        with self._database.reading(self._patience) as connection:
            rows = connection.execute(statement, {_KEY: key}).all()
        return self._users(self._bounded(rows)).get(key, [])

    def _with_keys(self, keys: Collection[int]) -> dict[int, list[User]]:
        rows: list[_Row] = []
        asked = sorted(keys)
        with self._database.reading(self._patience) as connection:
            for start in range(0, len(asked), _CHUNK):
                chunk = asked[start : start + _CHUNK]
                found = connection.execute(self._snapshot.by_keys, {_KEYS: chunk}).all()
                if len(found) > MAX_FOUND:
                    one_by_one = (connection.execute(self._snapshot.by_key, {_KEY: key}).all() for key in chunk)
                    found = [row for rows_of_one in one_by_one for row in self._bounded(rows_of_one)]
                rows += found
        return self._users(rows)

    def _bounded(self, rows: Sequence[_Row]) -> Sequence[_Row]:
        """Return what was found for one key, if it is not too much."""
        if len(rows) > MAX_FOUND:
            raise StoreError(self._database.store, f"more than {MAX_FOUND:,} users have what was looked up")
        return rows

    def _users(self, rows: Sequence[_Row]) -> dict[int, list[User]]:
        """Return the users by key, in the order of their file."""
        users: dict[int, list[User]] = {}
        try:
            for key, _, attributes in sorted(rows):
                users.setdefault(key, []).append(self._snapshot.packing.unpacked(attributes))
        except UnreadableUserError:
            raise StoreError(self._database.store, "a user in it cannot be read; load it again") from None
        return users


def _current(database: Database, patience: Patience, known: Snapshot | None) -> Snapshot | None:
    with database.reading(patience) as connection:
        row = connection.execute(_CURRENT).first()
    if row is None:
        return None
    if known is not None and known.number == row.id:
        return known
    tables = tables_of(row.id)
    users, entries = tables.users.c, tables.entries.c
    found: Found = select(entries.key, users.position, users.attributes).join_from(
        tables.entries, tables.users, entries.position == users.position
    )
    by_id: Found = select(users.id_key, users.position, users.attributes)
    return Snapshot(
        row.id,
        users=row.users,
        source=row.source,
        loaded=row.loaded,
        keying=Keying.from_json(row.settings),
        packing=Packing(row.dictionary),
        by_id=by_id.where(users.id_key == bindparam(_KEY)).limit(MAX_FOUND + 1),
        by_key=found.where(entries.key == bindparam(_KEY)).limit(MAX_FOUND + 1),
        by_keys=found.where(entries.key.in_(bindparam(_KEYS, expanding=True))).limit(MAX_FOUND + 1),
    )
