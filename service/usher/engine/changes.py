"""What differs between two policy sets, rule by rule, in the words of the files.

Owns what counts as a change: a rule's own parts, a policy's constants and variables, tables, profile schemas. Where
something stands in its file does not count. Pure functions.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from usher.domain.place import Place
from usher.engine.policy import Claim, Ladder, PlacedExpression, Policy, PolicySet, Rule, Value
from usher.engine.policy import Literal as LiteralValue

Parts = Mapping[str, str]


class Kind(StrEnum):
    """What happened to one thing."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class PartChange:
    """One part of a thing: what it was and what it is; '' where it was not or is no longer."""

    part: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that was added, removed or changed.

    `what` is `rule`, `ladder`, `policy`, `table` or `profile schema`.
    """

    kind: Kind
    what: str
    name: str
    place: Place
    parts: tuple[PartChange, ...] = ()


@dataclass(frozen=True, slots=True)
class _Thing:
    what: str
    place: Place
    parts: Parts


def changes(before: PolicySet, after: PolicySet) -> tuple[Change, ...]:
    """Return every change, sorted by kind of thing and name."""
    old, new = _things(before), _things(after)
    found = []
    for key in sorted(old.keys() | new.keys()):
        one, other = old.get(key), new.get(key)
        if one is None and other is not None:
            found.append(Change(Kind.ADDED, other.what, key[1], other.place))
        elif other is None and one is not None:
            found.append(Change(Kind.REMOVED, one.what, key[1], one.place))
        elif one is not None and other is not None and (parts := tuple(_parts(one.parts, other.parts))):
            found.append(Change(Kind.CHANGED, other.what, key[1], other.place, parts))
    return tuple(found)


def _parts(before: Parts, after: Parts) -> Iterator[PartChange]:
    for part in dict.fromkeys((*before, *after)):
        one, other = before.get(part, ""), after.get(part, "")
        if one != other:
            yield PartChange(part, one, other)


def _things(policy_set: PolicySet) -> dict[tuple[str, str], _Thing]:
    """Return everything of a set by what it is and its name."""
    things: dict[tuple[str, str], _Thing] = {}
    for policy in policy_set.policies:
        things["policy", policy.name] = _Thing("policy", policy.place, _policy_parts(policy))
        for item in policy.items:
            if isinstance(item, Ladder):
                parts = {**_rule_parts(item.gate), "order": _order(item)}
                things["ladder", item.gate.name] = _Thing("ladder", item.gate.place, parts)
            for rule in item.branches if isinstance(item, Ladder) else (item,):
                things["rule", rule.name] = _Thing("rule", rule.place, _rule_parts(rule))
    for name, table in policy_set.tables.items():
        rows = {str(key): _json(row) for key, row in table.items()} if isinstance(table, dict) else {"": _json(table)}
        things["table", name] = _Thing("table", Place(f"tables/{name}"), rows)
    for name, attributes in _profiles(policy_set):
        things["profile schema", name] = _Thing("profile schema", Place(name), attributes)
    return things


def _order(ladder: Ladder) -> str:
    return ", ".join(branch.name.rpartition("/")[2] for branch in ladder.branches)


def _profiles(policy_set: PolicySet) -> Iterator[tuple[str, Parts]]:
    profiles = policy_set.profiles
    named = {"okta-user": profiles.user, "appuser": profiles.app_user}
    for name, profile in {**named, **{f"appuser.{key}": own for key, own in profiles.by_application.items()}}.items():
        attributes = {key: _json(shape.schema) for key, shape in profile.attributes.items()}
        yield name, {**attributes, "required": ", ".join(sorted(profile.required))}


def _policy_parts(policy: Policy) -> Parts:
    said = {
        "mode": "shadow" if policy.shadow else "enforce",
        "match": _value(policy.match),
        "description": policy.description,
        "owner": policy.owner,
        **{f"constants {name}": _json(value) for name, value in policy.constants.items()},
        **{f"variables {name}": _value(value) for name, value in policy.variables},
    }
    return {part: text for part, text in said.items() if text}


def _rule_parts(rule: Rule) -> Parts:
    said = {
        "description": rule.description,
        "only": rule.only.value if rule.only else "",
        "when": _value(rule.when),
        **{f"set {target}": _value(value) for target, value in (*rule.sets, *rule.claimed_sets)},
        "action": "" if rule.action is None else f"link {_value(rule.action.link)}" if rule.action.link else "create",
        "hold": _value(rule.hold),
        "veto": ", ".join(rule.veto),
        "overrides": ", ".join(rule.overrides),
        "because": _value(rule.because),
        "debug": _value(rule.debug),
        **(_claim_parts(rule.claim) if rule.claim else {}),
    }
    return {part: text for part, text in said.items() if text}


def _claim_parts(claim: Claim) -> Parts:
    parts = {
        f"claim {namespace} candidate {number}": _value(value)
        for number, candidate in enumerate(claim.candidates, start=1)
        for namespace, value in candidate.values
    }
    return {
        **parts,
        **{f"claim {namespace} except": _value(value) for namespace, value in claim.reserved},
        "claim counter": f"{claim.counter.start} to {claim.counter.stop - 1}",
        "claim exhausted": "hold" if claim.exhausted_holds else "skip",
    }


def _value(value: Value | None) -> str:
    if value is None:
        return ""
    if isinstance(value, LiteralValue):
        return f"{{value: {_json(value.value)}}}"
    assert isinstance(value, PlacedExpression)  # noqa: S101 - a closed union
    return value.expression.text.strip()


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
