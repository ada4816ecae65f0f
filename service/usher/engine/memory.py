"""A ledger and a directory that forget: for policy tests, `usher eval`, and as overlays that nobody else sees.

Owns their state and shows it. One lock per ledger serialises transactions, so threads may share it.
"""

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from usher.engine.stores import LOGIN, Named, Namespace, Owner, Patience, User

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

    def holder(self, namespace: Namespace, value: str, patience: Patience | None = None) -> Owner | None:
        """Return who holds a value."""
        del patience
        found = self.held.get((namespace.name, namespace.key(value)))
        return found[0] if found else None

    @contextmanager
    def claims(self, owner: Owner, patience: Patience | None = None) -> Iterator["_MemoryClaims"]:
        """Collect what is taken and given up, and do it at the end of the block."""
        del patience
        with self._lock:
            work = _MemoryClaims(owner, self)
            yield work
            self._keep(owner, work)

    def _keep(self, owner: Owner, work: "_MemoryClaims") -> None:
        for key, held in work.changed.items():
            if held is None:
                self.held.pop(key, None)
            else:
                self.held[key] = held
        for name, values in work.order.items():
            self.by_owner[owner, name] = values

    def _add(self, held: Mapping[Key, tuple[Owner, str]]) -> None:
        for (name, key), (owner, value) in held.items():
            self.held[name, key] = (owner, value)
            self.by_owner.setdefault((owner, name), []).append(value)


class _MemoryClaims:
    """One transaction; belongs to one thread, which holds the ledger's lock.

    `changed` has what was taken, and None for what was given up; `order` the owner's values, the newest last, in each
    namespace that was asked for.
    """

    def __init__(self, owner: Owner, ledger: MemoryLedger) -> None:
        self._owner = owner
        self._ledger = ledger
        self.changed: dict[Key, tuple[Owner, str] | None] = {}
        self.order: dict[str, list[str]] = {}

    def earlier(self, namespace: Namespace) -> tuple[str, ...]:
        """Return what the owner holds, newest first."""
        return tuple(reversed(self._values(namespace)))

    def holders(self, values: Sequence[Named]) -> Sequence[Owner | None]:
        """Return who holds each value, what this transaction took included."""
        return [held[0] if (held := self._held(namespace, value)) else None for namespace, value in values]

    def take(self, values: Sequence[Named], reason: str) -> bool:
        """Take all values or none."""
        del reason
        if any(holder not in {None, self._owner} for holder in self.holders(values)):
            return False
        for namespace, value in values:
            order, held = self._values(namespace), self._held(namespace, value)
            if held is None:
                held = self.changed[namespace.name, namespace.key(value)] = (self._owner, value)
            else:
                order.remove(held[1])
            order.append(held[1])
        return True

    def give_up(self, values: Sequence[Named], reason: str) -> None:
        """Free values of the owner's own."""
        del reason
        for namespace, value in values:
            held = self._held(namespace, value)
            if held is not None and held[0] == self._owner:
                self.changed[namespace.name, namespace.key(value)] = None
                self._values(namespace).remove(held[1])

    def _values(self, namespace: Namespace) -> list[str]:
        if namespace.name not in self.order:
            self.order[namespace.name] = list(self._ledger.by_owner.get((self._owner, namespace.name), ()))
        return self.order[namespace.name]

    def _held(self, namespace: Namespace, value: str) -> tuple[Owner, str] | None:
        key = (namespace.name, namespace.key(value))
        return self.changed[key] if key in self.changed else self._ledger.held.get(key)


class MemoryDirectory:
    """Known users, as flat maps with `id`, `status` and profile attributes."""

    def __init__(self, users: Iterable[User] = ()) -> None:
        self.users = tuple(users)

    def generation(self, patience: Patience | None = None) -> "MemoryDirectory":
        """Return itself: its users never change."""
        del patience
        return self

    def find(self, attribute: str, value: str) -> Sequence[User]:
        """Look through all users; null, '' and blanks find nobody."""
        if not value.strip():
            return ()
        if attribute == "login":
            return self._holding(LOGIN, value)
        return tuple(user for user in self.users if user.get(attribute) == value)

    def holding(self, values: Sequence[Named]) -> Sequence[Sequence[User]]:
        """Look through the namespaces' attributes of all users."""
        return [self._holding(namespace, value) for namespace, value in values]

    def _holding(self, namespace: Namespace, value: str) -> Sequence[User]:
        key = namespace.key(value)
        return tuple(user for user in self.users if key in _keys(user, namespace))


def _keys(user: User, namespace: Namespace) -> Iterator[str]:
    for attribute in namespace.directory:
        if isinstance(held := user.get(attribute), str):
            yield namespace.key(held)
