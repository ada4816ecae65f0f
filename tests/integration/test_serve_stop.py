"""How the installed `usher serve` stops: whoever was being served gets an answer first."""

import signal
import socket
import time

import pytest

from tests.integration.conftest import StartUsher
from tests.integration.payloads import its_login, like_the_guide
from tests.integration.usher_process import PATIENCE_SECONDS, SECRET, Address, Caller, UsherProcess

CALLS_IN_FLIGHT = 20


def wait_until_nobody_listens(address: Address) -> None:
    """Wait until a stop has begun: from then on nobody is let in."""
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < give_up_at:
        try:
            socket.create_connection(address, timeout=PATIENCE_SECONDS).close()
        except ConnectionError:
            return
        time.sleep(0.02)
    pytest.fail("it still listens")


def started(start_usher: StartUsher, **environ: str) -> UsherProcess:
    """Return a service that is ready."""
    usher = start_usher("serve", USHER_SECRET=SECRET, USHER_POLICIES_GATE="off", **environ)
    usher.wait_until_ready()
    return usher


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_calls_in_flight_are_answered(start_usher: StartUsher, number: signal.Signals) -> None:
    """Calls whose last byte is still missing when the signal comes get their own answers; then it exits with 0."""
    usher = started(start_usher, USHER_SERVER_DRAIN_SECONDS="30")
    callers = [Caller(usher.hook) for _ in range(CALLS_IN_FLIGHT)]
    rests = [caller.begin(like_the_guide(row), held_back=1) for row, caller in enumerate(callers)]
    # Answered after all of them were read: the loop reads whatever is there before it waits again.
    assert usher.post(like_the_guide(99)).login == its_login(99)
    usher.signal(number)
    wait_until_nobody_listens(usher.hook)
    answers = [caller.finish(rest) for caller, rest in zip(callers, rests, strict=True)]
    assert [answer.login for answer in answers] == [its_login(row) for row in range(CALLS_IN_FLIGHT)]
    assert usher.end() == 0
    assert usher.err.whole().splitlines()[-1] == "stopped"
    assert len(usher.decisions()) == CALLS_IN_FLIGHT + 1
    for caller in callers:
        caller.connection.close()


def test_idle_connections_do_not_hold_the_stop(start_usher: StartUsher) -> None:
    """Kept connections without a call are closed, however long the stop may wait for calls."""
    usher = started(start_usher, USHER_SERVER_DRAIN_SECONDS="60")
    with Caller(usher.hook) as idle, Caller(usher.operations) as other:
        assert idle.post(like_the_guide(1)).status == 200
        other.connection.connect()
        began = time.monotonic()
        assert usher.stop() == 0
        assert time.monotonic() - began < 30


def test_a_call_that_never_ends_does_not_hold_the_stop(start_usher: StartUsher) -> None:
    """The stop waits `drain_seconds` for a sender that has gone quiet, and no longer."""
    usher = started(start_usher, USHER_SERVER_DRAIN_SECONDS="0.5")
    with Caller(usher.hook) as quiet:
        quiet.begin(like_the_guide(1), held_back=1)
        assert usher.post(like_the_guide(2)).login == its_login(2)
        assert usher.stop() == 0


def test_a_second_signal_stops_at_once(start_usher: StartUsher) -> None:
    """Whoever asks twice means it: nobody waits for the quiet sender any more."""
    usher = started(start_usher, USHER_SERVER_DRAIN_SECONDS="60")
    with Caller(usher.hook) as quiet:
        quiet.begin(like_the_guide(1), held_back=1)
        assert usher.post(like_the_guide(2)).login == its_login(2)
        usher.signal(signal.SIGINT)
        wait_until_nobody_listens(usher.hook)
        began = time.monotonic()
        usher.signal(signal.SIGINT)
        assert usher.end() == 0
        assert time.monotonic() - began < 30


def test_what_was_answered_is_on_record_after_a_kill(start_usher: StartUsher) -> None:
    """A process that is killed loses no line of an answer it gave, and the next start does not touch the file."""
    usher = started(start_usher)
    ids = [usher.post(like_the_guide(row)).decision_id for row in range(5)]
    usher.signal(signal.SIGKILL)
    usher.end()
    assert [decision["decision_id"] for decision in usher.decisions()] == ids
