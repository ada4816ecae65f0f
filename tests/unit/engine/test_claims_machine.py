"""Imports, retries, renamings, releases, crashes and restarts in any order, on SQLite, beside a ledger in memory."""

import itertools
import os
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.unit.engine.claims_crashing import CrashingLedger, KilledError, Moment, crashed, opened
from tests.unit.engine.claims_rows import (
    FIRST,
    LAST,
    MIDDLE,
    NAMESPACES,
    SUBJECTS,
    TARGETS,
    Held,
    Keys,
    Row,
    keys_of,
    policy_files,
    remembered_by,
)
from tests.unit.engine.engine_desk import claimed, values, verdicts
from usher.adapters.sql.ledger import SqlLedger
from usher.adapters.sql.ledger_admin import release
from usher.adapters.sql.versions import migrate
from usher.cel import Budget
from usher.domain.decision import Decision
from usher.domain.fold import fold
from usher.domain.request import ImportRequest
from usher.engine import (
    Circumstances,
    Ledger,
    MemoryDirectory,
    MemoryLedger,
    Owner,
    PolicySet,
    Stores,
    decide,
    owner_of,
)

PEOPLE = st.sampled_from(SUBJECTS)
NAMES = st.tuples(*map(st.sampled_from, (FIRST, MIDDLE, LAST)))
Name = tuple[str, str, str]
Key = tuple[str, str]
"""A namespace's name and a folded value."""


