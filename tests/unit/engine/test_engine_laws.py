"""Laws: order never matters, a decision is a function of policies, request and stores, and no value has two owners."""

import copy
import json
import random
import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from tests.unit.engine.engine_desk import Desk, claim, claimed, written
from tests.unit.engine.engine_worlds import World, worlds
from usher.cel import Budget, BudgetExceeded
from usher.domain.decision import Decision
from usher.domain.request import ImportRequest
from usher.engine import (
    Circumstances,
    MemoryDirectory,
    MemoryLedger,
    Namespace,
    Owner,
    PolicySet,
    Stores,
    decide,
)

NEW = Callable[..., Desk]
NAMESPACES = {"login": Namespace("login"), "account": Namespace("account", directory=())}
USERS = [{"id": "00u1", "login": "ann2@example.com"}, {"id": "00u2", "login": "bob@example.com"}]
SHUFFLES = st.integers().map(random.Random)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "subject": st.sampled_from(["1", "2", ""]),
            "matched": st.sampled_from(["", "", "00u1"]),
            "conflicts": st.sampled_from([[], ["login"]]),
            "user": st.sampled_from([{}, {"login": "ann@example.com"}, {"title": "x", "login": "bob@example.com"}]),
        }
    ),
    min_size=1,
    max_size=3,
)


def account_of(decision: Decision) -> dict[str, object]:
    """Return everything a decision says, without the order of rules."""
    return {
        "assignments": {
            target: (repr(found.value), frozenset(found.rules)) for target, found in decision.assignments.items()
        },
        "conflicts": decision.conflicts,
        "holds": decision.holds,
        "claims": {
            trace.rule: (repr(trace.granted), [repr(tried) for tried in trace.tried]) for trace in decision.claims
        },
        "remembered": decision.remembered,
        "vetoed": decision.vetoed,
        "ending": (decision.ending, decision.link_id),
        "faults": sorted(map(repr, decision.faults)),
        "trace": sorted((entry.rule, entry.verdict.value, entry.code) for entry in decision.trace),
        "debug": dict(sorted(decision.debug.items())),
        "lookups": decision.lookups,
    }


def lived(desk: Desk, files: dict[str, str], rows: list[dict[str, Any]]) -> list[object]:
    """Return the account of each row in turn, and what the ledger holds in the end."""
    return [*(account_of(desk.ask(files, **row)) for row in rows), sorted(map(repr, desk.ledger.held.items()))]


@given(worlds(), ROWS, SHUFFLES)
def test_the_order_of_rules_and_files_never_changes_a_decision(
    new_desk: NEW, world: World, rows: list[dict[str, Any]], shuffle: random.Random
) -> None:
    """Law: assignments, conflicts, holds, claims, the ending, the account and the ledger; branches keep their order."""
    plain, shuffled = (new_desk(users=USERS, namespaces=NAMESPACES) for _ in range(2))
    told = lived(plain, world.files(), rows)
    for found in told[:-1]:
        assert isinstance(found, dict)
        for part in ("assignments", "conflicts", "holds", "claims", "vetoed", "faults"):
            if found[part]:
                event(part)
    assert lived(shuffled, world.files(shuffle), rows) == told


@given(worlds(), ROWS)
def test_a_decision_is_a_function_and_leaves_the_request_as_it_came(
    policy_set: Callable[..., PolicySet],
    payload: Callable[..., dict[str, Any]],
    world: World,
    rows: list[dict[str, Any]],
) -> None:
    """Law: the same policies, request and stores give the same decision, the same commands, the same ledger."""
    policies = policy_set(world.files(), namespaces=NAMESPACES)
    ledgers = MemoryLedger(), MemoryLedger()
    for number, row in enumerate(rows):
        body = payload(user=row["user"], appuser={"externalId": row["subject"]}, event_id=str(number))
        before = copy.deepcopy(body)
        request = ImportRequest.from_wire(body)
        first, second = (
            decide(policies, request, Circumstances(0, Budget(), Stores(ledger, MemoryDirectory(USERS), NAMESPACES)))
            for ledger in ledgers
        )
        assert first == second
        assert json.dumps(body) == json.dumps(before)
    assert ledgers[0].held == ledgers[1].held


