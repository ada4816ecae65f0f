"""Mutants: the policies with one thing made wrong, to see whether the policy tests notice.

Owns what is made wrong: each condition negated, each effect dropped, one at a time. A mutant no test fails on shows
what nobody proves. One thread; nothing is written.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from usher.cel import CompileError
from usher.cel import compile as compile_cel
from usher.domain.place import Place
from usher.engine import Ladder, Policy, PolicySet, Rule
from usher.engine.policy import PlacedExpression
from usher.proof.cases import WHOLE_FOLDER, CaseFile
from usher.proof.running import run_case
from usher.proof.scene import Observers
from usher.proof.world import World

Change = Callable[[Rule], Rule]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One thing made wrong in one policy: `what` as in `logins/free-login: when negated`."""

    policy: str
    what: str
    place: Place
    apply: Callable[[Policy], Policy]


@dataclass(frozen=True, slots=True)
class Judged:
    """A mutant, and whether a test failed on it; `by` names that test's file and case."""

    mutant: Mutant
    caught: bool
    by: str = ""


def mutants(policy_set: PolicySet) -> Iterator[Mutant]:
    """Yield every mutant of a folder's policies, in the order of the files."""
    for policy in policy_set.policies:
        if (negated := _negated(policy.match)) is not None:
            yield Mutant(policy.name, f"{policy.name}: match negated", policy.place, _with_match(negated))
        for item in policy.items:
            for rule in (item.gate, *item.branches) if isinstance(item, Ladder) else (item,):
                for what, change in _changes(rule):
                    yield Mutant(policy.name, f"{rule.name}: {what}", rule.place, _with_rule(rule.name, change))


def judge(mutant: Mutant, files: tuple[CaseFile, ...], world: World) -> Judged:
    """Run the tests that concern a mutant until one fails."""
    observers = Observers()
    for file in files:
        if file.subject not in (mutant.policy, WHOLE_FOLDER):
            continue
        mutated = replace(file, policy_set=_mutated(file.policy_set, mutant))
        for case in file.cases:
            if not run_case(mutated, case, world, observers=observers).passed:
                return Judged(mutant, caught=True, by=f"{file.file}: {case.name}")
    return Judged(mutant, caught=False)


def score(judged: tuple[Judged, ...]) -> float:
    """Return how many mutants of a hundred were caught, 100 for none at all."""
    return 100 * sum(entry.caught for entry in judged) / len(judged) if judged else 100.0


def _changes(rule: Rule) -> Iterator[tuple[str, Change]]:
    """Yield what can be made wrong in a rule."""
    if (negated := _negated(rule.when)) is not None:
        yield "when negated", lambda rule: replace(rule, when=negated)
    for target, _ in rule.sets:
        yield f"set {target} dropped", _without_set(target)
    for target, _ in rule.claimed_sets:
        yield f"set {target} dropped", _without_set(target)
    if rule.claim is not None:
        yield "claim dropped", lambda rule: replace(rule, claim=None, claimed_sets=())
    if rule.action is not None:
        yield "action dropped", lambda rule: replace(rule, action=None)
    if rule.hold is not None:
        yield "hold dropped", lambda rule: replace(rule, hold=None)
    for target in rule.veto:
        yield f"veto {target} dropped", _without_veto(target)


def _negated(condition: PlacedExpression | None) -> PlacedExpression | None:
    if condition is None:
        return None
    expression = condition.expression
    basis = expression.basis
    try:
        # The line breaks keep a comment at the end of the text from swallowing the bracket.
        text = f"!(\n{expression.text}\n)"
        made = compile_cel(text, names=basis.names, functions=basis.functions, limits=basis.limits)
    except CompileError:  # at its limit of length or depth already
        return None
    return PlacedExpression(made, condition.place)


def _without_set(target: str) -> Change:
    def change(rule: Rule) -> Rule:
        return replace(
            rule,
            sets=tuple(entry for entry in rule.sets if entry[0] != target),
            claimed_sets=tuple(entry for entry in rule.claimed_sets if entry[0] != target),
        )

    return change


def _without_veto(target: str) -> Change:
    return lambda rule: replace(rule, veto=tuple(entry for entry in rule.veto if entry != target))


def _with_match(match: PlacedExpression) -> Callable[[Policy], Policy]:
    return lambda policy: replace(policy, match=match)


def _with_rule(name: str, change: Change) -> Callable[[Policy], Policy]:
    """Return what changes one rule, branch or gate of a policy."""

    def of(rule: Rule) -> Rule:
        return change(rule) if rule.name == name else rule

    def apply(policy: Policy) -> Policy:
        items = tuple(
            Ladder(of(item.gate), tuple(map(of, item.branches))) if isinstance(item, Ladder) else of(item)
            for item in policy.items
        )
        return replace(policy, items=items)

    return apply


def _mutated(policy_set: PolicySet, mutant: Mutant) -> PolicySet:
    policies = tuple(mutant.apply(policy) if policy.name == mutant.policy else policy for policy in policy_set.policies)
    return replace(policy_set, policies=policies)
