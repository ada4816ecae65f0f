"""Worlds of policies for laws: rules of every kind, alone and in ladders, in several files, overriding and failing."""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

Body = dict[str, Any]
FAILS = "input.nothing == 'x'"
CONDITIONS = [*[None] * 5, "1 == 1", "1 == 2", FAILS, "taken('login', 'ann@example.com')", "action == 'LINK_USER'"]
TARGETS = ["user.title", "user.city", "user.login", "appuser.title"]
VALUES = [
    {"value": "x"},
    {"value": "x"},
    {"value": "y@example.com"},
    {"value": 1},
    {"value": None},
    "'x'",
    "'' + input.nothing",
]
VETOES = [*TARGETS, *TARGETS, "action.link", "action.create"]
CANDIDATES = [
    "'ann@example.com'",
    "'ann' + string(n) + '@example.com'",
    "'held@example.com'",
    "get(user, 'login', '')",
    "''",
    "'' + input.nothing",
]
DEBUGS = [None, None, None, "action", "'' + input.nothing"]


@st.composite
def sets(draw: st.DrawFn) -> Body:
    """Draw a rule that sets, and perhaps acts."""
    targets = draw(st.dictionaries(st.sampled_from(TARGETS), st.sampled_from(VALUES), min_size=1, max_size=3))
    action = draw(st.sampled_from([*[None] * 6, "create", {"link": "'00u1'"}, {"link": "'00u2'"}, {"link": "''"}]))
    fitting = [None, "create", "link"] if action is None else [None, "create" if action == "create" else "link"]
    body: Body = {"set": targets, "only": draw(st.sampled_from(fitting))}
    return {**body, "action": action} if action else body


@st.composite
def claims(draw: st.DrawFn) -> Body:
    """Draw a rule that claims one namespace or both."""
    names = draw(st.lists(st.sampled_from(["login", "account"]), min_size=1, max_size=2, unique=True))
    length = draw(st.integers(1, 3))
    claim: Body = {}
    for name in names:
        listed = draw(st.lists(st.sampled_from(CANDIDATES), min_size=length, max_size=length))
        claim[name] = {"candidates": listed, "exhausted": draw(st.sampled_from(["hold", "skip", "skip"]))}
        if draw(st.booleans()):
            claim[name]["except"] = ["ann"]
    if any("(n)" in text for spec in claim.values() for text in spec["candidates"]):
        claim[names[0]]["counter"] = {"from": 2, "to": 3}
    fed = {draw(st.sampled_from(TARGETS)): f"claimed.{name}" for name in names}
    return {"claim": claim, "set": {"user.state": {"value": "s"}, **fed}}


@st.composite
def restricts(draw: st.DrawFn) -> Body:
    """Draw a rule that holds or vetoes."""
    if not draw(st.integers(0, 2)):
        return {"hold": draw(st.sampled_from(["'wait'", "'' + input.nothing"]))}
    vetoed = draw(st.lists(st.sampled_from(VETOES), min_size=1, max_size=2, unique=True))
    speaks_of_action = any(target.startswith("action.") for target in vetoed)
    return {"veto": vetoed, "only": None if speaks_of_action else draw(st.sampled_from([None, "create", "link"]))}


@dataclass(frozen=True)
class World:
    """Policies as data: for each its `match` and its items, a rule or a list of branches."""

    policies: tuple[tuple[str | None, tuple[Any, ...]], ...]

    def files(self, shuffle: random.Random | None = None) -> dict[str, str]:
        """Return the folder; shuffled: rules within their files, and files among each other by their names."""
        numbers = list(range(len(self.policies)))
        written: dict[str, str] = {}
        if shuffle:
            shuffle.shuffle(numbers)
        for number, (name, (match, items)) in zip(numbers, enumerate(self.policies), strict=True):
            order = list(items)
            if shuffle:
                shuffle.shuffle(order)
            policy = {"policy": f"p{name}", **({"match": match} if match else {}), "rules": order}
            written[f"{number}.yaml"] = json.dumps(policy)
        return written


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Draw one to three policies of one to four items."""
    names: list[str] = []
    policies = []
    for policy in range(draw(st.integers(1, 3))):
        items: list[Body] = []
        for item in range(draw(st.integers(1, 4))):
            if draw(st.integers(0, 3)):
                items.append(_rule(draw, f"p{policy}", f"r{item}", names, ()))
            else:
                length = draw(st.integers(1, 3))
                branches = [
                    _rule(
                        draw, f"p{policy}/l{item}", f"b{place}", names, ("1 == 2", FAILS) if place + 1 < length else ()
                    )
                    for place in range(length)
                ]
                items.append({"id": f"l{item}", "first": branches})
        policies.append((draw(st.sampled_from([None, None, "1 == 1", FAILS])), tuple(items)))
    return World(tuple(policies))


def _rule(draw: st.DrawFn, parent: str, identifier: str, names: list[str], needs_when: Sequence[str]) -> Body:
    """Draw one rule; it may override any that were drawn before it, so there is no circle."""
    body: Body = draw(sets() | sets() | claims() | claims() | restricts())
    when = draw(st.sampled_from(needs_when or CONDITIONS))
    overridden = draw(st.lists(st.sampled_from(names), max_size=2, unique=True)) if names else []
    names.append(f"{parent}/{identifier}")
    given = {"when": when, "debug": draw(st.sampled_from(DEBUGS)), "overrides": overridden or None, **body}
    return {"id": identifier, **{key: value for key, value in given.items() if value is not None}}
