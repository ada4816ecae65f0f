"""Looks at the policy folder as values: what they came to, what was rejected, where a set comes from.

Owns these values, which the keeper makes and the operations listener tells. Frozen; any thread.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from usher.domain.place import Problem, Severity
from usher.engine.changes import Change


class Result(StrEnum):
    """What a look at the folder came to."""

    UNCHANGED = "unchanged"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Rejected:
    """The newest set, which is not in force, and why."""

    revision: str
    since: datetime
    since_monotonic: float
    tried_monotonic: float
    problems: tuple[Problem, ...]

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems for which it was rejected."""
        return tuple(problem for problem in self.problems if problem.severity is Severity.ERROR)


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the folder: what it came to, and the set that is in force after it."""

    result: Result
    revision: str
    found_revision: str
    problems: tuple[Problem, ...] = ()
    changes: tuple[Change, ...] = ()
    seconds: float = 0.0


class ReloadMeter(Protocol):
    """Counts what becomes of policy sets."""

    def accepted(self, revision: str) -> None:
        """Count a set that went into force."""

    def rejected(self) -> None:
        """Count a set that did not."""

    def settled(self) -> None:
        """Note that what lies in the folder is what is in force."""


@dataclass(frozen=True, slots=True)
class Folders:
    """Where a set comes from, and where the last good one is kept."""

    policies: Path
    schemas: Path
    state: Path
