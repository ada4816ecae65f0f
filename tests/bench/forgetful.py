"""`usher` with a ledger and a directory in memory, which no setting asks for: what the real ones are measured against.

A program of its own; takes what `usher` takes.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from usher.adapters.store_metrics import StoreMetrics
from usher.bootstrap import service
from usher.bootstrap.opened_stores import OpenedStores
from usher.bootstrap.stores import memory_stores
from usher.cli import main
from usher.settings import LoadedSettings


@contextmanager
def forgetful_stores(loaded: LoadedSettings, metrics: StoreMetrics) -> Iterator[OpenedStores]:
    """Open stores that begin empty, and forget."""
    del metrics
    yield OpenedStores(memory_stores(loaded.settings), {}, ())


if __name__ == "__main__":
    service.opened_stores = forgetful_stores  # type: ignore[attr-defined]  # no door of its own, as nobody needs one
    main()
