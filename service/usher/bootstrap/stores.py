"""Ledger, directory and namespaces as the settings describe them.

Owns the step from settings to the engine's `Namespace`, and that ledger and directory are in memory until there are
others. Main thread; the stores themselves serve all threads.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from usher.engine import MemoryDirectory, MemoryLedger, Namespace, PolicySet, Stores
from usher.settings import LedgerSettings


def namespaces_of(ledger: LedgerSettings) -> Mapping[str, Namespace]:
    """Return what the engine knows of each namespace."""
    return MappingProxyType(
        {
            name: Namespace(name, ignoring=given.ignoring, compare=given.compare, directory=given.directory)
            for name, given in ledger.namespaces.items()
        }
    )


def memory_stores(ledger: LedgerSettings, users: Iterable[Mapping[str, object]] = ()) -> Stores:
    """Return stores that begin empty but for the known users, and forget."""
    return Stores(MemoryLedger(), MemoryDirectory(users), namespaces_of(ledger))


def claims_anything(policies: PolicySet) -> bool:
    """Say whether a policy in force relies on the ledger to remember."""
    return any(rule.claim for policy in policies.policies if not policy.shadow for rule in policy.rules)
