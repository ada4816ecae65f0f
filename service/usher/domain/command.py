"""Okta's commands and the order they are sent in.

Source: Okta's user import inline hook reference; every official LINK example has `action.update` before `user.update`.
Frozen values.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class CommandType(StrEnum):
    """The four commands Okta obeys, in the order they are sent; at most one of each."""

    ACTION = "com.okta.action.update"
    LINK = "com.okta.user.update"
    APP_PROFILE = "com.okta.appUser.profile.update"
    USER_PROFILE = "com.okta.user.profile.update"


@dataclass(frozen=True, slots=True)
class Command:
    """One command: its type and the value Okta expects with it."""

    type: CommandType
    value: Mapping[str, object]

    def to_wire(self) -> dict[str, object]:
        """Return the command as Okta reads it."""
        return {"type": self.type.value, "value": dict(self.value)}
