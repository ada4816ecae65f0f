"""Policies as they are evaluated: compiled, immutable, each part with its place in the file.

Owns the values between loading and deciding. Serves all threads; the memos of places only ever gain equal entries.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from usher.cel import EvaluationError, Expression
from usher.domain.decision import Ending, RuleTrace, Verdict
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

    def located(self, error: EvaluationError) -> tuple[int, int]:
        """Return where an error happened in the file; an error out of a variable knows that already."""
        known = error.origin or error
        return (known.line, known.column) if isinstance(known, LocatedError) else self.at(error.line, error.column)


class LocatedError(EvaluationError):
    """An evaluation error whose line and column are the file's."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A value as it stands in the policy."""

    value: object


Value = PlacedExpression | Literal


@dataclass(frozen=True, slots=True)
class Action:
    """What a rule makes of the row: `link` yields the id of the user to link to; None creates."""

    link: Value | None


@dataclass(frozen=True, slots=True)
class Candidate:
    """One value to try, per namespace; `uses_n` when it is tried for every number of the counter."""

    values: tuple[tuple[str, Value], ...]
    uses_n: bool


@dataclass(frozen=True, slots=True)
class Claim:
    """What a rule reserves: candidates in order; `reserved` holds values never given out, per namespace."""

    namespaces: tuple[str, ...]
    candidates: tuple[Candidate, ...]
    counter: range
    reserved: tuple[tuple[str, Value], ...]
    exhausted_holds: bool
    place: Place


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule or branch of a ladder: `name` is `<policy>/<id>` or `<policy>/<ladder>/<id>`.

    `sets` maps targets to values; `claimed_sets` are those whose values use `claimed`. A rule either changes or
    restricts.
    """

    name: str
    place: Place
    when: PlacedExpression | None = None
    only: Ending | None = None
    sets: tuple[tuple[str, Value], ...] = ()
    claimed_sets: tuple[tuple[str, PlacedExpression], ...] = ()
    action: Action | None = None
    claim: Claim | None = None
    hold: Value | None = None
    veto: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()
    because: PlacedExpression | None = None
    debug: Value | None = None
    description: str = ""
    fired: RuleTrace = field(init=False)
    _false: dict[tuple[int, int], RuleTrace] = field(init=False, default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "fired", RuleTrace(self.name, Verdict.FIRED, self.place.line, self.place.column))

    @property
    def restricts(self) -> bool:
        """Whether the rule holds or vetoes rather than changes."""
        return self.hold is not None or bool(self.veto)

    @property
    def ending(self) -> Ending | None:
        """What `only` asks for; a claim speaks of people who are created unless it says otherwise."""
        return self.only or (Ending.CREATE if self.claim else None)

    @property
    def targets(self) -> tuple[str, ...]:
        """Every target the rule can set, those fed by its claim included."""
        return (*(target for target, _ in self.sets), *(target for target, _ in self.claimed_sets))

    def false_at(self, when: PlacedExpression, line: int, column: int) -> RuleTrace:
        """Return the account of a `when` that was false at a place of its expression."""
        trace = self._false.get((line, column))
        if trace is None:
            trace = RuleTrace(self.name, Verdict.FALSE, *when.at(line, column))
            self._false[line, column] = trace
        return trace


@dataclass(frozen=True, slots=True)
class Ladder:
    """Branches of which the first whose `when` is true fires. `gate` carries the ladder's own `when`, if it has one."""

    gate: Rule
    branches: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy file."""

    name: str
    place: Place
    match: PlacedExpression | None
    constants: Mapping[str, object]
    variables: tuple[tuple[str, Value], ...]
    items: tuple[Rule | Ladder, ...]
    shadow: bool = False
    description: str = ""
    owner: str = ""

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Every rule and branch, in the order of the file."""
        return tuple(rule for item in self.items for rule in (item.branches if isinstance(item, Ladder) else (item,)))


@dataclass(frozen=True, slots=True)
class PolicySet:
    """Every policy of a folder with the profile schemas they speak about; `revision` covers the bytes of all of it."""

    revision: str
    policies: tuple[Policy, ...]
    profiles: Profiles
    tables: Mapping[str, object] = field(default_factory=dict)
    has_shadows: bool = field(init=False)

    def __post_init__(self) -> None:
        # Asked for every decision.
        object.__setattr__(self, "has_shadows", any(policy.shadow for policy in self.policies))

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Every rule, in the order of files and within them."""
        return tuple(rule for policy in self.policies for rule in policy.rules)
