"""What a run of policy tests covers: rules fired, not fired and failed, and both outcomes of every part of a condition.

Owns what counts as covered. It looks at decisions after they are made, so decisions cost nothing when nobody asks. A
`Coverage` belongs to one thread.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from usher.answer.record import DecisionRecord
from usher.domain.decision import RuleTrace, Verdict
from usher.domain.place import Place
from usher.engine import Ladder, Policy, PolicySet, Rule
from usher.engine.policy import PlacedExpression
from usher.proof.scene import Observers, Scene

_STOPPED: Final = "ladder-stopped"
_NOT_FIRED: Final = frozenset({Verdict.FALSE, Verdict.UNFIT, Verdict.EXHAUSTED})


@dataclass(frozen=True, slots=True)
class PartCoverage:
    """A part of a condition, and in how many decisions it came to true, came to false, and failed."""

    rule: str
    text: str
    place: Place
    true_count: int
    false_count: int
    failed_count: int = 0

    @property
    def seen(self) -> int:
        """How many of its two outcomes were seen."""
        return (self.true_count > 0) + (self.false_count > 0)


@dataclass(frozen=True, slots=True)
class RuleCoverage:
    """A rule, and in how many decisions it fired, did not fire, and failed."""

    rule: str
    place: Place
    fired: int
    not_fired: int
    failed: int


@dataclass(frozen=True, slots=True)
class Covered:
    """What a run covers, in the order of the policies. A rule counts once it fired, a part by its two outcomes."""

    rules: tuple[RuleCoverage, ...]
    parts: tuple[PartCoverage, ...]

    @property
    def percent(self) -> float:
        """Return what is covered of what there is, 100 for nothing at all."""
        there = len(self.rules) + 2 * len(self.parts)
        return 100 * (self.fired_count + self.outcome_count) / there if there else 100.0

    @property
    def fired_count(self) -> int:
        """How many rules fired."""
        return sum(rule.fired > 0 for rule in self.rules)

    @property
    def outcome_count(self) -> int:
        """How many outcomes were seen."""
        return sum(part.seen for part in self.parts)


class Coverage:
    """Watches the decisions of a run. `policy_set` is the whole folder, tested or not."""

    def __init__(self, policy_set: PolicySet) -> None:
        self._policies = policy_set
        self._verdicts: Counter[tuple[str, str]] = Counter()
        self._outcomes: Counter[tuple[str, int, bool]] = Counter()
        self._failures: Counter[tuple[str, int]] = Counter()
        self._observers = Observers()

    def saw(self, record: DecisionRecord, scene: Scene) -> None:
        """Count what one decision covers."""
        trace = {entry.rule: entry for entry in record.trace}
        stopped = {fault.rule for fault in record.errors if fault.code == _STOPPED}
        for policy in scene.policy_set.policies:
            if not policy.shadow:
                self._saw_policy(policy, trace, stopped, scene)

    def covered(self) -> Covered:
        """Return what was covered so far."""
        rules = tuple(
            RuleCoverage(
                rule.name,
                rule.place,
                self._verdicts[rule.name, "fired"],
                self._verdicts[rule.name, "not fired"],
                self._verdicts[rule.name, "failed"],
            )
            for rule in self._policies.rules
        )
        parts = (
            part
            for policy in self._policies.policies
            for name, condition in _conditions(policy)
            for part in self._parts(name, condition)
        )
        return Covered(rules, tuple(parts))

    def _saw_policy(self, policy: Policy, trace: Mapping[str, RuleTrace], stopped: set[str], scene: Scene) -> None:
        if policy.match is not None:
            self._look(policy, policy.name, policy.match, scene)
        for item in policy.items:
            asked = [rule for rule in _rules(item) if rule.name in trace and rule.name not in stopped]
            if isinstance(item, Ladder) and (asked or item.gate.name in trace):
                self._look(policy, item.gate.name, item.gate.when, scene)
            for rule in asked:
                self._verdicts[rule.name, _kind(trace[rule.name].verdict)] += 1
                self._look(policy, rule.name, rule.when, scene)

    def _look(self, policy: Policy, name: str, condition: PlacedExpression | None, scene: Scene) -> None:
        if condition is None:
            return
        sighting = scene.look(policy, condition)
        for index, outcomes in enumerate(sighting.outcomes):
            for outcome in outcomes:
                self._outcomes[name, index, outcome] += 1
            self._failures[name, index] += sighting.failed[index]

    def _parts(self, name: str, condition: PlacedExpression) -> Iterator[PartCoverage]:
        for index, part in enumerate(self._observers.of(condition.expression).parts):
            place = Place(condition.place.file, *condition.at(part.line, part.column))
            seen, unseen = self._outcomes[name, index, True], self._outcomes[name, index, False]
            yield PartCoverage(name, part.text, place, seen, unseen, self._failures[name, index])


def _conditions(policy: Policy) -> Iterator[tuple[str, PlacedExpression]]:
    """Yield every condition of a policy with the name of what it belongs to."""
    if policy.match is not None:
        yield policy.name, policy.match
    for item in policy.items:
        owners = (item.gate, *item.branches) if isinstance(item, Ladder) else (item,)
        for rule in owners:
            if rule.when is not None:
                yield rule.name, rule.when


def _rules(item: Rule | Ladder) -> tuple[Rule, ...]:
    return item.branches if isinstance(item, Ladder) else (item,)


def _kind(verdict: Verdict) -> str:
    if verdict is Verdict.FIRED:
        return "fired"
    return "not fired" if verdict in _NOT_FIRED else "failed"
