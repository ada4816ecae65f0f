"""A ledger over another: it sees what the other holds, and leaves nothing there.

For decisions that are made to be looked at: what shadow policies would claim. Any thread.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from usher.engine.stores import Claims, Ledger, Namespace, Owner, Patience, Stores


class _RolledBackError(Exception):
    """Leaving the transaction this way gives everything back."""


class OverlayLedger:
    """Claims are made in the other ledger's transaction, which is always rolled back."""

    def __init__(self, below: Ledger) -> None:
        self._below = below

    def holder(self, namespace: Namespace, value: str, patience: Patience) -> Owner | None:
        """Return who holds a value."""
        return self._below.holder(namespace, value, patience)

    @contextmanager
    def claims(self, owner: Owner, patience: Patience) -> Iterator[Claims]:
        """Open a transaction that leaves nothing."""
        with suppress(_RolledBackError), self._below.claims(owner, patience) as work:
            yield work
            raise _RolledBackError


def overlaid(stores: Stores) -> Stores:
    """Return stores in which nothing stays."""
    return stores.over(OverlayLedger(stores.ledger), stores.directory)
