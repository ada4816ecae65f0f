"""The words a policy set is written in: what may stand readable in a test that is made from a person.

Owns which values of a rule are evaluated, and which words they quote. A name that no policy and no profile schema knows
may be a value in the wrong place. Pure functions.
"""

import re
from collections.abc import Iterator
from typing import Final

from usher.engine import Ladder, Policy, PolicySet, Rule
from usher.engine.policy import Literal, PlacedExpression, Value

_QUOTED: Final = re.compile(r"'([^'\n]*)'|\"([^\"\n]*)\"")


def words_of(policy_set: PolicySet) -> frozenset[str]:
    """Return the attributes that profile schemas declare, and every text that a policy quotes."""
    declared = policy_set.profiles.declared("user") | policy_set.profiles.declared("appuser")
    return declared.union(*(_quoted(policy) for policy in policy_set.policies))


def values_of(rule: Rule) -> Iterator[Value]:
    """Yield what is evaluated when a rule fires, in the order of evaluation."""
    yield from (value for _, value in rule.sets)
    if rule.action is not None and rule.action.link is not None:
        yield rule.action.link
    if rule.claim is not None:
        yield from (value for _, value in rule.claim.reserved)
        yield from (value for candidate in rule.claim.candidates for _, value in candidate.values)
    yield from (value for _, value in rule.claimed_sets)


def _quoted(policy: Policy) -> Iterator[str]:
    for value in (Literal(dict(policy.constants)), policy.match, *(value for _, value in policy.variables)):
        yield from _texts(value)
    for item in policy.items:
        for rule in (item.gate, *item.branches) if isinstance(item, Ladder) else (item,):
            for value in (rule.when, *values_of(rule), rule.hold, rule.debug, rule.because):
                yield from _texts(value)


def _texts(value: Value | None) -> Iterator[str]:
    if isinstance(value, PlacedExpression):
        for quoted in _QUOTED.finditer(value.expression.text):
            yield quoted[1] or quoted[2] or ""
    elif value is not None:
        yield from _within(value.value)


def _within(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _within(part)
    elif isinstance(value, dict):
        for name, part in value.items():
            yield str(name)
            yield from _within(part)
