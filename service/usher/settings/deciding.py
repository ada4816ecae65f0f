"""The settings that shape decisions: what a held row is answered.

Owns their names, defaults and reasons, as `model` does for all others. What they mean is the engine's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from usher.settings.about import about

HoldAnswer = Literal["error", "quarantine"]


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