@given(worlds(), ROWS)
def test_a_decision_is_whole(new_desk: NEW, world: World, rows: list[dict[str, Any]]) -> None:
    """Law: a hold changes nothing and claims nothing; no target has both a value and a conflict or a veto."""
    desk = new_desk(users=USERS, namespaces=NAMESPACES)
    for row in rows:
        before = dict(desk.ledger.held)
        decision = desk.ask(world.files(), **row)
        if decision.holds or decision.ending == "link":
            assert desk.ledger.held == before
            assert (claimed(decision), decision.remembered) == ({}, ())
        if decision.holds:
            assert decision.assignments == {}
        contested = {conflict.target for conflict in decision.conflicts}
        assert not decision.assignments.keys() & (contested | set(decision.vetoed))
        assert len(contested) == len(decision.conflicts)
        assert {rule for found in decision.assignments.values() for rule in found.rules} <= set(decision.fired)
        owner = Owner("0oa1", row["subject"] or "event:event-1")
        for name, value in claimed(decision).items():
            assert desk.ledger.holder(NAMESPACES[name], value) == owner


CLAIMS = written(
    {
        "id": "both",
        "claim": {
            "login": claim("get(appuser, 'userName', '')", "'ann' + string(n) + '@example.com'", to=40),
            "account": claim("get(appuser, 'title', '')", "'ann' + string(n)"),
        },
        "set": {"user.login": "claimed.login", "appuser.userName": "claimed.account"},
    }
)
IMPORTS = st.lists(
    st.tuples(
        st.sampled_from("abcdef"),
        st.sampled_from(["", "ann2@example.com", "Ann3@example.com", "x@example.com"]),
        st.sampled_from(["", "x", "ann4"]),
    ),
    max_size=25,
)


@given(IMPORTS)
def test_one_holder_per_key_and_a_retry_gets_the_same(new_desk: NEW, imports: list[tuple[str, str, str]]) -> None:
    """Law: any number of owners and rows: what was granted is held by its owner; the same row gets the same again."""
    desk = new_desk(namespaces=NAMESPACES)
    owners: dict[tuple[str, str], str] = {}
    for subject, name, title in imports:
        row: dict[str, Any] = {"subject": subject, "appuser": {"userName": name, "title": title}}
        granted = claimed(desk.ask(CLAIMS, **row))
        assert claimed(desk.ask(CLAIMS, **row)) == granted
        assert set(granted) == {"login", "account"}
        for namespace, value in granted.items():
            assert owners.setdefault((namespace, NAMESPACES[namespace].key(value)), subject) == subject
    assert {key: owner.subject for key, (owner, _) in desk.ledger.held.items()} == owners


@given(IMPORTS, st.integers(0, 30))
def test_a_decision_that_is_rolled_back_leaves_no_trace_in_the_ledger(
    new_desk: NEW, imports: list[tuple[str, str, str]], steps: int
) -> None:
    """Law: whether a claim of the row holds or the budget ends: the ledger is as it was before."""
    desk = new_desk(namespaces=NAMESPACES)
    for subject, name, title in imports:
        desk.ask(CLAIMS, subject=subject, appuser={"userName": name, "title": title})
    before = list(desk.ledger.held.items())
    held = written(
        {"id": "a", "claim": {"account": claim("'new'")}, "set": {"user.title": "claimed.account"}},
        {"id": "b", "claim": {"login": claim("''")}, "set": {"user.login": "claimed.login"}},
    )
    assert desk.ask(held, subject="z").holds
    spent = written(
        {"id": "a", "claim": {"account": claim("'new'")}, "set": {"user.title": "claimed.account"}},
        {
            "id": "b",
            "claim": {"login": claim("'x' + string([1, 2, 3, 4].all(i, [1, 2, 3, 4, 5, 6, 7, 8].all(j, i + j > 0)))")},
            "set": {"user.login": "claimed.login + '@example.com'"},
        },
    )
    with pytest.raises(BudgetExceeded):  # four times eight turns are more than thirty
        desk.ask(spent, subject="z", budget=Budget(steps=steps))
    assert list(desk.ledger.held.items()) == before


def test_threads_never_share_a_value(policy_set: Callable[..., PolicySet], payload: Callable[..., Any]) -> None:
    """Any number of threads: one holder per key, nobody without, a retry on another thread gets the same."""
    policies = policy_set(CLAIMS, namespaces=NAMESPACES)
    ledger = MemoryLedger()
    granted: dict[tuple[str, int], dict[str, str]] = {}
    start = threading.Barrier(6)

    def work(thread: int) -> None:
        start.wait(60)
        for subject in map(str, range(12)):
            circumstances = Circumstances(0, Budget(), Stores(ledger, MemoryDirectory(), NAMESPACES))
            request = ImportRequest.from_wire(payload(appuser={"externalId": subject}))
            granted[subject, thread] = claimed(decide(policies, request, circumstances))

    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert len(granted) == 72
    by_subject = {subject: granted[subject, 0] for subject in map(str, range(12))}
    assert all(found == by_subject[subject] for (subject, _), found in granted.items())
    assert len({found["login"] for found in by_subject.values()}) == 12
    assert len(ledger.held) == 24
