"""What became of every rule in one decision, and why: the account that people and programs read.

Owns how a trace becomes an account: with reasons and values where the decision can be looked at once more, from the
trace alone where only the record is left. Pure but for the second look; one thread.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from usher.answer.record import DecisionRecord
from usher.domain.decision import RuleTrace, Verdict
from usher.domain.place import Place
from usher.engine import Ladder, Policy, PolicySet, Rule
from usher.engine.policy import PlacedExpression
from usher.proof.recorded import recorded_match, recorded_reasons
from usher.proof.scene import PlacedReason, Scene


class Standing(StrEnum):
    """What became of one rule: a verdict of the trace, or why it is not in there."""

    FIRED = "fired"
    FALSE = "false"
    ERROR = "error"
    UNFIT = "unfit"
    EXHAUSTED = "exhausted"
    UNREACHED = "unreached"
    UNMATCHED = "unmatched"


_STOPPED: Final = {
    Standing.FALSE: "is false",
    Standing.ERROR: "failed",
    Standing.UNFIT: "is true though not applied",
    Standing.EXHAUSTED: "found no free candidate",
}


@dataclass(frozen=True, slots=True)
class RuleAccount:
    """What became of one rule, ladder (its own `when`) or policy (its `match`).

    `place` is where it fired, was false or failed, with line 0 where nobody knows. `reasons` lead from the part that
    decided into the variables it is made of. `instead` says what kept an unreached rule from being asked.
    """

    rule: str
    standing: Standing
    place: Place
    code: str = ""
    because: str = ""
    instead: str = ""
    reasons: tuple[PlacedReason, ...] = ()


class Accounts:
    """The accounts of one decision. Without a scene only what is on record is told.

    Once the policies have changed, today's files say nothing about it: what is told then is the trace, and no more.
    """

    def __init__(self, policy_set: PolicySet, record: DecisionRecord, scene: Scene | None) -> None:
        self._policies = policy_set
        self._record = record
        self._scene = scene
        self._trace = {entry.rule: entry for entry in record.trace}
        self._same = policy_set.revision == record.revision or not record.revision
        self._parts = {name: part for policy in policy_set.policies for name, part in _parts(policy)}

    def all(self, *, shadow: bool = False) -> Iterator[RuleAccount]:
        """Yield an account of every rule that was asked, and of every policy that does not apply."""
        if not self._same:
            yield from map(_of_record, self._record.trace)
            return
        known: set[str] = set()
        for policy in self._policies.policies:
            if policy.shadow is shadow and not self._record.faults and self._record.ending is not None:
                for account in self._of_policy(policy):
                    known.add(account.rule)
                    yield account
        for entry in self._record.trace:
            if entry.rule not in known:  # of a policy that is no longer there
                yield self.of(entry.rule)

    def of(self, name: str) -> RuleAccount:
        """Return the account of a rule, a ladder or a policy by its full name."""
        if not self._same:
            return next((_of_record(entry) for entry in self._record.trace if entry.rule == name), _unreached(name))
        policy, ladder, rule = self._parts.get(name, (None, None, None))
        entry = self._trace.get(name)
        if entry is not None:
            return self._traced(entry, policy, rule)
        if policy is None or rule is None:
            return _unreached(name)
        return self._untraced(policy, ladder, rule)

    def _of_policy(self, policy: Policy) -> Iterator[RuleAccount]:
        names = [name for name, _ in _parts(policy)]
        if policy.match is not None and not self._trace.keys() & {*names}:
            yield self._unmatched(policy, policy.match)
            return
        for name in names:
            if name in self._trace or name in {rule.name for rule in policy.rules}:
                yield self.of(name)

    def _traced(self, entry: RuleTrace, policy: Policy | None, rule: Rule | None) -> RuleAccount:
        if policy is None:
            return _of_record(entry)
        standing = Standing(entry.verdict.value)
        because = ""
        reasons: tuple[PlacedReason, ...] = ()
        if entry.verdict is Verdict.FIRED and rule is not None and self._scene is not None:
            because = self._scene.because(policy, rule)
        if entry.verdict in {Verdict.FALSE, Verdict.ERROR}:
            reasons = self._reasons(policy, rule, entry)
        return RuleAccount(entry.rule, standing, _place(entry, policy, rule), entry.code, because, reasons=reasons)

    def _reasons(self, policy: Policy, rule: Rule | None, entry: RuleTrace) -> tuple[PlacedReason, ...]:
        when = policy.match if rule is None else rule.when
        if self._scene is not None:
            if entry.verdict is Verdict.ERROR and rule is not None:
                when = self._scene.failing(policy, rule, entry.code)
            if when is not None:
                return self._scene.reasons(policy, when)
        return recorded_reasons(policy, rule, entry, self._record)

    def _untraced(self, policy: Policy, ladder: Ladder | None, rule: Rule) -> RuleAccount:
        """Say why a rule was not asked at all."""
        if policy.match is not None and not self._trace.keys() & {name for name, _ in _parts(policy)}:
            unmatched = self._unmatched(policy, policy.match)
            return RuleAccount(rule.name, Standing.UNMATCHED, unmatched.place, reasons=unmatched.reasons)
        stopped = self._stopped(policy, ladder)
        if stopped is None:
            return RuleAccount(rule.name, Standing.UNREACHED, rule.place)
        last = self.of(stopped)
        instead = f"{last.rule} {_STOPPED.get(last.standing, 'fired')}"
        return RuleAccount(rule.name, Standing.UNREACHED, last.place, instead=instead, reasons=last.reasons)

    def _stopped(self, policy: Policy, ladder: Ladder | None) -> str | None:
        """Return what kept a rule from being asked: a `match` that failed, or where its ladder stopped."""
        if policy.name in self._trace:
            return policy.name
        parts = (ladder.gate, *ladder.branches) if ladder else ()
        asked = [self._trace[part.name] for part in parts if part.name in self._trace]
        # Below a branch that failed, restrictions stand in the trace as fired.
        return next(
            (entry.rule for entry in asked if entry.verdict is not Verdict.FALSE), asked[-1].rule if asked else None
        )

    def _unmatched(self, policy: Policy, match: PlacedExpression) -> RuleAccount:
        scene = self._scene
        reasons = scene.reasons(policy, match) if scene else recorded_match(policy, match, self._record)
        place = Place(reasons[0].file, reasons[0].line, reasons[0].column) if reasons else match.place
        return RuleAccount(policy.name, Standing.UNMATCHED, place, reasons=reasons)


Part = tuple[Policy, Ladder | None, Rule | None]


def _parts(policy: Policy) -> Iterator[tuple[str, Part]]:
    """Yield everything of a policy that a trace may name, in the order of the file."""
    yield policy.name, (policy, None, None)
    for item in policy.items:
        if isinstance(item, Ladder):
            yield item.gate.name, (policy, item, item.gate)
            for branch in item.branches:
                yield branch.name, (policy, item, branch)
        else:
            yield item.name, (policy, None, item)


def _of_record(entry: RuleTrace) -> RuleAccount:
    """Return what a trace says by itself; only of what was false or failed does a place stand in the log."""
    placed = entry.verdict in {Verdict.FALSE, Verdict.ERROR}
    place = Place("", entry.line, entry.column) if placed else Place("")
    return RuleAccount(entry.rule, Standing(entry.verdict.value), place, entry.code)


def _unreached(name: str) -> RuleAccount:
    return RuleAccount(name, Standing.UNREACHED, Place(""))


def _place(entry: RuleTrace, policy: Policy, rule: Rule | None) -> Place:
    if rule is not None and entry.verdict in {Verdict.FIRED, Verdict.UNFIT}:
        return rule.place
    if rule is not None and rule.claim is not None and entry.verdict is Verdict.EXHAUSTED:
        return rule.claim.place
    return Place(rule.place.file if rule else policy.place.file, entry.line, entry.column)
