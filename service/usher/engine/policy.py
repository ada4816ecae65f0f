"""Policies as they are evaluated: compiled, immutable, each part with its place in the file.

Owns the values between loading and deciding. Serves all threads; the memos of places only ever gain equal entries.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from usher.cel import EvaluationError, Expression
from usher.domain.decision import RuleTrace, Verdict
from usher.domain.place import Place
from usher.engine.positions import ScalarPositions
from usher.engine.profiles import Profiles


@dataclass(frozen=True, slots=True)
class PlacedExpression:
    """A compiled expression and where its characters stand in the file."""

    expression: Expression
    place: Place
    positions: ScalarPositions | None = None

    def at(self, line: int, column: int) -> tuple[int, int]:
        """Return the file's line and column for a place within the expression."""
        if self.positions is None or not line:
            return self.place.line, self.place.column
        return self.positions.at(line, column)


class LocatedError(EvaluationError):
    """An evaluation error whose line and column are the file's."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A value as it stands in the policy."""

    value: object


Value = PlacedExpression | Literal


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: `name` is `<policy>/<id>`; `sets` maps targets to values, in the order of the file."""

    name: str
    place: Place
    when: PlacedExpression | None
    sets: tuple[tuple[str, Value], ...]
    because: PlacedExpression | None = None
    description: str = ""
    fired: RuleTrace = field(init=False)
    _false: dict[tuple[int, int], RuleTrace] = field(init=False, default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "fired", RuleTrace(self.name, Verdict.FIRED, self.place.line, self.place.column))

    def false_at(self, when: PlacedExpression, line: int, column: int) -> RuleTrace:
        """Return the account of a `when` that was false at a place of its expression."""
        trace = self._false.get((line, column))
        if trace is None:
            trace = RuleTrace(self.name, Verdict.FALSE, *when.at(line, column))
            self._false[line, column] = trace
        return trace


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy file."""

    name: str
    place: Place
    match: PlacedExpression | None
    constants: Mapping[str, object]
    variables: tuple[tuple[str, Value], ...]
    rules: tuple[Rule, ...]
    description: str = ""
    owner: str = ""


@dataclass(frozen=True, slots=True)
class PolicySet:
    """Every policy of a folder with the profile schemas they speak about; `revision` covers the bytes of all of it."""

    revision: str
    policies: tuple[Policy, ...]
    profiles: Profiles

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Every rule, in the order of files and within them."""
        return tuple(rule for policy in self.policies for rule in policy.rules)
