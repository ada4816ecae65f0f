"""A ledger and a directory that forget: for policy tests, `usher eval`, and as overlays that nobody else sees.

Owns their state and shows it. One lock per ledger serialises transactions, so threads may share it.
"""

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from usher.engine.stores import LOGIN, Namespace, Owner, User

Key = tuple[str, str]
"""A namespace's name and a value's key in it."""


class MemoryLedger:
    """`held` maps a namespace's name and a value's key to the owner and the value as written."""

    def __init__(self, held: Mapping[Key, tuple[Owner, str]] | None = None) -> None:
        self.held: dict[Key, tuple[Owner, str]] = {}
        # Looked up for every claim: a scan of a large import's ledger would cost more than the decision.
        self.by_owner: dict[tuple[Owner, str], list[str]] = {}
        self._lock = threading.RLock()
        self._add(held or {})

    def holder(self, namespace: Namespace, value: str) -> Owner | None:
        """Return who holds a value."""
        found = self.held.get((namespace.name, namespace.key(value)))
        return found[0] if found else None

    @contextmanager
    def claims(self, owner: Owner) -> Iterator["_MemoryClaims"]:
        """Collect what is taken and add it at the end of the block."""
        with self._lock:
            work = _MemoryClaims(owner, self)
            yield work
            self._add(work.taken)

    def _add(self, taken: Mapping[Key, tuple[Owner, str]]) -> None:
        for (name, key), (owner, value) in taken.items():
            self.held[name, key] = (owner, value)
            self.by_owner.setdefault((owner, name), []).append(value)


class _MemoryClaims:
    """One transaction; belongs to one thread, which holds the ledger's lock."""

    def __init__(self, owner: Owner, ledger: MemoryLedger) -> None:
        self._owner = owner
        self._ledger = ledger
        self.taken: dict[Key, tuple[Owner, str]] = {}

    def earlier(self, namespace: Namespace) -> tuple[str, ...]:
        """Return what the owner holds, newest first."""
        committed = self._ledger.by_owner.get((self._owner, namespace.name), [])
        now = [value for (name, _), (_, value) in self.taken.items() if name == namespace.name]
        return tuple(reversed([*committed, *now]))

    def holder(self, namespace: Namespace, value: str) -> Owner | None:
        """Return who holds a value, what this transaction took included."""
        found = self.taken.get((namespace.name, namespace.key(value)))
        return found[0] if found else self._ledger.holder(namespace, value)

    def take(self, values: Sequence[tuple[Namespace, str]]) -> bool:
        """Take all values or none."""
        if any(self.holder(namespace, value) not in {None, self._owner} for namespace, value in values):
            return False
        for namespace, value in values:
            if self.holder(namespace, value) is None:
                self.taken[namespace.name, namespace.key(value)] = (self._owner, value)
        return True


class MemoryDirectory:
    """Known users, as flat maps with `id`, `status` and profile attributes."""

    def __init__(self, users: Iterable[User] = ()) -> None:
        self.users = tuple(users)

    def find(self, attribute: str, value: str) -> Sequence[User]:
        """Look through all users; null, '' and blanks find nobody."""
        if not value.strip():
            return ()
        if attribute == "login":
            return self.holding(LOGIN, value)
        return tuple(user for user in self.users if user.get(attribute) == value)

    def holding(self, namespace: Namespace, value: str) -> Sequence[User]:
        """Look through the namespace's attributes of all users."""
        key = namespace.key(value)
        return tuple(user for user in self.users if key in _keys(user, namespace))


def _keys(user: User, namespace: Namespace) -> Iterator[str]:
    for attribute in namespace.directory:
        if isinstance(held := user.get(attribute), str):
            yield namespace.key(held)
