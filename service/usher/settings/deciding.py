"""The settings that shape decisions: what a held row is answered, and when two values are the same to the ledger.

Owns their names, defaults and reasons, as `model` does for all others. What they mean is the engine's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal

from usher.settings.about import about

NAME: Final = "<name>"
"""Stands for a namespace's own name, in paths and in defaults."""
IDENTIFIER: Final = "[A-Za-z_][A-Za-z0-9_]{0,63}"

HoldAnswer = Literal["error", "quarantine"]
Compare = Literal["whole", "local"]


@dataclass(frozen=True, slots=True)
class HoldSettings:
    """How a row that waits for a person is answered."""

    answer: HoldAnswer = field(
        default="error",
        metadata=about(
            "choice",
            "`error` is Okta's own way to report a failed row; `quarantine` creates the user with the attributes of "
            "hold.quarantine, where error does not stop Okta.",
        ),
    )
    quarantine: Mapping[str, str] = field(
        default_factory=lambda: MappingProxyType({}),
        metadata=about(
            "text per attribute of the Okta profile",
            "What marks a held user that `quarantine` creates, for example `userType`; only an organisation knows.",
        ),
    )


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
    """What the ledger remembers; `login` is always among the namespaces."""

    namespaces: Mapping[str, NamespaceSettings] = field(
        default_factory=lambda: MappingProxyType({"login": NamespaceSettings(directory=("login",))}),
        metadata=about("tables", "Each holds values of which no two people have the same; claims name them."),
    )
