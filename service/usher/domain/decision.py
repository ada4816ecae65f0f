"""What the policies decided about one imported profile, and the account of how.

Owns the values; the engine fills them, `answer` renders them, `adapters` record them. Frozen, so safe on any thread.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Outcome(StrEnum):
    """How an answered call ended."""

    DEFAULT = "default"
    COMMANDS = "commands"
    HOLD = "hold"
    INVALID = "invalid"
    UNDECIDED = "undecided"


class Verdict(StrEnum):
    """What became of one rule."""

    FIRED = "fired"
    FALSE = "false"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class RuleTrace:
    """One rule's part in a decision.

    `line` and `column` name the smallest part of its `when` that was false, or where it failed; `code` is the error's.
    """

    rule: str
    verdict: Verdict
    line: int = 0
    column: int = 0
    code: str = ""

    def __str__(self) -> str:
        match self.verdict:
            case Verdict.FIRED:
                return "fired"
            case Verdict.FALSE:
                return f"false at {self.line}:{self.column}"
            case Verdict.ERROR:
                return f"{self.code} at {self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Assignment:
    """The value a target receives and the rules that agree on it."""

    target: str
    value: object
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Conflict:
    """Rules that want different values for one target: the target gets no command."""

    target: str
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RuleFault:
    """A rule that failed, or a value that its target's profile schema refuses: by name and code, never by value."""

    rule: str
    code: str
    target: str = ""

    def __str__(self) -> str:
        return f"{self.rule}: {self.code}" + (f" ({self.target})" if self.target else "")


@dataclass(frozen=True, slots=True)
class Decision:
    """The judgement on one request: "no rule fired" is a decision too.

    `assignments` is keyed by target (`user.login`) and holds what is left after conflicts.
    """

    revision: str
    assignments: Mapping[str, Assignment] = field(default_factory=dict)
    trace: tuple[RuleTrace, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    faults: tuple[RuleFault, ...] = ()

    @property
    def fired(self) -> tuple[str, ...]:
        """Names of the rules that fired, in the order of the policy set."""
        return tuple(entry.rule for entry in self.trace if entry.verdict is Verdict.FIRED)
