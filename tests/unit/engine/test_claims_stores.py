"""Stores that fail, or are told more: what becomes of the rules, of what is remembered, and of earlier values."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from tests.unit.engine.claims_crashing import CrashingLedger, Moment
from tests.unit.engine.engine_desk import Desk, claim, claimed, refused, values, verdicts, written
from usher.domain.decision import Remembered, RuleFault
from usher.engine import MemoryDirectory, MemoryLedger, Namespace, Owner, Patience, StoreError, User
from usher.engine.stores import Claims, Generation, Named

NEW = Callable[..., Desk]
LOGIN, ACCOUNT = Namespace("login"), Namespace("account", directory=())
NAMESPACES = {"login": LOGIN, "account": ACCOUNT}
ANN = {"login": "ann@example.com"}


def login(*candidates: str, **members: object) -> dict[str, object]:
    """Return a rule that claims a login."""
    sets = {"user.login": "claimed.login", "user.title": "'x'", "user.city": "'x'"}
    return {"id": "login", "claim": {"login": claim(*candidates)}, "set": sets, **members}


def account(*candidates: str, rule: str = "account", **asked: object) -> dict[str, object]:
    """Return a rule that claims an account."""
    return {
        "id": rule,
        "claim": {"account": {**claim(*candidates), **asked}},
        "set": {"appuser.userName": "claimed.account"},
    }


OTHER = {"id": "other", "set": {"user.title": "'x'", "user.state": "'x'"}}


@dataclass
class AwayDirectory(MemoryDirectory):
    """A directory that fails: when a generation is asked for, or when that is asked anything."""

    users: tuple[User, ...] = ()
    at_once: bool = True

    def generation(self, patience: Patience | None = None) -> MemoryDirectory:
        """Fail, or do so later."""
        if self.at_once:
            raise _away("directory")
        return super().generation(patience)

    def find(self, attribute: str, value: str) -> Sequence[User]:
        """Fail."""
        raise _away("directory", attribute, value)

    def holding(self, values: Sequence[Named]) -> Sequence[Sequence[User]]:
        """Fail."""
        raise _away("directory", values)


class SilentLedger(MemoryLedger):
    """A ledger that fails outside of transactions."""

    def holder(self, namespace: Namespace, value: str, patience: Patience | None = None) -> Owner | None:
        """Fail."""
        raise _away("ledger", namespace, value, patience)


def _away(store: str, *_asked: object) -> StoreError:
    return StoreError(store, "it fails on purpose")


def failing(desk: Desk, moment: Moment, questions: int = 0) -> CrashingLedger:
    """Let a desk's ledger fail."""
    ledger = CrashingLedger(desk.ledger, moment, questions=questions)
    desk.ledger = ledger  # type: ignore[assignment]  # a desk only asks it
    return ledger


@pytest.mark.parametrize(
    ("moment", "questions"),
    [*((Moment.ASKED, number) for number in range(1, 7)), (Moment.BEFORE_COMMIT, 0), (Moment.AFTER_COMMIT, 0)],
)
def test_a_ledger_that_fails_fails_exactly_the_claiming_rules(new_desk: NEW, moment: Moment, questions: int) -> None:
    """Whenever it does: the others stand, what a claiming rule sets besides falls with it, nothing is remembered."""
    desk = new_desk(namespaces=NAMESPACES)
    kept = desk.ledger
    ledger = failing(desk, moment, questions)
    decision = desk.ask(written(login("'ann@example.com'"), account("'ann'"), OTHER), user={"login": "x@example.com"})
    assert ledger.struck
    unavailable = "ledger-unavailable"
    assert verdicts(decision) == {"p/login": unavailable, "p/account": unavailable, "p/other": "fired"}
    assert set(decision.faults) == {RuleFault("p/login", unavailable), RuleFault("p/account", unavailable)}
    assert values(decision) == {"user.title": "x", "user.state": "x"}
    assert decision.assignments["user.title"].rules == ("p/other",)
    assert (claimed(decision), decision.remembered, decision.holds) == ({}, (), ())
    committed = {"ann@example.com", "ann"} if moment is Moment.AFTER_COMMIT else set()
    assert {value for _, value in kept.held.values()} == committed


