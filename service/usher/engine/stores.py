"""What the engine needs of whoever remembers: who holds a value, and whom Okta knows.

Owns the protocols, in the engine's own words, and what it takes to compare two values of a namespace.
Implementations live in
`adapters`; `engine.memory` has those that forget. Frozen values; the protocols say which threads call.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Final, Literal, Protocol

from usher.domain.fold import fold
from usher.domain.request import ImportRequest
from usher.errors import UsherError

MAX_FOLDED_CHARS: Final = 500

LEDGER_UNAVAILABLE: Final = "ledger-unavailable"
DIRECTORY_UNAVAILABLE: Final = "directory-unavailable"
UNAVAILABLE: Final = frozenset({LEDGER_UNAVAILABLE, DIRECTORY_UNAVAILABLE})
"""The codes of rules that failed because a store did: asked again, they may not."""

User = Mapping[str, object]


class StoreError(UsherError):
    """A store did not answer: `store` is `ledger` or `directory`, `reason` one clause without values."""

    def __init__(self, store: str, reason: str) -> None:
        super().__init__(f"the {store} cannot be used: {reason}")
        self.store = store
        self.reason = reason

    @property
    def code(self) -> str:
        """The code that failed rules carry."""
        return DIRECTORY_UNAVAILABLE if self.store == "directory" else LEDGER_UNAVAILABLE


@dataclass(slots=True)
class Patience:
    """How long all store work of one decision may still take, in seconds. Belongs to one thread."""

    seconds: float = math.inf


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


Named = tuple[Namespace, str]
"""A value of a namespace."""


def is_claimable(value: str) -> bool:
    """Say whether a value can be kept: no longer than any login, and nothing that databases refuse in a text."""
    storable = value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)
    return len(value) <= MAX_FOLDED_CHARS and storable and "\0" not in value and bool(value.strip())


class Claims(Protocol):
    """All ledger work of one decision, in one transaction; used by the thread that decides. Raises `StoreError`."""

    def earlier(self, namespace: Namespace) -> tuple[str, ...]:
        """Return the values the owner holds, newest first."""

    def holders(self, values: Sequence[Named]) -> Sequence[Owner | None]:
        """Return who holds each value."""

    def take(self, values: Sequence[Named], reason: str) -> bool:
        """Reserve all values for the owner, or none of them when somebody else holds one.

        They are the owner's newest from now on, those it held before as well. `reason` is the claiming rule, '' when a
        login is remembered without one.
        """

    def give_up(self, values: Sequence[Named], reason: str) -> None:
        """Free values of the owner's own."""


class Ledger(Protocol):
    """Remembers who holds which value; any thread. Raises `StoreError`."""

    def holder(self, namespace: Namespace, value: str, patience: Patience) -> Owner | None:
        """Return who holds a value, outside of any transaction."""

    def claims(self, owner: Owner, patience: Patience) -> AbstractContextManager[Claims]:
        """Open the transaction of one decision: committed at the end of the block, rolled back by an exception."""


class Generation(Protocol):
    """The users Okta is known to have, of every status, as one load found them. Raises `StoreError`."""

    def find(self, attribute: str, value: str) -> Sequence[User]:
        """Return the users whose attribute equals the value: login by fold, others as exact text."""

    def holding(self, values: Sequence[Named]) -> Sequence[Sequence[User]]:
        """Return, for each value, the users who hold it in any attribute of its namespace."""


class Directory(Protocol):
    """Knows Okta's users; any thread. Raises `StoreError`."""

    def generation(self, patience: Patience) -> Generation:
        """Return the users of the newest load; it stays as it is for one decision, whatever is loaded meanwhile."""


def external_id(request: ImportRequest) -> str:
    """Return the row's id in its source, '' when it brings none."""
    return request.subject


@dataclass(frozen=True, slots=True)
class Stores:
    """What one decision may ask, the namespaces the settings declare, and whose values are whose.

    `timeout_seconds` bounds all store work of one decision. `subject` yields the row's immutable id; a known user with
    that id in `subject_attribute` is the row's own person. `indexed` are the attributes by which users can be found;
    None: any.
    """

    ledger: Ledger
    directory: Directory
    namespaces: Mapping[str, Namespace]
    timeout_seconds: float = math.inf
    subject: Callable[[ImportRequest], str] = external_id
    subject_attribute: str = ""
    indexed: frozenset[str] | None = None
    keeps_earlier: bool = True

    def over(self, ledger: Ledger, directory: Directory) -> "Stores":
        """Return other stores of which the same is declared."""
        return replace(self, ledger=ledger, directory=directory)


LOGIN = Namespace("login")
DEFAULT_NAMESPACES: Mapping[str, Namespace] = {"login": LOGIN}
