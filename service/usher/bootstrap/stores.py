"""Ledger, directory and namespaces as the settings describe them.

Owns the step from settings to the engine's `Stores`, and the stores that forget: for every door but the service's.
Main thread; the stores themselves serve all threads.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from usher.engine import MemoryDirectory, MemoryLedger, Namespace, Stores
from usher.engine.subject import subject_of
from usher.settings import DirectorySettings, LedgerSettings, Settings


def namespaces_of(ledger: LedgerSettings) -> Mapping[str, Namespace]:
    """Return what the engine knows of each namespace."""
    return MappingProxyType(
        {
            name: Namespace(name, ignoring=given.ignoring, compare=given.compare, directory=given.directory)
            for name, given in ledger.namespaces.items()
        }
    )


def indexed_of(directory: DirectorySettings) -> frozenset[str]:
    """Return the attributes by which known users can be found."""
    return frozenset({"id", "login", *directory.indexed})


def memory_stores(settings: Settings, users: Iterable[Mapping[str, object]] = ()) -> Stores:
    """Return stores that begin empty but for the known users, and forget. Raises `CompileError` for a bad subject."""
    return Stores(
        MemoryLedger(),
        MemoryDirectory(users),
        namespaces_of(settings.ledger),
        subject=subject_of(settings.ledger.subject),
        subject_attribute=settings.directory.subject_attribute,
        indexed=indexed_of(settings.directory),
        keeps_earlier=settings.ledger.earlier == "keep",
    )