class ClaimsMachine(RuleBasedStateMachine):
    """The laws: see the checks at the end."""

    def __init__(self, sets: Mapping[bool, PolicySet], payload: Callable[..., dict[str, Any]], empty: Path) -> None:
        super().__init__()
        self.sets = sets
        self.payload = payload
        self.folder = empty.parent
        self.numbers = itertools.count(1)
        self.clock = itertools.count(1)
        self.model = MemoryLedger()
        self.rows: list[Row] = []
        self.answered: dict[Key, Owner] = {}
        self.given: dict[tuple[Owner, str], list[str]] = {}
        self.file = self.copied = empty
        self.database = opened(empty)

    @initialize(two=st.booleans(), keeps=st.booleans())
    def begin(self, *, two: bool, keeps: bool) -> None:
        """Choose the policy and the setting `ledger.earlier`."""
        self.two, self.keeps, self.namespaces = two, keeps, ["login", "account"][: 1 + two]

    # What happens to people, and what Okta sends.

    @rule(subject=PEOPLE, name=NAMES, reported=st.booleans())
    def is_imported(self, subject: str, name: Name, *, reported: bool) -> None:
        """Send a row about somebody, who may be called otherwise by now, in an event of its own."""
        row = self.new_row(subject, name, reported=reported)
        self.is_answered(row, self.decide(row, self.ledger))

    @precondition(lambda self: self.rows)
    @rule(data=st.data())
    def is_retried(self, data: st.DataObject) -> None:
        """Send one of the last rows again, as it was."""
        row = data.draw(st.sampled_from(self.rows[-6:]))
        self.is_answered(row, self.decide(row, self.ledger))

    @rule(
        subject=PEOPLE,
        name=NAMES,
        reported=st.booleans(),
        moment=st.sampled_from([Moment.ASKED, Moment.BEFORE_COMMIT, Moment.AFTER_COMMIT]),
        questions=st.integers(1, 5),
        killed=st.booleans(),
    )
    def meets_a_failure(
        self, subject: str, name: Name, moment: Moment, questions: int, *, reported: bool, killed: bool
    ) -> None:
        """Send a row while the ledger fails or the process dies; after that, restart it."""
        row = self.new_row(subject, name, reported=reported)
        error = KilledError() if killed else None
        dying = self.copy if killed else lambda: None
        ledger = CrashingLedger(self.ledger, moment, error, questions, dying)
        try:
            decision = self.decide(row, ledger)
        except KilledError:
            assert killed
            self.open(self.copied)
        else:
            assert not (killed and ledger.struck)
            if not ledger.struck:
                self.is_answered(row, decision)
                return
            self.is_failed(row, decision)
        if moment is Moment.AFTER_COMMIT:
            before = dict(self.model.held)
            unheard = self.decide(row, self.model)
            self.is_first(row, before, unheard)
            self.settle(row, unheard)

    @rule()
    def is_restarted(self) -> None:
        """Close the database and open it anew."""
        self.open(self.file)

    @rule()
    def is_cut_off(self) -> None:
        """Go on from what is on the disk, the last commits in the write-ahead log only."""
        self.copy()
        self.open(self.copied)

    @precondition(lambda self: self.model.held)
    @rule(number=st.integers(0, 50))
    def is_released(self, number: int) -> None:
        """Free a value, as an administrator does."""
        held = sorted(self.model.held)
        name, key = held[number % len(held)]
        owner, value = self.model.held.pop((name, key))
        (freed,) = release(self.database, NAMESPACES[name], value, reason="left", clock=self.tick)
        assert (freed.owner, freed.value) == (owner, value)
        self.model.by_owner[owner, name].remove(value)
        self.answered.pop((name, key), None)
        self.given[owner, name].remove(key)

    # How it is done.

    def new_row(self, subject: str, name: Name, *, reported: bool) -> Row:
        """Return a row that was never sent before."""
        self.rows.append(Row(f"event-{len(self.rows)}", subject, *name, reported))
        return self.rows[-1]

    def open(self, file: Path) -> None:
        """Close the database and open that file."""
        self.database.close()
        self.file = file
        self.database = opened(file)

    @property
    def ledger(self) -> SqlLedger:
        """The ledger in the database."""
        return SqlLedger(self.database, clock=self.tick)

    def tick(self) -> int:
        """Return a moment later than any before, by more than one decision takes values."""
        return next(self.clock) * 10

    def copy(self) -> None:
        """Take what a crash would leave on the disk at this moment."""
        self.copied = crashed(self.file, self.folder / f"copy-{next(self.numbers)}.db")

    def decide(self, row: Row, ledger: Ledger) -> Decision:
        """Ask the policy."""
        user = {"login": row.login, "firstName": row.first, "middleName": row.middle, "lastName": row.last}
        context = {"conflicts": ["login"] if row.reported else []}
        body = self.payload(user=user, appuser={"externalId": row.subject}, context=context, event_id=row.event_id)
        self.request = ImportRequest.from_wire(body)
        self.stores = Stores(ledger, MemoryDirectory(), NAMESPACES, keeps_earlier=self.keeps)
        return decide(self.sets[self.two], self.request, Circumstances(0, Budget(), self.stores))

    # The laws.

    def is_answered(self, row: Row, decision: Decision) -> None:
        """Hold: the model says the same; nothing is answered to two owners; what is answered is held."""
        before = dict(self.model.held)
        assert decision == self.decide(row, self.model)
        self.is_first(row, before, decision)
        owner = self.settle(row, decision)
        granted = claimed(decision)
        assert {values(decision).get(target) for target in TARGETS.values()} - {None} == set(granted.values())
        for name, value in granted.items():
            key = NAMESPACES[name].key(value)
            assert self.answered.setdefault((name, key), owner) == owner
            assert self.ledger.holder(NAMESPACES[name], value, self.database.patience()) == owner
            assert self.keeps or self.given[owner, name] == [key]

    def is_first(self, row: Row, before: Held, decision: Decision) -> None:
        """Hold: the owner gets its newest candidate, else the first nobody else holds, else a hold and nothing."""
        owner = owner_of(self.request, self.stores)
        mine, free = row.standing(self.namespaces, owner, before)
        granted = keys_of(decision)
        if mine:
            assert granted == max(mine, key=lambda keys: self.newness(owner, keys))
        elif free:
            assert granted == free[0]
        else:
            assert not granted
            assert bool(decision.holds) == bool(row.last)
        if decision.holds:
            assert (decision.remembered, self.model.held) == ((), before)

    def is_failed(self, row: Row, decision: Decision) -> None:
        """Hold: exactly the claiming rule fails; nothing of the ledger's is answered."""
        assert verdicts(decision) == {"p/free": "ledger-unavailable" if row.last else "false", "p/other": "fired"}
        assert (values(decision), claimed(decision), decision.remembered) == ({"user.title": "x"}, {}, ())

    def settle(self, row: Row, decision: Decision) -> Owner:
        """Hold: a value changes only when its owner's candidates no longer contain it, or Okta reports it as taken."""
        owner = owner_of(self.request, self.stores)
        granted = keys_of(decision)
        newest = {name: self.given[owner, name][-1] for name in self.namespaces if self.given.get((owner, name))}
        if newest in row.candidates(self.namespaces):
            assert granted == newest
        for name, key in {**granted, **remembered_by(decision)}.items():
            kept = self.given.setdefault((owner, name), [])
            kept[:] = [*(other for other in kept if other != key and (self.keeps or name not in granted)), key]
        for lost in self.answered.keys() - self.model.held.keys():
            # Given up for another value, which is a release of its owner's own.
            assert not self.keeps
            assert granted
            assert self.answered.pop(lost) == owner
        return owner

    def newness(self, owner: Owner, keys: Keys) -> tuple[int, ...]:
        """Return a greater number for what was given to its owner later; the first namespace counts most."""
        return tuple(self.given[owner, name].index(key) for name, key in keys.items())

    @invariant()
    def one_holder_per_folded_value(self) -> None:
        """Hold: what lies in the database is what the model holds, each value once, and every change is on record."""
        with closing(sqlite3.connect(self.file)) as file:
            rows = file.execute("SELECT namespace, value, application, subject FROM holdings").fetchall()
            notes = file.execute("SELECT namespace, value, action FROM audit").fetchall()
        held = {(name, fold(value)): (Owner(*owner), value) for name, value, *owner in rows}
        assert len(held) == len(rows)
        assert held == self.model.held
        changes: Counter[Key] = Counter()
        for name, value, action in notes:
            changes[name, fold(value)] += -1 if action == "release" else 1
        assert +changes == Counter(dict.fromkeys(held, 1))

    def teardown(self) -> None:
        """Leave nothing open, and nothing on the disk."""
        self.database.close()
        shutil.rmtree(self.folder)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return an empty folder, in memory where there is one: thousands of restarts wait for no disk."""
    memory = Path("/dev/shm")  # noqa: S108 - a folder of its own within
    where = memory if os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="usher-claims-", dir=where) as name:
        yield Path(name)


def test_claims_keep_the_laws_whatever_happens(
    policy_set: Callable[..., PolicySet], payload: Callable[..., dict[str, Any]], folder: Path
) -> None:
    """One holder per folded value, none answered to two owners, and an owner's value stays while it can."""
    sets = {two: policy_set(policy_files(two=two), namespaces=NAMESPACES) for two in (False, True)}
    empty = folder / "empty.db"
    database = opened(empty)
    migrate(database)
    database.close()

    def machine() -> ClaimsMachine:
        file = Path(tempfile.mkdtemp(dir=folder)) / "usher.db"
        shutil.copyfile(empty, file)
        return ClaimsMachine(sets, payload, file)

    long = bool(os.environ.get("USHER_LONG_TESTS"))
    bounds = settings(max_examples=1000 if long else 50, stateful_step_count=60 if long else 30)
    run_state_machine_as_test(machine, settings=bounds)  # type: ignore[arg-type]  # whatever makes one will do