def test_a_value_that_was_kept_though_nobody_heard_of_it_is_its_owners(new_desk: NEW) -> None:
    """The answer to a lost commit: the owner gets the value when it asks again, and nobody else does."""
    desk = new_desk(namespaces=NAMESPACES)
    kept = desk.ledger
    files = written(login("'ann@example.com'", "'ann2@example.com'"))
    failing(desk, Moment.AFTER_COMMIT)
    assert claimed(desk.ask(files)) == {}
    desk.ledger = kept
    assert claimed(desk.ask(files, subject="2")) == {"login": "ann2@example.com"}
    assert claimed(desk.ask(files)) == {"login": "ann@example.com"}


@pytest.mark.parametrize("exhausted", ["hold", "skip"])
@pytest.mark.parametrize("moment", [Moment.ASKED, Moment.BEFORE_COMMIT])
def test_what_was_exhausted_before_the_ledger_failed_stays_so(new_desk: NEW, exhausted: str, moment: Moment) -> None:
    """A hold for want of candidates stands; the rule is not said to have failed, only those that still stood are."""
    desk = new_desk(namespaces=NAMESPACES)
    desk.hold_for("77", "ann", "account")
    # The first claim asks twice: what the owner holds, and who holds the candidate.
    failing(desk, moment, 3)
    decision = desk.ask(written(account("'ann'", exhausted=exhausted), login("'ann@example.com'"), OTHER))
    struck = moment is Moment.ASKED or exhausted == "skip"
    assert verdicts(decision)["p/account"] == "exhausted"
    assert verdicts(decision)["p/login"] == ("ledger-unavailable" if struck else "fired")
    assert [hold.rule for hold in decision.holds] == (["p/account"] if exhausted == "hold" else [])
    assert values(decision) == ({} if exhausted == "hold" else {"user.title": "x", "user.state": "x"})
    assert (claimed(decision), decision.remembered) == ({}, ())
    assert refused(decision) == ["held"]


@pytest.mark.parametrize(
    ("asked", "ledger", "directory", "code"),
    [
        ("taken('login', 'x@example.com')", SilentLedger, MemoryDirectory, "ledger-unavailable"),
        ("taken('login', 'x@example.com')", MemoryLedger, AwayDirectory, "directory-unavailable"),
        ("taken('account', 'x')", SilentLedger, MemoryDirectory, "ledger-unavailable"),
        ("taken('account', 'x')", MemoryLedger, AwayDirectory, ""),
        ("taken('login', '')", SilentLedger, AwayDirectory, ""),
        ("size(directory('login', 'x@example.com')) == 1", SilentLedger, AwayDirectory, "directory-unavailable"),
        ("size(directory('login', '')) == 1", SilentLedger, AwayDirectory, ""),
    ],
)
@pytest.mark.parametrize("at_once", [True, False])
def test_a_question_that_no_store_answers_is_an_error_in_its_rule(
    new_desk: NEW,
    asked: str,
    ledger: Callable[[], MemoryLedger],
    directory: Callable[[], MemoryDirectory],
    code: str,
    *,
    at_once: bool,
) -> None:
    """In a `when`: the rule fails, a veto applies, the others stand; whom it does not concern is not failed by it."""
    found = directory()
    if isinstance(found, AwayDirectory):
        found.at_once = at_once
    desk = new_desk(namespaces=NAMESPACES, ledger=ledger(), directory=found)
    changing = {"id": "a", "when": asked, "set": {"user.city": "'x'"}}
    restricting = {"id": "b", "when": asked, "veto": ["user.state"]}
    decision = desk.ask(written(changing, restricting, OTHER))
    assert verdicts(decision) == {"p/a": code or "false", "p/b": code or "false", "p/other": "fired"}
    closed = (RuleFault("p/a", code), RuleFault("p/b", code, closed=True))
    assert decision.faults == (closed if code else ())
    assert values(decision) == ({"user.title": "x"} if code else {"user.title": "x", "user.state": "x"})


