"""Running policy tests: one case after the other, each on stores of its own, through the line the service walks.

Owns what a run is: the results in the order of the files, what a difference is explained with, and the bound on time.
One thread; nothing is written.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final, Protocol

from usher.answer.line import AnswerOptions
from usher.answer.record import DecisionRecord
from usher.answer.reply import Reply
from usher.domain.place import Place
from usher.domain.request import ImportRequest
from usher.engine import MemoryDirectory, MemoryLedger
from usher.errors import UsherError
from usher.proof.accounts import Accounts, RuleAccount, Standing
from usher.proof.cases import Case, CaseFile, Expectation, Step
from usher.proof.comparing import Difference, differences
from usher.proof.found import DECIDED, Found, found_in
from usher.proof.hints import MAX_RULES, hints, responsible, says_something
from usher.proof.rehearsal import Kept, Rehearsal
from usher.proof.scene import Observers, Scene
from usher.proof.world import World

_IDLE: Final = frozenset({Standing.FALSE, Standing.UNFIT, Standing.UNREACHED, Standing.UNMATCHED})


UNDECIDED: Final = "decision"
"""The word of a difference that is none between values: nothing was decided."""


class OutOfTimeError(UsherError):
    """The tests took longer than they may."""


class NoLongerWantedError(UsherError):
    """What is tested has changed meanwhile; nobody waits for the result."""


class Watcher(Protocol):
    """Looks at every decision of a run, for example to see what it covers."""

    def saw(self, record: DecisionRecord, scene: Scene) -> None:
        """Look at one decision."""


@dataclass(frozen=True, slots=True)
class Failing:
    """One difference of a case, in which step (from 1; 0 where there is only one), and the rules that explain it."""

    difference: Difference
    step: int
    accounts: tuple[RuleAccount, ...]
    hint: str = ""


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What became of one case."""

    file: str
    subject: str
    case: Case
    failures: tuple[Failing, ...]
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether everything was as expected."""
        return not self.failures


def run_files(
    files: Iterable[CaseFile],
    world: World,
    *,
    watcher: Watcher | None = None,
    until: float | None = None,
    wanted: Callable[[], bool] = lambda: True,
) -> Iterator[CaseResult]:
    """Run every case; `until` is a `time.monotonic()`, after which `OutOfTimeError` is raised.

    `wanted` is asked before each case; `NoLongerWantedError` is raised when it says no.
    """
    observers = Observers()
    for file in files:
        for case in file.cases:
            if not wanted():
                raise NoLongerWantedError("what is tested has changed")
            yield run_case(file, case, world, watcher=watcher, observers=observers, until=until)


def run_case(
    file: CaseFile,
    case: Case,
    world: World,
    *,
    watcher: Watcher | None = None,
    observers: Observers | None = None,
    until: float | None = None,
) -> CaseResult:
    """Run one case."""
    began = time.monotonic()
    run = _Run(file, world, observers or Observers(), watcher)
    failures: list[Failing] = []
    for number, step in enumerate(case.steps, start=1):
        if until is not None and time.monotonic() >= until:
            raise OutOfTimeError("the policy tests take longer than they may")
        failures.extend(run.step(step, number if len(case.steps) > 1 else 0, case.place))
    return CaseResult(file.file, file.subject, case, tuple(failures), time.monotonic() - began)


class _Run:
    """One case while it runs; its ledger goes from step to step."""

    def __init__(self, file: CaseFile, world: World, observers: Observers, watcher: Watcher | None) -> None:
        self._file = file
        self._world = world
        self._observers = observers
        self._watcher = watcher
        self._faults: list[Exception] = []
        self._kept = Kept()
        self._stores = world.declared.over(MemoryLedger(file.held), MemoryDirectory(file.directory))
        options = AnswerOptions(world.decision_seconds, limits=world.limits)
        note: Callable[[str, Exception], None] = lambda _, error: self._faults.append(error)  # noqa: E731
        rehearsal = Rehearsal(
            world.request, world.response, self._stores, options, clock=lambda: file.now, on_fault=note
        )
        self._line = rehearsal.line(file.policy_set, self._kept)

    def step(self, step: Step, number: int, place: Place) -> Iterator[Failing]:
        """Decide one request; yield what is not as expected."""
        reply = self._line.answer(step.body, time.monotonic())
        # A record leaves long input out; here it is needed whole.
        record = replace(self._kept.records[-1], input=json.loads(step.body))
        if record.outcome not in DECIDED:
            yield Failing(self._undecided(record, place), number, ())
            return
        scene = self._scene(record)
        if self._watcher is not None:
            self._watcher.saw(record, scene)
        found = self._found(record, reply)
        accounts = Accounts(self._file.policy_set, record, scene)
        # A step without expectations only prepares the next, but must not fail unseen.
        expectation = step.expectation or Expectation(place, {}, {})
        for difference in differences(expectation, found):
            yield self._explained(difference, number, record, accounts)

    def _scene(self, record: DecisionRecord) -> Scene:
        return Scene(
            self._file.policy_set,
            record,
            now=self._file.now,
            stores=self._stores,
            observers=self._observers,
            limits=self._world.limits,
        )

    @staticmethod
    def _found(record: DecisionRecord, reply: Reply) -> Found:
        wire = record.input if isinstance(record.input, dict) else {}
        return found_in(record, reply, ImportRequest.from_wire(wire))

    def _undecided(self, record: DecisionRecord, place: Place) -> Difference:
        fault = self._faults[-1] if self._faults else None
        code = str(getattr(fault, "code", "")) or type(fault).__name__
        return Difference(UNDECIDED, UNDECIDED, "", "decided", f"{record.outcome.value}: {code}", place)

    def _explained(self, difference: Difference, number: int, record: DecisionRecord, accounts: Accounts) -> Failing:
        rules = responsible(difference, self._file.policy_set, record)
        told = [account for rule in rules if says_something(account := accounts.of(rule), difference)]
        told.sort(key=lambda account: account.standing is not Standing.FIRED)  # what came is theirs
        hint = "\n".join(hints(difference, self._file.policy_set, record))
        return Failing(difference, number, tuple(told[:MAX_RULES]), hint)
