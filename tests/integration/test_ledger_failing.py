"""The ledger fails while calls come in, in all ways an administrator knows: everybody is answered all the same."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

import pytest

from tests.integration.claiming import (
    CLAIMING_RULE,
    DEADLINE_SECONDS,
    Heard,
    Row,
    ask,
    check_history,
    holdings,
    migrate_ledger,
    serving,
    sqlite_url,
)
from tests.integration.ledger_faults import (
    AS_EVERYBODY,
    filled,
    frozen,
    locked,
    no_room_for,
    read_only,
    small_disk,
    stopped,
)
from tests.integration.steady_claims import SteadyCalls, steady_calls
from tests.integration.usher_process import Caller, UsherProcess
from tests.postgresql import Cluster

RATE: Final = 50.0
FROZEN_SECONDS: Final = 10.0
"""The issue's own number."""
FAULT_SECONDS: Final = 3.5
UNREADY_SECONDS: Final = 2.5
"""How soon readiness and status must tell: what they counted counts for two seconds."""
RECOVERY_SECONDS: Final = 5.0
STEADY_SECONDS: Final = 1.0

Fault = AbstractContextManager[None]
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Told:
    """What one look at the operations listener told."""

    at: float
    is_ready: bool
    checks: dict[str, Any]
    ledger: dict[str, Any]


def look(usher: UsherProcess) -> Told:
    """Ask for readiness and status."""
    at = time.monotonic()
    ready, status = usher.get("/health/ready"), usher.get("/status").json
    checks, ledger = ready.json["checks"], status["ledger"]
    assert isinstance(checks, dict)
    assert isinstance(ledger, dict)
    assert ready.status == (200 if ready.json["ready"] else 503)
    return Told(at, ready.status == 200, checks, ledger)


def look_until(usher: UsherProcess, end: float) -> list[Told]:
    """Look some four times a second."""
    told = []
    while time.monotonic() < end:
        told.append(look(usher))
        time.sleep(0.25)
    return told


def was_granted(heard: Heard) -> bool:
    """Say whether a call got a login."""
    return heard.login is not None


def is_failure(heard: Heard) -> bool:
    """Say whether the claiming rule failed, as unavailable, and the other rule did not."""
    return heard.has_failed_as_it_should


def suffer(usher: UsherProcess, calls: SteadyCalls, seconds: float, reason: str) -> float:
    """Live through a fault that has just begun: claims fail, readiness says no, status says why. Return its end."""
    began = time.monotonic()
    told = look_until(usher, began + seconds)
    ended = time.monotonic()
    during = calls.between(began, ended)
    # What was claimed before is only read, which a full disk allows.
    known = {one.row for one in calls.heard if was_granted(one) and one.asked < began}
    assert [one for one in during if not is_failure(one) and one.row not in known] == []
    assert sum(map(is_failure, during)) > RATE * seconds / 5
    late = [one for one in told if one.at - began > UNREADY_SECONDS]
    assert late
    assert [one for one in late if one.is_ready or one.checks["ledger"] is not False] == []
    assert [one for one in late if one.ledger["reachable"] or reason not in one.ledger["reason"]] == []
    return ended


def recover(usher: UsherProcess, calls: SteadyCalls, ended: float) -> str:
    """See claims and readiness come back by themselves, for good; return how long that took."""
    back = calls.wait_for(was_granted, since=ended, seconds=RECOVERY_SECONDS)
    while not (told := look(usher)).is_ready:
        assert told.at < ended + RECOVERY_SECONDS, told
        time.sleep(0.05)
    time.sleep(STEADY_SECONDS)
    assert [one for one in calls.between(told.at, time.monotonic()) if not was_granted(one)] == []
    return f"claims back after {back:.2f} s, ready after {told.at - ended:.2f} s"


def check_calls(calls: SteadyCalls, ledger: str) -> str:
    """Make sure that all were answered in time and nothing was given twice; return the figures."""
    assert {one.status for one in calls.heard} == {200}
    assert [one for one in calls.heard if not was_granted(one) and not is_failure(one)] == []
    check_history(calls.heard, holdings(ledger))
    milliseconds = sorted(one.seconds * 1000 for one in calls.heard)
    assert milliseconds[-1] < DEADLINE_SECONDS * 1000
    assert median(milliseconds) < DEADLINE_SECONDS * 100
    figures = f"p50 {median(milliseconds):.0f} ms, longest {milliseconds[-1]:.0f} ms"
    return f"{len(milliseconds)} calls, {sum(map(is_failure, calls.heard))} without a login, {figures}"


def failures_on_record(usher: UsherProcess) -> list[list[tuple[str, str]]]:
    """Return rule and code of every error in the decision log, by decision."""
    errors = [decision["errors"] for decision in usher.decisions() if decision["errors"]]
    assert all(isinstance(several, list) for several in errors)
    return [[(error["rule"], error["code"]) for error in several] for several in errors]  # type: ignore[attr-defined]