@pytest.mark.parametrize("at_once", [True, False])
def test_a_directory_that_fails_fails_the_claims_that_ask_it(new_desk: NEW, *, at_once: bool) -> None:
    """A claim in a namespace of which the directory knows nothing is made; the login the row ends with is kept."""
    desk = new_desk(namespaces=NAMESPACES, directory=AwayDirectory(at_once=at_once))
    decision = desk.ask(written(login("'ann@example.com'"), account("'ann'"), OTHER), user={"login": "x@example.com"})
    assert verdicts(decision) == {"p/login": "directory-unavailable", "p/account": "fired", "p/other": "fired"}
    assert claimed(decision) == {"account": "ann"}
    assert "user.city" not in values(decision)
    assert decision.remembered == (Remembered("login", "x@example.com", collision=False),)
    assert desk.held() == {"ann": "1042", "x@example.com": "1042"}


def test_who_holds_a_candidate_in_the_ledger_need_not_be_known(new_desk: NEW) -> None:
    """A directory that is away does not turn a claim that is exhausted anyway into one that failed."""
    desk = new_desk(directory=AwayDirectory())
    desk.hold_for("77", "ann@example.com")
    assert verdicts(desk.ask(written(login("'ann@example.com'")))) == {"p/login": "exhausted"}


@pytest.mark.parametrize("holder", ["1042", "77"])
def test_a_directory_that_fails_loses_nothing_that_is_only_remembered(new_desk: NEW, holder: str) -> None:
    """Without a claim: the login is kept as its owner's, and a holder in the ledger is still a collision."""
    desk = new_desk(directory=AwayDirectory())
    desk.hold_for(holder, "ann@example.com")
    decision = desk.ask(written(OTHER), user=ANN)
    assert decision.remembered == (Remembered("login", "ann@example.com", collision=holder == "77"),)
    assert (decision.faults, values(decision)) == ((), {"user.title": "x", "user.state": "x"})


@pytest.mark.parametrize("moment", [Moment.ASKED, Moment.BEFORE_COMMIT, Moment.AFTER_COMMIT])
def test_a_ledger_that_fails_while_only_remembering_changes_no_answer(new_desk: NEW, moment: Moment) -> None:
    """There is no rule to fail."""
    desk = new_desk()
    failing(desk, moment, 1)
    decision = desk.ask(written(OTHER), user=ANN)
    assert (decision.remembered, decision.faults, verdicts(decision)) == ((), (), {"p/other": "fired"})
    assert values(decision) == {"user.title": "x", "user.state": "x"}


@dataclass
class PatienceNoted:
    """Stores that note whose patience they are handed, and use it up."""

    met: list[Patience] = field(default_factory=list)
    ledger: MemoryLedger = field(default_factory=MemoryLedger)

    def holder(self, namespace: Namespace, value: str, patience: Patience) -> Owner | None:
        """Note it."""
        self._note(patience)
        return self.ledger.holder(namespace, value)

    @contextmanager
    def claims(self, owner: Owner, patience: Patience) -> Iterator[Claims]:
        """Note it."""
        self._note(patience)
        with self.ledger.claims(owner) as work:
            yield work

    def generation(self, patience: Patience) -> Generation:
        """Note it."""
        self._note(patience)
        return MemoryDirectory()

    def _note(self, patience: Patience) -> None:
        self.met.append(patience)
        patience.seconds -= 0.1


def test_a_decision_has_one_patience(new_desk: NEW) -> None:
    """All its work on both stores shares it; the next decision begins with a full one."""
    stores = PatienceNoted()
    desk = new_desk(ledger=stores, directory=stores, declared={"timeout_seconds": 0.5})
    twice = "taken('login', 'a@example.com') || taken('login', 'b@example.com')"
    files = written({"id": "a", "when": twice, "set": {"user.state": "'x'"}}, login("'ann@example.com'"))
    for _ in range(2):
        stores.met.clear()
        desk.ask(files)
        # Two questions to the ledger, one load of the directory for all, one transaction.
        assert [patience is stores.met[0] for patience in stores.met] == [True] * 4
        assert stores.met[0].seconds == pytest.approx(0.1)
