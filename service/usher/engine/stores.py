"""What the engine needs of whoever remembers: who holds a value, and whom Okta knows.

Owns the protocols, in the engine's own words, and what it takes to compare two values of a namespace.
Implementations live in
`adapters`; `engine.memory` has those that forget. Frozen values; the protocols say which threads call.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from usher.domain.fold import fold

MAX_FOLDED_CHARS: Final = 500

User = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Owner:
    """Who holds a value: the row's application and its subject, an id that stays the same from import to import."""

    application: str
    subject: str


@dataclass(frozen=True, slots=True)
class Namespace:
    """A set of values no two owners share.

    `ignoring` holds affixes that do not count (`.ext`); `compare` says whether the domain does; `directory` names the
    attributes of known users that share the namespace.
    """

    name: str
    ignoring: tuple[str, ...] = ()
    compare: Literal["whole", "local"] = "whole"
    directory: tuple[str, ...] = ("login",)

    def key(self, value: str) -> str:
        """Return what two values have in common when they are the same to this namespace."""
        # APPSEC: folding long runs of marks takes quadratic time; Okta's logins end at 100 characters.
        folded = fold(value) if len(value) <= MAX_FOLDED_CHARS else value.casefold()
        local, at, domain = folded.rpartition("@")
        if not at:
            local, domain = domain, ""
        for affix in map(fold, self.ignoring):
            local = local.removesuffix(affix).removeprefix(affix)
        return local if self.compare == "local" or not at else f"{local}@{domain}"


class Claims(Protocol):
    """All ledger work of one decision, in one transaction; used by the thread that decides."""

    def earlier(self, namespace: Namespace) -> tuple[str, ...]:
        """Return the values the owner holds, newest first."""

    def holder(self, namespace: Namespace, value: str) -> Owner | None:
        """Return who holds a value."""

    def take(self, values: Sequence[tuple[Namespace, str]]) -> bool:
        """Reserve all values for the owner, or none of them when somebody else holds one."""


class Ledger(Protocol):
    """Remembers who holds which value; any thread."""

    def holder(self, namespace: Namespace, value: str) -> Owner | None:
        """Return who holds a value, outside of any transaction."""

    def claims(self, owner: Owner) -> AbstractContextManager[Claims]:
        """Open the transaction of one decision: committed at the end of the block, rolled back by an exception."""


class Directory(Protocol):
    """The users Okta is known to have, of every status; any thread."""

    def find(self, attribute: str, value: str) -> Sequence[User]:
        """Return the users whose attribute equals the value: login by fold, others as exact text."""

    def holding(self, namespace: Namespace, value: str) -> Sequence[User]:
        """Return the users who hold a value of the namespace, in any of its attributes."""


@dataclass(frozen=True, slots=True)
class Stores:
    """What one decision may ask, and the namespaces the settings declare."""

    ledger: Ledger
    directory: Directory
    namespaces: Mapping[str, Namespace]


LOGIN = Namespace("login")
DEFAULT_NAMESPACES: Mapping[str, Namespace] = {"login": LOGIN}
