"""What the policies decided about one imported profile, and the account of how.

Owns the values; the engine fills them, `answer` renders them, `adapters` record them. Frozen, so safe on any thread.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

ACTION: Final = "action"
"""The target every `action` competes for; vetoes name `action.link` and `action.create`."""


class Outcome(StrEnum):
    """How an answered call ended."""

    DEFAULT = "default"
    COMMANDS = "commands"
    HOLD = "hold"
    INVALID = "invalid"
    UNDECIDED = "undecided"


class Ending(StrEnum):
    """What becomes of the row, Okta's own proposal included."""

    CREATE = "create"
    LINK = "link"


class Verdict(StrEnum):
    """What became of one rule."""

    FIRED = "fired"
    FALSE = "false"
    ERROR = "error"
    UNFIT = "unfit"
    EXHAUSTED = "exhausted"


@dataclass(frozen=True, slots=True)
class RuleTrace:
    """One rule's part in a decision.

    `line` and `column` name the smallest part of its `when` that was false, or where it failed; `code` is the error's.
    `unfit`: its `only` names another ending. `exhausted`: its claim found no free candidate.
    """

    rule: str
    verdict: Verdict
    line: int = 0
    column: int = 0
    code: str = ""

    def __str__(self) -> str:
        match self.verdict:
            case Verdict.FALSE:
                return f"false at {self.line}:{self.column}"
            case Verdict.ERROR:
                return f"{self.code} at {self.line}:{self.column}"
            case _:
                return self.verdict.value


@dataclass(frozen=True, slots=True)
class Assignment:
    """The value a target receives and the rules that agree on it."""

    target: str
    value: object
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Conflict:
    """Rules that want different values for one target (or one namespace, `claim.<name>`): it gets none."""

    target: str
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RuleFault:
    """A rule that failed, or a value that its target's profile schema refuses: by name and code, never by value.

    `closed`: a restriction that failed and therefore applies.
    """

    rule: str
    code: str
    target: str = ""
    closed: bool = False

    def __str__(self) -> str:
        return f"{self.rule}: {self.code}" + (f" ({self.target})" if self.target else "")


@dataclass(frozen=True, slots=True)
class Hold:
    """Why a row waits for a person: the rule and its text, or what the engine found (`rule` is then a code of ours)."""

    rule: str
    text: str


@dataclass(frozen=True, slots=True)
class Tried:
    """One candidate and why it was refused; '' when it was granted. `values` maps namespaces to values."""

    values: Mapping[str, str]
    refused: str


@dataclass(frozen=True, slots=True)
class ClaimTrace:
    """One claim: what was tried in order, and what was granted, if anything was. `more` were tried and are not kept."""

    rule: str
    tried: tuple[Tried, ...]
    granted: Mapping[str, str] | None
    more: int = 0


@dataclass(frozen=True, slots=True)
class Remembered:
    """A login that a created row ends with, kept as its owner's; `collision`: somebody else holds it already."""

    namespace: str
    value: str
    collision: bool


@dataclass(frozen=True, slots=True)
class Lookup:
    """One question of a policy and its answer.

    `directory(name, value)` found the users with these ids; `taken(name, value)` found that somebody else holds the
    value, or nobody.
    """

    function: str
    name: str
    value: str
    found: tuple[object, ...] | bool


@dataclass(frozen=True, slots=True)
class Decision:
    """The judgement on one request: "no rule fired" is a decision too.

    `assignments` is keyed by target (`user.login`) and holds what is left after conflicts. `link_id` is the user to
    link
    to when the ending is a link. `debug` maps rules to the values they publish on purpose. `lookups` are sorted: the
    order of asking is that of the rules, which never matters. `subject` is the row's id, '' when it brings none.
    `claim_seconds` is the time the ledger took.
    """

    revision: str
    ending: Ending = Ending.CREATE
    link_id: str = ""
    assignments: Mapping[str, Assignment] = field(default_factory=dict)
    trace: tuple[RuleTrace, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    faults: tuple[RuleFault, ...] = ()
    holds: tuple[Hold, ...] = ()
    vetoed: tuple[str, ...] = ()
    claims: tuple[ClaimTrace, ...] = ()
    remembered: tuple[Remembered, ...] = ()
    lookups: tuple[Lookup, ...] = ()
    debug: Mapping[str, object] = field(default_factory=dict)
    subject: str = ""
    claim_seconds: float = field(default=0.0, compare=False)

    @property
    def fired(self) -> tuple[str, ...]:
        """Names of the rules that fired, in the order of the policy set."""
        return tuple(entry.rule for entry in self.trace if entry.verdict is Verdict.FIRED)
