"""The settings of what is remembered: the ledger, its namespaces, and the directory of known users.

Owns their names, units, ranges and reasons, as `model` does for all others. What they mean is the engine's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal

from usher.settings.about import about

NAME: Final = "<name>"
"""Stands for a namespace's own name, in paths and in defaults."""
IDENTIFIER: Final = "[A-Za-z_][A-Za-z0-9_]{0,63}"
_URL: Final = r"(sqlite:///|postgres(ql)?(\+psycopg)?://)\S.*"
_DAY_LIMIT: Final = 36_500

Compare = Literal["whole", "local"]
Earlier = Literal["keep", "release"]


@dataclass(frozen=True, slots=True)
class NamespaceSettings:
    """What one namespace compares; fixed once, as values stay held by what they compared as."""

    ignoring: tuple[str, ...] = field(
        default=(),
        metadata=about(
            "affixes before the @",
            "Each is left out when two values are compared: with `.ext`, jo.ext@ and jo@ are one. None by itself.",
            pattern=r"[^@\s]+",
        ),
    )
    compare: Compare = field(
        default="whole",
        metadata=about(
            "choice",
            "`whole` values, domain included, are what Okta compares; `local` gives a name out once for all domains.",
        ),
    )
    directory: tuple[str, ...] = field(
        default=(NAME,),
        metadata=about(
            "attributes of the Okta profile",
            "A value that a known user has in one of them is not free. By itself the attribute of the same name.",
            pattern=IDENTIFIER,
        ),
    )


@dataclass(frozen=True, slots=True)
class LedgerSettings:
    """Who holds which value; `login` is always among the namespaces."""

    url: str = field(
        default="sqlite:///usher.db",
        metadata=about(
            "database URL",
            "One SQLite file serves one machine; several instances share a `postgresql://user@host/name`. Never a "
            "password: that comes from PGPASSWORD or a file named by PGPASSFILE.",
            pattern=_URL,
        ),
    )
    timeout_seconds: float = field(
        default=0.3,
        metadata=about(
            "seconds per decision",
            "All work on ledger and directory; what takes longer fails the rules that need it, and the rest stands.",
            minimum=0.01,
            maximum=2.0,
        ),
    )
    subject: str = field(
        default="get(appuser, 'externalId', '')",
        metadata=about(
            "CEL expression over appuser, user, context and input",
            "The row's immutable id, which owns what is claimed for it. What people share or change, names and logins, "
            "is refused.",
            pattern=r"\S.*",
        ),
    )
    earlier: Earlier = field(
        default="keep",
        metadata=about(
            "choice",
            "What becomes of an owner's earlier value when a new one is claimed: `keep` it, as mail and other systems "
            "may still know it, or `release` it.",
        ),
    )
    expire_days: int = field(
        default=0,
        metadata=about(
            "days",
            "A claim this old that no directory load has ever shown is freed by the next load. 0 never: a row may "
            "wait for an administrator for long.",
            minimum=0,
            maximum=_DAY_LIMIT,
        ),
    )
    namespaces: Mapping[str, NamespaceSettings] = field(
        default_factory=lambda: MappingProxyType({"login": NamespaceSettings(directory=("login",))}),
        metadata=about("tables", "Each holds values of which no two people have the same; claims name them."),
    )


@dataclass(frozen=True, slots=True)
class DirectorySettings:
    """The users Okta is known to have."""

    url: str = field(
        default="sqlite:///directory.db",
        metadata=about(
            "database URL",
            "A database of its own: a load of a million users must not be in the way of claims.",
            pattern=_URL,
        ),
    )
    indexed: tuple[str, ...] = field(
        default=("employeeNumber",),
        metadata=about(
            "attributes of the Okta profile",
            "What `directory()` can look users up by, besides `id` and `login`; takes effect with the next load.",
            pattern=IDENTIFIER,
        ),
    )
    subject_attribute: str = field(
        default="",
        metadata=about(
            "attribute of the Okta profile",
            "A known user who has the row's subject in it is the row's own person, whose login is not somebody else's. "
            "Empty where Okta does not keep that id.",
            pattern=rf"({IDENTIFIER})?",
        ),
    )
