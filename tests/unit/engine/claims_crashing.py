"""A ledger that fails, or dies, at a chosen moment of a decision's transaction, and what is left of it on the disk."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from usher.adapters.sql.database import Database, DatabaseOptions, url_of
from usher.engine import Ledger, Namespace, Owner, Patience, StoreError
from usher.engine.stores import Claims, Named


class Moment(StrEnum):
    """When it happens."""

    NEVER = "never"
    ASKED = "asked"
    BEFORE_COMMIT = "before commit"
    AFTER_COMMIT = "after commit"


class KilledError(Exception):
    """The process is gone: nobody hears an answer."""


@dataclass
class CrashingLedger:
    """Passes everything on, and raises `error` at its moment; `ASKED`: when the transaction is asked the nth time.

    `dying` is called first, while the transaction is open unless it was committed. `struck` says whether it came to
    that.
    """

    below: Ledger
    moment: Moment = Moment.NEVER
    error: Exception | None = None
    questions: int = 0
    dying: Callable[[], object] = lambda: None
    struck: bool = False

    def holder(self, namespace: Namespace, value: str, patience: Patience) -> Owner | None:
        """Return who holds a value."""
        return self.below.holder(namespace, value, patience)

    @contextmanager
    def claims(self, owner: Owner, patience: Patience) -> Iterator[Claims]:
        """Open a transaction that may not end well."""
        with self.below.claims(owner, patience) as work:
            yield _CrashingClaims(work, self)
            self.strike_at(Moment.BEFORE_COMMIT)
        self.strike_at(Moment.AFTER_COMMIT)

    def strike_at(self, moment: Moment) -> None:
        """Raise if this is the moment."""
        if moment is self.moment:
            self.struck = True
            self.dying()
            raise self.error or StoreError("ledger", "it fails on purpose")


@dataclass(frozen=True)
class _CrashingClaims:
    work: Claims
    ledger: CrashingLedger

    def earlier(self, namespace: Namespace) -> tuple[str, ...]:
        self._asked()
        return self.work.earlier(namespace)

    def holders(self, values: Sequence[Named]) -> Sequence[Owner | None]:
        self._asked()
        return self.work.holders(values)

    def take(self, values: Sequence[Named], reason: str) -> bool:
        taken = self.work.take(values, reason)
        self._asked()
        return taken

    def give_up(self, values: Sequence[Named], reason: str) -> None:
        self.work.give_up(values, reason)
        self._asked()

    def _asked(self) -> None:
        self.ledger.questions -= 1
        if self.ledger.questions == 0:
            self.ledger.strike_at(Moment.ASKED)


def opened(file: Path) -> Database:
    """Return an SQLite ledger's database."""
    return Database(url_of(f"sqlite:///{file}", file.parent, "ledger.url"), "ledger", DatabaseOptions())


def crashed(file: Path, copy: Path) -> Path:
    """Return a copy of a database as a process that dies at this moment would leave it: nothing is checkpointed."""
    for suffix in ("", "-wal"):
        source = Path(f"{file}{suffix}")
        if source.exists():
            shutil.copyfile(source, f"{copy}{suffix}")
    return copy