def endure(
    usher: UsherProcess, ledger: str, fault: Fault, *, reason: str, seconds: float = FAULT_SECONDS, tell: Tell
) -> SteadyCalls:
    """Call before, during and after a fault; whatever the fault, the same must hold."""
    with steady_calls(usher, rate=RATE) as calls:
        calls.wait_for(was_granted, since=0.0, seconds=RECOVERY_SECONDS)
        time.sleep(STEADY_SECONDS)
        with fault:
            ended = suffer(usher, calls, seconds, reason)
        back = recover(usher, calls, ended)
    tell(f"{check_calls(calls, ledger)}; {back}")
    return calls


def check_record(usher: UsherProcess, calls: SteadyCalls) -> None:
    """Make sure that every failure is on record, under its rule and with its code."""
    failed = sum(map(is_failure, calls.heard))
    assert failures_on_record(usher) == [[(CLAIMING_RULE, "ledger-unavailable")]] * failed


def ask_until_granted(caller: Caller, row: Row) -> Heard:
    """Call for a row until it has a login; give up soon."""
    give_up_at = time.monotonic() + RECOVERY_SECONDS
    while not was_granted(heard := ask(caller, row, f"event-{time.monotonic()}")) and time.monotonic() < give_up_at:
        time.sleep(0.05)
    return heard


@pytest.fixture
def tell(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> Tell:
    """Return what prints a line that is seen."""

    def say(text: str) -> None:
        with capsys.disabled():
            print(f"\n{request.node.name}: {text}")

    return say


@pytest.mark.parametrize(
    ("fault", "seconds", "reason"),
    [
        pytest.param(frozen, FROZEN_SECONDS, "it did not answer in time", id="frozen"),
        pytest.param(stopped, FAULT_SECONDS, "it cannot be reached", id="stopped"),
    ],
)
def test_postgresql(
    tmp_path: Path,
    postgresql: Cluster,
    postgresql_url: str,
    fault: Callable[[Cluster], Fault],
    seconds: float,
    reason: str,
    tell: Tell,
) -> None:
    """While PostgreSQL is frozen or stopped, claims fail in time and the rest stands; then they work again."""
    migrate_ledger(postgresql_url, tmp_path)
    with serving(tmp_path, postgresql_url) as usher:
        calls = endure(usher, postgresql_url, fault(postgresql), seconds=seconds, reason=reason, tell=tell)
        check_record(usher, calls)


def test_sqlite_locked_by_another_process(tmp_path: Path, tell: Tell) -> None:
    """While another process writes and does not end, claims fail in time and the rest stands."""
    file = tmp_path / "usher.db"
    with serving(tmp_path, sqlite_url(file)) as usher:
        calls = endure(usher, sqlite_url(file), locked(file), reason="another process locks the file", tell=tell)
        check_record(usher, calls)


def test_sqlite_on_a_full_disk(tmp_path: Path, tell: Tell) -> None:
    """While no file can grow, new claims fail, those there are stand; what the decision log loses is counted."""
    file = tmp_path / "usher.db"
    with serving(tmp_path, sqlite_url(file)) as usher:
        fault = no_room_for(usher.process.pid)
        calls = endure(usher, sqlite_url(file), fault, reason="the disk cannot be read or written", tell=tell)
        assert len(failures_on_record(usher)) < sum(map(is_failure, calls.heard))
        assert "usher_decision_log_losses_total 0.0" not in usher.get("/metrics").body.decode()


def test_sqlite_on_a_full_disk_of_its_own(tmp_path: Path, tell: Tell) -> None:
    """The same with a disk that is really full, and a decision log that is elsewhere."""
    file = tmp_path / "disk" / "usher.db"
    with small_disk(file.parent, megabytes=4), serving(tmp_path, sqlite_url(file)) as usher:
        calls = endure(usher, sqlite_url(file), filled(file.parent), reason="the disk is full", tell=tell)
        check_record(usher, calls)


def test_a_full_disk_is_not_forgotten(tmp_path: Path) -> None:
    """Readiness says no for as long as the disk is full, also when nobody calls after the first claim that failed."""
    file = tmp_path / "disk" / "usher.db"
    with (
        small_disk(file.parent, megabytes=4),
        serving(tmp_path, sqlite_url(file)) as usher,
        Caller(usher.hook) as caller,
    ):
        assert was_granted(ask(caller, Row(1), "before"))
        with filled(file.parent):
            assert is_failure(ask(caller, Row(2), "during"))
            told = look_until(usher, time.monotonic() + FAULT_SECONDS)
            assert [one for one in told if one.is_ready or "the disk is full" not in one.ledger["reason"]] == []
        assert was_granted(ask_until_granted(caller, Row(2)))


def test_sqlite_file_is_read_only(tmp_path: Path, tell: Tell) -> None:
    """A service that finds its file read-only answers without claims, and claims when that was put right."""
    file = tmp_path / "usher.db"
    ledger = sqlite_url(file)
    with serving(tmp_path / "before", ledger) as usher:
        assert usher.stop() == 0
    with ExitStack() as fault:
        fault.enter_context(read_only(file))
        with serving(tmp_path / "after", ledger, prefix=AS_EVERYBODY) as usher:
            with steady_calls(usher, rate=RATE) as calls:
                ended = suffer(usher, calls, FAULT_SECONDS, "the file is read-only")
                fault.close()
                back = recover(usher, calls, ended)
            tell(f"{check_calls(calls, ledger)}; {back}")
            check_record(usher, calls)
