"""The policy set in force: one reference, read once per request, replaced in one assignment.

Owns that reference. Any thread reads it; a single assignment is atomic under CPython's interpreter lock and without it.
"""

from datetime import datetime

from usher.engine import PolicySet


class PoliciesInForce:
    """Holds the set that answers; `since` is when it took effect, in UTC."""

    def __init__(self, policy_set: PolicySet, since: datetime) -> None:
        self._current = (policy_set, since)

    def __call__(self) -> PolicySet:
        """Return the set in force."""
        return self._current[0]

    @property
    def since(self) -> datetime:
        """Return when the set took effect."""
        return self._current[1]

    def replace(self, policy_set: PolicySet, since: datetime) -> None:
        """Put another set into force: calls that have begun end with the one they began with."""
        self._current = (policy_set, since)
