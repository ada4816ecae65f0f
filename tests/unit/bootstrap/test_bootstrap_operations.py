"""What the operations listener tells: what is in force or rejected, what came of a reload, whether to send calls."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.unit.bootstrap.conftest import POLICY, TESTS, House
from usher.answer.record import DecisionRecord
from usher.bootstrap.keeper import Keeper
from usher.bootstrap.looks import Rejected
from usher.bootstrap.operations import MAX_PROBLEMS, OperationsView
from usher.bootstrap.pulse import UNREADY_SECONDS, Pulse
from usher.domain.decision import Outcome
from usher.engine import PolicySet

Make = Callable[..., House]
OTHER = POLICY.replace("value: x", "value: y")
OTHER_TESTS = TESTS.replace("title: x}}", "title: y}}")
# Far beyond what anything here takes: only a hang gets there.
PATIENCE_SECONDS = 30.0
BROKEN = POLICY.replace("user.title", "user.titel")


def record(outcome: Outcome) -> DecisionRecord:
    """Return a record with an outcome."""
    return DecisionRecord("d", "t", "e", {}, "", "r", {}, (), (), (), (), (), outcome, 1.0)


@dataclass
class Counted:
    """A meter with state."""

    records: list[DecisionRecord] = field(default_factory=list)
    replays: int = 0

    def decided(self, record: DecisionRecord) -> None:
        """Keep it."""
        self.records.append(record)

    def replayed(self, _decision_id: str) -> None:
        """Count it."""
        self.replays += 1


@dataclass
class Clock:
    """Stands still until it is moved."""

    seconds: float = 5000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.seconds


def test_calls_that_only_waited_do_not_make_unready() -> None:
    """A burst is over when it is over: taking the instance out of service would leave its calls to nobody."""
    pulse = Pulse(Counted())
    pulse.decided(replace(record(Outcome.UNDECIDED), cause="queue"))
    assert pulse.is_healthy


def test_an_undecided_call_makes_unready_until_one_is_decided_or_time_passes() -> None:
    """One slow call must not take an idle service out of rotation for good; a decided one heals at once."""
    meter, clock = Counted(), Clock()
    pulse = Pulse(meter, clock=clock)
    assert pulse.is_healthy
    pulse.decided(record(Outcome.UNDECIDED))
    assert not pulse.is_healthy
    clock.seconds += UNREADY_SECONDS
    assert not pulse.is_healthy
    clock.seconds += 0.1
    assert pulse.is_healthy
    pulse.decided(record(Outcome.UNDECIDED))
    assert not pulse.is_healthy
    pulse.decided(record(Outcome.INVALID))
    assert pulse.is_healthy
    pulse.replayed("d")
    assert (len(meter.records), meter.replays) == (3, 1)


def view_of(made: House, before_swap: Callable[[PolicySet], None] | None = None) -> OperationsView:
    """Return what the operations listener tells of a service that has just started."""
    return OperationsView(
        version="1.2.3",
        keeper=made.keeper(Keeper, before_swap),
        settings=made.loaded.settings.policies,
        pulse=Pulse(Counted(), clock=Clock()),
        decision_log=lambda: "decisions.jsonl",
        losses=lambda: 4,
        metrics=lambda: (b"up 1\n", "text/plain"),
        watches={},
        started=datetime(2026, 3, 2, 8, tzinfo=UTC),
    )


def told(view: OperationsView) -> Any:
    """Return the status as a reader gets it."""
    return json.loads(json.dumps(view.status()))


def rejected_of(view: OperationsView) -> Rejected:
    """Return what is rejected."""
    assert view.keeper.rejected is not None
    return view.keeper.rejected


def test_status_tells_what_is_in_force(house: Make) -> None:
    """Plain JSON."""
    made = house()
    view = view_of(made)
    view.keeper.in_force.replace(view.keeper.in_force(), datetime(2026, 3, 2, 9, tzinfo=UTC))
    assert told(view) == {
        "version": "1.2.3",
        "started": "2026-03-02T08:00:00Z",
        "policies": {
            "revision": made.candidate().revision,
            "since": "2026-03-02T09:00:00Z",
            "folder": str(made.folders.policies),
            "source": "folder",
            "names": ["p"],
            "rules": 1,
            "rejected": None,
        },
        "decisionLog": {"file": "decisions.jsonl", "losses": 4},
        "readiness": {"policies": True, "deciding": True, "accepting": True},
    }
    assert view.exposition() == (b"up 1\n", "text/plain")


def test_status_tells_what_is_rejected_beside_what_is_in_force(house: Make) -> None:
    """Both revisions, since when, and every problem with its place."""
    made = house()
    view = view_of(made)
    in_force = view.keeper.in_force().revision
    made.write(p=BROKEN)
    view.reload()
    view.keeper.rejected = replace(rejected_of(view), since=datetime(2026, 3, 2, 9, 30, tzinfo=UTC))
    policies = told(view)["policies"]
    assert policies["revision"] == in_force
    [problem] = policies["rejected"].pop("problems")
    assert policies["rejected"] == {"revision": made.candidate().revision, "since": "2026-03-02T09:30:00Z"}
    assert problem.pop("message").startswith("titel is not in the user profile schema")
    assert problem == {
        "file": f"{made.folders.policies.as_posix()}/p.yaml",
        "line": 5,
        "column": 11,
        "code": "unknown-attribute",
        "severity": "error",
    }
    made.write(p=POLICY)
    view.reload()
    assert told(view)["policies"]["rejected"] is None


def test_status_says_that_the_last_good_set_answers(house: Make) -> None:
    """After a start whose own policies failed, until the folder is sound."""
    made = house()
    kept = made.keeper().in_force().revision
    made.write(p=BROKEN)
    view = view_of(made)
    policies = told(view)["policies"]
    assert (policies["source"], policies["revision"]) == ("last good", kept)
    assert policies["rejected"]["revision"] == made.candidate().revision
    made.write(p=OTHER, p_test=OTHER_TESTS)
    view.reload()
    assert told(view)["policies"]["source"] == "folder"


def test_a_reload_tells_what_came_of_it(house: Make) -> None:
    """Accepted with what changed, unchanged with nothing, rejected with why."""
    made = house()
    view = view_of(made)
    first = view.keeper.in_force().revision
    assert view.reload() == {
        "result": "unchanged",
        "revision": first,
        "found": first,
        "seconds": 0.0,
        "changes": [],
        "problems": [],
    }
    made.write(p=OTHER, p_test=OTHER_TESTS)
    accepted = json.loads(json.dumps(view.reload()))
    second = made.candidate().revision
    assert accepted.pop("seconds") > 0
    assert accepted == {
        "result": "accepted",
        "revision": second,
        "found": second,
        "changes": [{"kind": "changed", "what": "rule", "name": "p/a"}],
        "problems": [],
    }
    made.write(p=BROKEN)
    rejected = json.loads(json.dumps(view.reload()))
    assert (rejected["result"], rejected["revision"], rejected["found"]) == (
        "rejected",
        second,
        made.candidate().revision,
    )
    assert [problem["code"] for problem in rejected["problems"]] == ["unknown-attribute"]


def test_a_reload_judges_a_rejected_set_again(house: Make) -> None:
    """The watch does not; who asks wants to know now."""
    made = house()
    view = view_of(made)
    made.write(p=BROKEN)
    view.reload()
    view.reload()
    assert made.meter.seen == ["rejected", "rejected"]


def test_a_reload_waits_for_the_look_that_a_save_has_set_off(house: Make) -> None:
    """Save and ask at once, as scripts do: the answer is about what was saved."""
    made = house()
    swapping, go_on = threading.Event(), threading.Event()

    def waits(_: PolicySet) -> None:
        swapping.set()
        go_on.wait(PATIENCE_SECONDS)

    view = view_of(made, before_swap=waits)
    made.write(p=OTHER, p_test=OTHER_TESTS)
    look = threading.Thread(target=view.keeper.look)
    look.start()
    assert swapping.wait(PATIENCE_SECONDS)
    threading.Timer(0.1, go_on.set).start()
    made_of_it = view.reload()
    look.join()
    assert made_of_it is not None
    assert (made_of_it["result"], made_of_it["revision"]) == ("unchanged", made.candidate().revision)


def test_a_reload_that_nobody_answers_in_time_is_none(house: Make) -> None:
    """Who asks is told in the end; the look goes on."""
    made = house()
    asked: list[object] = []
    keeper = made.keeper(before_swap=lambda _: asked.append(keeper.look(again=True, wait_seconds=0.05)))
    made.write(p=OTHER, p_test=OTHER_TESTS)
    assert keeper.look() is not None
    assert asked == [None]


def test_only_one_caller_waits_for_a_reload(house: Make) -> None:
    """Another is told at once to ask again: threads of the listener are left for probes."""
    made = house()
    meanwhile: list[object] = []
    view = view_of(made, before_swap=lambda _: meanwhile.append(view.reload()))
    made.write(p=OTHER, p_test=OTHER_TESTS)
    assert view.reload() is not None
    assert meanwhile == [None]


def test_no_more_than_a_hundred_problems_are_told(house: Make) -> None:
    """Neither in the status nor of a reload: nobody reads more, and both are held in memory whole."""
    made = house()
    view = view_of(made)
    made.write(
        p="policy: p\nrules:\n" + "".join(f"  - {{id: r{n}, set: {{user.a{n}: {{value: x}}}}}}\n" for n in range(150))
    )
    made_of_it = json.loads(json.dumps(view.reload()))
    assert len(made_of_it["problems"]) == MAX_PROBLEMS == 100
    assert made_of_it["problems"] == told(view)["policies"]["rejected"]["problems"]
    assert len(rejected_of(view).problems) == 150


def test_readiness_says_what_speaks_against_it(house: Make) -> None:
    """A stop under way, calls that are not decided."""
    view = view_of(house())
    assert view.readiness().ready
    view.drain()
    view.pulse.decided(record(Outcome.UNDECIDED))
    assert not view.readiness().ready
    assert view.readiness().checks == {"policies": True, "deciding": False, "accepting": False}


@pytest.mark.parametrize(
    ("allowed_seconds", "rejected_for_seconds", "ready"),
    [(0, 0, True), (0, 1_000_000, True), (60, 0, True), (60, 50, True), (60, 70, False)],
)
def test_a_rejected_set_makes_unready_only_where_the_settings_say_so(
    house: Make, allowed_seconds: float, rejected_for_seconds: float, *, ready: bool
) -> None:
    """After their time; 0 is never. Taken back, it is ready again at once."""
    made = house(policies__unready_seconds=allowed_seconds)
    view = view_of(made)
    made.write(p=BROKEN)
    view.reload()
    view.keeper.rejected = replace(rejected_of(view), since_monotonic=time.monotonic() - rejected_for_seconds)
    assert view.readiness().checks == {"policies": ready, "deciding": True, "accepting": True}
    made.write(p=POLICY)
    view.reload()
    assert view.readiness().ready


@pytest.mark.parametrize("allowed", [True, False])
def test_a_start_with_the_last_good_set_is_ready_where_the_settings_say_so(house: Make, *, allowed: bool) -> None:
    """A load balancer may wait for somebody to look; once the folder is sound it need not."""
    made = house(policies__ready_on_last_good=allowed)
    made.keeper()
    made.write(p=BROKEN)
    view = view_of(made)
    assert view.readiness().checks["policies"] is allowed
    made.write(p=OTHER, p_test=OTHER_TESTS)
    view.reload()
    assert view.readiness().ready
