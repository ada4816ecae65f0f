"""Every expression of a policy, and which tables they look at. Pure functions."""

import re
from collections.abc import Iterator
from typing import Final

from usher.engine.policy import Ladder, PlacedExpression, Policy, Rule

_TABLES: Final = re.compile(r"\btables\b")
_NAMED: Final = re.compile(r"\btables\.([A-Za-z_][A-Za-z0-9_]*)")


def expressions_of(policy: Policy) -> Iterator[PlacedExpression]:
    """Yield every expression of a policy."""
    values: list[object] = [policy.match, *(value for _, value in policy.variables)]
    values.extend(item.gate.when for item in policy.items if isinstance(item, Ladder))
    for rule in policy.rules:
        values.extend(_of_rule(rule))
    yield from (value for value in values if isinstance(value, PlacedExpression))


def tables_of(policy: Policy) -> frozenset[str] | None:
    """Return the names of the tables a policy looks at; None where an expression might look at any of them."""
    names: set[str] = set()
    for placed in expressions_of(policy):
        text = placed.expression.text
        named = _NAMED.findall(text)
        if len(named) != len(_TABLES.findall(text)):
            return None
        names.update(named)
    return frozenset(names)


def _of_rule(rule: Rule) -> Iterator[object]:
    yield from (rule.when, rule.hold, rule.because, rule.debug, rule.action.link if rule.action else None)
    yield from (value for _, value in (*rule.sets, *rule.claimed_sets))
    if rule.claim is not None:
        yield from (value for candidate in rule.claim.candidates for _, value in candidate.values)
        yield from (value for _, value in rule.claim.reserved)
