"""What only shows when all policies stand side by side: names used twice, overrides astray, rules that compete.

Owns these checks. Used while loading, by one thread.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from usher.domain.decision import Ending
from usher.domain.place import Problem, Severity
from usher.domain.suggestions import did_you_mean
from usher.engine.policy import Ladder, Policy, Rule

Setter = tuple[Rule, str, Mapping[str, str]]
"""A rule, the ladder or rule it belongs to, and what the `match` of its policy pins down."""


def with_resolved_overrides(policies: list[Policy], problems: list[Problem]) -> list[Policy]:
    """Return the policies with `overrides` as full rule names; a ladder's name stands for all its branches."""
    names = _names(policies)
    resolved = [
        replace(policy, items=tuple(_resolve(item, policy, names, problems) for item in policy.items))
        for policy in policies
    ]
    _check_cycles(resolved, problems)
    return resolved


def check_names(policies: list[Policy], problems: list[Problem]) -> None:
    """Names of policies are unique in a folder."""
    seen: dict[str, Policy] = {}
    for policy in policies:
        first = seen.setdefault(policy.name, policy)
        if first is not policy and policy.name:
            message = f"a policy named {policy.name} is in {first.place.file}; names are unique in a folder"
            problems.append(Problem(policy.place, "duplicate-policy", message))


def check_competition(policies: list[Policy], problems: list[Problem]) -> None:
    """Warn of two rules that can set one target with neither overriding the other."""
    setters: dict[str, list[Setter]] = {}
    for policy in policies:
        pinned = dict(_pinned(policy))
        for item in policy.items if not policy.shadow else ():
            for rule in item.branches if isinstance(item, Ladder) else (item,):
                group = item.gate.name if isinstance(item, Ladder) else rule.name
                for target in rule.targets:
                    setters.setdefault(target, []).append((rule, group, pinned))
    for target, entries in sorted(setters.items()):
        for rule, rival in _rivals(entries):
            message = f"{rival.name} can set {target}, too; different values cancel it, unless one overrides the other"
            problems.append(Problem(rule.place, "competing-rules", message, Severity.WARNING))


def _rivals(entries: list[Setter]) -> Iterator[tuple[Rule, Rule]]:
    """Yield each rule that has a rival above it, and one such rival.

    A folder may hold thousands of rules for as many applications: a rule is laid beside those only whose `match` pins
    the same value, or nothing, where its own pins one.
    """
    above: list[Setter] = []
    pinning: dict[tuple[str, str], list[Setter]] = {}
    lacking: dict[str, list[Setter]] = {}
    for setter in entries:
        pinned = setter[2]
        for path in pinned.keys() - lacking.keys():
            lacking[path] = list(above)
        near: Iterable[Setter] = above
        if pinned:
            first = next(iter(pinned.items()))
            near = itertools.chain(pinning.get(first, ()), lacking[first[0]])
        rival = next((other for other in near if _compete(other, setter)), None)
        if rival is not None:
            yield setter[0], rival[0]
        above.append(setter)
        for pin in pinned.items():
            pinning.setdefault(pin, []).append(setter)
        for path in lacking.keys() - pinned.keys():
            lacking[path].append(setter)


def _names(policies: list[Policy]) -> Mapping[str, tuple[str, ...]]:
    """Return every name a rule can be called by in full, and the rules it stands for."""
    names: dict[str, tuple[str, ...]] = {}
    for policy in policies:
        for item in policy.items:
            if isinstance(item, Ladder):
                names[item.gate.name] = tuple(branch.name for branch in item.branches)
                names.update({branch.name: (branch.name,) for branch in item.branches})
            else:
                names[item.name] = (item.name,)
    return names


def _resolve(
    item: Rule | Ladder, policy: Policy, names: Mapping[str, tuple[str, ...]], problems: list[Problem]
) -> Rule | Ladder:
    if isinstance(item, Ladder):
        return Ladder(item.gate, tuple(_resolved(branch, policy, names, problems) for branch in item.branches))
    return _resolved(item, policy, names, problems)


def _resolved(rule: Rule, policy: Policy, names: Mapping[str, tuple[str, ...]], problems: list[Problem]) -> Rule:
    if not rule.overrides:
        return rule
    found: list[str] = []
    for name in rule.overrides:
        stands_for = names.get(f"{policy.name}/{name}") or names.get(name)
        if stands_for is None:
            hint = did_you_mean(name, [known.removeprefix(f"{policy.name}/") for known in names])
            problems.append(Problem(rule.place, "unknown-rule", f"overrides {name}, which is no rule{hint}"))
        found.extend(stands_for or ())
    return replace(rule, overrides=tuple(found))


def _check_cycles(policies: list[Policy], problems: list[Problem]) -> None:
    rules = {rule.name: rule for policy in policies for rule in policy.rules}
    for name, rule in rules.items():
        if name in _reached(rule, rules):
            problems.append(Problem(rule.place, "override-cycle", f"{name} overrides itself in the end"))


def _reached(rule: Rule, rules: Mapping[str, Rule]) -> set[str]:
    reached: set[str] = set()
    waiting = list(rule.overrides)
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting.extend(rules[name].overrides if name in rules else ())
    return reached


def _compete(one: Setter, other: Setter) -> bool:
    if one[1] == other[1]:
        return False  # branches of one ladder: only one fires
    if any(other[2].get(path, value) != value for path, value in one[2].items()):
        return False
    if one[0].name in other[0].overrides or other[0].name in one[0].overrides:
        return False
    return None in (endings := {_ending(one[0]), _ending(other[0])}) or len(endings) == 1


def _ending(rule: Rule) -> Ending | None:
    """Return the ending without which a rule sets nothing."""
    if rule.action is None:
        return rule.ending
    return Ending.CREATE if rule.action.link is None else Ending.LINK


def _pinned(policy: Policy) -> Iterator[tuple[str, str]]:
    """Yield what a `match` of the form `path == 'text'` pins down; anything else might overlap."""
    text = policy.match.expression.text if policy.match else ""
    for part in text.split("&&") if not set("|?!(") & set(text) else ():
        left, equals, right = part.partition("==")
        value = right.strip()
        if equals and len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" and value.count(value[0]) == 2:  # noqa: PLR2004
            yield left.strip(), value[1:-1]
