"""Candidates are asked about in batches: what is granted, and what is told of it, is as with one question each."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.unit.engine.engine_desk import APPLICATION, Desk, claim, claimed, refused, verdicts, written
from usher.cel import Budget, BudgetExceeded
from usher.engine import MemoryDirectory, MemoryLedger, Namespace, Owner, Patience, User
from usher.engine.claims import MAX_TRIED
from usher.engine.stores import Claims, Named

NEW = Callable[..., Desk]
NAMES = ("login", "account")
ATTRIBUTES = {"login": "login", "account": "nickName"}
NAMESPACES = {"login": Namespace("login"), "account": Namespace("account", directory=("nickName",))}
MOST = 150
LOADED: list[Any] = []
State = str
States = tuple[State, ...]
ALL: list[State] = ["free", "held", "known", "reserved", "conflict", "unfit", "empty", "faster", "mine"]
FAILING: list[State] = ["error", "bad set"]


def value_of(number: int, name: str, state: State) -> object:
    """Return the candidate of a namespace with this number; what it looks like where that decides about it."""
    if state in {"empty", "error"}:
        return "" if state == "empty" else 7
    stem = f"fails{number}" if state == "bad set" else f"a{number}"
    return f"{stem}{chr(0) if state == 'unfit' else ''}{'@example.com' if name == 'login' else ''}"


@dataclass
class FasterLedger(MemoryLedger):
    """A ledger where another process takes some keys at the last moment; counts what it is asked."""

    faster: set[tuple[str, str]] = field(default_factory=set)
    asked: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    @contextmanager
    def claims(self, owner: Owner, patience: Patience | None = None) -> Iterator[Any]:
        """Open a transaction."""
        with super().claims(owner, patience) as work:
            yield _FasterClaims(work, self)


@dataclass
class _FasterClaims:
    work: Claims
    ledger: FasterLedger

    def earlier(self, namespace: Namespace) -> tuple[str, ...]:
        return self.work.earlier(namespace)

    def holders(self, values: Sequence[Named]) -> Sequence[Owner | None]:
        self.ledger.asked.append(len(values))
        return self.work.holders(values)

    def take(self, values: Sequence[Named], reason: str) -> bool:
        keys = {(namespace.name, namespace.key(value)) for namespace, value in values}
        return not keys & self.ledger.faster and self.work.take(values, reason)


@dataclass
class CountingDirectory(MemoryDirectory):
    """A directory that counts what it is asked."""

    users: tuple[User, ...] = ()
    asked: list[int] = field(default_factory=list)

    def holding(self, values: Sequence[Named]) -> Sequence[Sequence[User]]:
        """Count, and look."""
        self.asked.append(len(values))
        return super().holding(values)


def stores_of(rows: Sequence[States], names: Sequence[str]) -> tuple["FasterLedger", "CountingDirectory"]:
    """Return stores in which candidates are what they are said to be."""
    ledger = FasterLedger()
    users: list[User] = []
    for number, states in enumerate(rows):
        for name, state in zip(names, states, strict=False):
            value = str(value_of(number, name, state))
            key = NAMESPACES[name].key(value)
            if state in {"held", "mine"}:
                owner = Owner(APPLICATION, "1042" if state == "mine" else "77")
                ledger._add({(name, key): (owner, value)})
            if state == "known":
                users.append({"id": str(number), ATTRIBUTES[name]: value})
            if state == "faster":
                ledger.faster.add((name, key))
    return ledger, CountingDirectory(tuple(users))


@dataclass(frozen=True)
class Told:
    """What is told of a claim: how it ended, what was tried in vain and why, what was granted."""

    verdict: str
    tried: tuple[tuple[Mapping[str, str], str], ...] = ()
    granted: Mapping[str, str] | None = None


def one_by_one(rows: Sequence[States], names: Sequence[str]) -> Told:
    """Return what is told of a claim that looks at one candidate after the other."""
    tried: list[tuple[Mapping[str, str], str]] = []
    failing = next((number for number, states in enumerate(rows) if {*states} & {*FAILING}), len(rows))
    mine = [number for number, states in enumerate(rows[:failing]) if {*states} == {"mine"}]
    if mine:
        return Told("fired", (), texts_of(mine[-1], names, rows))
    for number, states in enumerate(rows):
        if "error" in states:
            return Told("candidate-not-text")
        if "empty" in states:
            continue
        if "bad set" in states:
            return Told("no-such-key")
        reason = refusal(states)
        if not reason:
            return Told("fired", tuple(tried), texts_of(number, names, rows))
        tried.append((texts_of(number, names, rows), reason))
    return Told("exhausted", tuple(tried))


def refusal(states: Sequence[State]) -> str:
    """Return why a candidate is refused: what speaks against it whoever holds it comes first."""
    if "unfit" in states:
        return "unfit"
    others = [state for state in states if state in {"conflict", "reserved"}]
    others += [state for state in states if state in {"held", "known"}]
    others += ["held" for state in states if state == "faster"]
    return others[0] if others else ""


def texts_of(number: int, names: Sequence[str], rows: Sequence[States]) -> Mapping[str, str]:
    """Return a candidate."""
    return {name: str(value_of(number, name, state)) for name, state in zip(names, rows[number], strict=False)}


def policy_files(names: Sequence[str]) -> dict[str, str]:
    """Return a folder whose rule claims what the request lists."""
    listed = "input.data.appUser.profile"
    claims = {name: {**claim(f"{listed}.{name}[n - 2]"), "except": f"{listed}.reserved.{name}"} for name in names}
    claims[names[0]]["counter"] = {"from": 2, "to": MOST + 1}
    sets = {f"user.{ATTRIBUTES[name]}": f"claimed.{name}" for name in names}
    fails = "claimed.login.startsWith('fails') ? string(input.nothing) : 'x'"
    return written({"id": "a", "claim": claims, "set": {**sets, "user.title": fails}})


def asked_at(desk: Desk, files: Mapping[str, str], rows: Sequence[States], names: Sequence[str]) -> Told:
    """Ask for a request that lists these candidates, and return what is told."""
    columns = {name: [states[place] for states in rows] for place, name in enumerate(names)}
    listed = {name: [value_of(number, name, state) for number, state in enumerate(columns[name])] for name in names}
    padded = {name: [*values, *[""] * (MOST - len(values))] for name, values in listed.items()}

    def those(name: str, wanted: State) -> list[str]:
        return [str(value) for value, state in zip(listed[name], columns[name], strict=True) if state == wanted]

    conflicting = {name: those(name, "conflict")[0] for name in names if those(name, "conflict")}
    decision = desk.ask(
        files,
        appuser={**padded, "reserved": {name: those(name, "reserved") for name in names}},
        user={ATTRIBUTES[name]: value for name, value in conflicting.items()},
        conflicts=[ATTRIBUTES[name] for name in conflicting],
    )
    (verdict,) = verdicts(decision).values()
    if not decision.claims:
        return Told(verdict)
    (trace,) = decision.claims
    tried = tuple((tried.values, tried.refused) for tried in trace.tried if tried.refused)
    assert [tried.values for tried in trace.tried[len(tried) :]] == ([trace.granted] if trace.granted else [])
    return Told(verdict, tried, trace.granted)


FILES = {count: policy_files(NAMES[:count]) for count in (1, 2)}


@st.composite
def lists(draw: st.DrawFn) -> list[States]:
    """Draw candidates, most of them held, one of them perhaps failing, and in each namespace one conflict at most."""
    most = st.sampled_from(["held"] * 20 + ALL)
    pairs: st.SearchStrategy[States] = st.tuples(most, most)
    rows = draw(st.lists(pairs, max_size=MOST))
    failing: list[States] = [("error", "free"), ("free", "error"), ("bad set", "free")]
    if draw(st.booleans()) and rows:
        rows[draw(st.integers(0, len(rows) - 1))] = draw(st.sampled_from(failing))
    met: set[int] = set()
    for number, states in enumerate(rows):
        found = {place for place, state in enumerate(states) if state == "conflict"}
        rows[number] = (
            "held" if 0 in found & met else states[0],
            "held" if 1 in found & met else states[1],
        )
        met |= found
    return rows


@given(lists(), st.sampled_from([1, 2]))
@example([("held", "held")] * 85 + [("free", "free")], 2)
@example([("known", "held"), ("held", "known"), ("faster", "known"), ("conflict", "unfit"), ("mine", "held")], 2)
@example([("held", "held")] * 5 + [("faster", "free"), ("free", "faster"), ("free", "free"), ("error", "free")], 2)
def test_a_batch_is_as_one_by_one(new_desk: NEW, rows: list[States], count: int) -> None:
    """Law: the same candidate is granted, the same are told of with the same reasons, the same error fails the rule."""
    names = NAMES[:count]
    rows = [(states[0], states[count - 1]) for states in rows]
    ledger, directory = stores_of(rows, names)
    desk = new_desk(namespaces=NAMESPACES, ledger=ledger, directory=directory, loaded=LOADED)
    assert asked_at(desk, FILES[count], rows, names) == one_by_one([states[:count] for states in rows], names)


@pytest.mark.parametrize(
    ("refused_before", "questions"), [(0, 1), (1, 2), (4, 2), (5, 3), (20, 3), (21, 4), (84, 4), (85, 5), (149, 6)]
)
@pytest.mark.parametrize("state", ["held", "known"])
def test_the_number_of_questions_hardly_grows(new_desk: NEW, refused_before: int, questions: int, state: State) -> None:
    """A popular name asks each store once for 1, 4, 16, then 64 numbers; what the ledger knows is not asked twice."""
    rows: list[States] = [(state if number < refused_before else "free",) for number in range(MOST)]
    ledger, directory = stores_of(rows, ["login"])
    told = asked_at(new_desk(namespaces=NAMESPACES, ledger=ledger, directory=directory), FILES[1], rows, ["login"])
    assert len(told.tried) == refused_before
    assert len(ledger.asked) == questions
    assert sum(ledger.asked) <= min(MOST, refused_before + 64)
    known = sum(ledger.asked) - (refused_before if state == "held" else 0)
    assert sum(directory.asked) == known


def test_what_is_unfit_is_not_asked_about(new_desk: NEW) -> None:
    """Neither store hears of a candidate that may not be given out anyway."""
    rows: list[States] = [("unfit",), ("reserved",), ("conflict",), ("free",)]
    ledger, directory = stores_of(rows, ["login"])
    told = asked_at(new_desk(namespaces=NAMESPACES, ledger=ledger, directory=directory), FILES[1], rows, ["login"])
    assert [reason for _, reason in told.tried] == ["unfit", "reserved", "conflict"]
    assert (ledger.asked, directory.asked) == ([1], [1])


def test_a_value_that_another_process_takes_first_is_passed_over(new_desk: NEW) -> None:
    """The next of the batch is taken, without another question."""
    rows: list[States] = [("held",), ("faster",), ("faster",), ("free",), ("free",)]
    ledger, directory = stores_of(rows, ["login"])
    told = asked_at(new_desk(namespaces=NAMESPACES, ledger=ledger, directory=directory), FILES[1], rows, ["login"])
    assert [reason for _, reason in told.tried] == ["held"] * 3
    assert told.granted == texts_of(3, ["login"], rows)
    assert ledger.asked == [1, 4]


STEPPING = "[1, 2, 3, 4].all(i, i < 9) ? 'ann' + string(n) + '@example.com' : ''"


@pytest.mark.parametrize("refused_before", [1, 3, 8, 30])
def test_a_budget_that_lasts_for_the_granted_one_lasts_for_its_batch(new_desk: NEW, refused_before: int) -> None:
    """What comes after a candidate in its batch does not cost it the decision; a budget that ends before it does."""

    def granted(steps: int, to: int) -> dict[str, str] | None:
        desk = new_desk(loaded=LOADED)
        for number in range(2, refused_before + 2):
            desk.hold_for("77", f"ann{number}@example.com")
        rule = {"id": "a", "claim": {"login": claim(STEPPING, to=to)}, "set": {"user.login": "claimed.login"}}
        try:
            return claimed(desk.ask(written(rule), budget=Budget(steps=steps)))
        except BudgetExceeded:
            return None

    last = refused_before + 2
    least = next(steps for steps in range(10_000) if granted(steps, last))
    assert granted(least, 99) == {"login": f"ann{last}@example.com"}
    assert granted(least - 1, 99) is None


def test_an_account_that_grows_too_long_says_how_much_is_left_out(new_desk: NEW) -> None:
    """`more`: refused candidates that are not kept; the granted one is."""
    desk = new_desk()
    for number in range(2, MAX_TRIED + 52):
        desk.hold_for("77", f"ann{number}@example.com")
    rule = {
        "id": "a",
        "claim": {"login": claim("'ann' + string(n) + '@example.com'", to=MAX_TRIED + 99)},
        "set": {"user.login": "claimed.login"},
    }
    decision = desk.ask(written(rule))
    (trace,) = decision.claims
    assert (len(refused(decision)), trace.more) == (MAX_TRIED, 50)
    assert trace.tried[-1].values == trace.granted == {"login": f"ann{MAX_TRIED + 52}@example.com"}
    desk.hold_for("77", f"ann{MAX_TRIED + 52}@example.com")
    held = written({**rule, "claim": {"login": claim("'ann' + string(n) + '@example.com'", to=MAX_TRIED + 52)}})
    (trace,) = desk.ask(held, subject="2").claims
    assert (len(trace.tried), trace.more, trace.granted) == (MAX_TRIED, 51, None)
