"""What both kinds of database promise: transactions, patience, failing fast, recovery, errors that quote nothing."""

import math
import sqlite3
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import InvalidRequestError

from tests.databases import ADD, COUNT, Opened, opened
from usher.adapters.sql.database import FAIL_FAST_SECONDS, UNHEALTHY_SECONDS
from usher.engine import Patience, StoreError

# Far beyond what anything here takes: only a hang gets there.
PATIENCE_SECONDS = 30.0
NOT_YET = "that was a moment ago, and it is not asked again yet"
MARKER = "marker-9f31c"
# What a claim does: it waits for whoever is about to write the same row, and then leaves that one in place.
CLAIM = "INSERT INTO notes (id, note) VALUES (7, 'here') ON CONFLICT DO NOTHING"


@pytest.fixture
def store(store_url: str) -> Iterator[Opened]:
    """Return an open database of either kind."""
    with opened(store_url) as store:
        yield store


@pytest.fixture
def hasty(store_url: str) -> Iterator[Opened]:
    """Return an open database of either kind whose calls may wait for a moment only."""
    with opened(store_url, timeout_seconds=0.8) as store:
        store.add(1)
        # So that all time is there for waiting.
        with store.database.reading(Patience()), store.database.reading(Patience()), store.database.reading(Patience()):
            store.count()
        yield store


def fails(store: Opened, statement: str = "SELECT * FROM missing", *, writing: bool = False) -> str:
    """Let a statement fail; return the reason that was told."""
    lend = store.database.writing if writing else store.database.reading
    with pytest.raises(StoreError) as raised, lend(store.database.patience()) as connection:
        connection.execute(text(statement))
    return raised.value.reason


def timed(work: Callable[[], object]) -> float:
    """Return how many seconds something takes."""
    began = time.monotonic()
    work()
    return time.monotonic() - began


@contextmanager
def lock_elsewhere(store: Opened) -> Iterator[None]:
    """Be about to write row 7, as another process would."""
    if store.database.file is not None:
        other = sqlite3.connect(store.database.file, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            other.close()
        return
    url = store.database.url.set(drivername="postgresql").render_as_string()
    with psycopg.connect(url) as session:
        session.execute(CLAIM)
        yield
        session.rollback()


def claim(store: Opened, patience: Patience) -> None:
    """Write row 7 unless it is there."""
    with store.database.writing(patience) as connection:
        connection.execute(text(CLAIM))


def test_what_a_block_wrote_is_there_after_it(store: Opened) -> None:
    """A transaction is committed at the end of its block, and seen by other connections from then on."""
    with store.database.writing(store.database.patience()) as connection:
        connection.execute(ADD, {"id": 1, "note": ""})
        assert store.count() == 0
    assert store.count() == 1


@pytest.mark.parametrize("error", [ValueError("own"), KeyboardInterrupt("own"), GeneratorExit("own")])
def test_an_exception_undoes_the_block_and_goes_through(store: Opened, error: BaseException) -> None:
    """It says nothing about the store, and the next call is served."""

    def work(connection: Connection) -> None:
        connection.execute(ADD, {"id": 1, "note": ""})
        raise error

    with pytest.raises(type(error), match="own"):
        store.write(work)
    assert store.count() == 0
    store.add(1)
    assert store.database.is_healthy
    assert store.meter.failed == []


def test_a_failed_statement_undoes_the_block(store: Opened) -> None:
    """What was written before it is gone as well."""
    with pytest.raises(StoreError):
        store.write(insert_twice)
    assert store.count() == 0


def test_writers_take_turns(store_url: str) -> None:
    """Eight threads that write all the time lose nothing, and none waits for long while the others go on."""
    rounds, threads = 200, 8
    waits: list[float] = []
    with opened(store_url, connections=threads) as store:
        store.add(1, "0")
        start = threading.Barrier(threads)

        def write() -> None:
            start.wait()
            waits.extend(timed(lambda: store.write(add_one)) for _ in range(rounds))

        began = time.monotonic()
        run_all([threading.Thread(target=write) for _ in range(threads)])
        took = time.monotonic() - began
        with store.database.reading(store.database.patience()) as connection:
            assert connection.execute(text("SELECT note FROM notes")).scalar() == str(rounds * threads)
    assert len(waits) == rounds * threads
    # Generous: it must not depend on the machine. SQLite's own waiting goes far beyond it.
    assert max(waits) < max(1.0, took / 2)


def add_one(connection: Connection) -> None:
    """Add one to the number in row 1."""
    connection.execute(text("UPDATE notes SET note = CAST(CAST(note AS INTEGER) + 1 AS TEXT) WHERE id = 1"))


def run_all(threads: list[threading.Thread]) -> None:
    """Run threads to their end."""
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive()


def test_a_lock_held_elsewhere_costs_no_more_than_the_patience(hasty: Opened) -> None:
    """The call fails in its time and is told why; once the lock is gone, the next call succeeds."""
    patience = hasty.database.patience()
    with lock_elsewhere(hasty):
        began = time.monotonic()
        with pytest.raises(StoreError, match=r"another (process locks the file|transaction holds what is needed)"):
            claim(hasty, patience)
        assert 0.5 < time.monotonic() - began < 2.4
        assert hasty.count() == 1
    assert patience.seconds < 0.3
    hasty.clock.skipped_seconds += FAIL_FAST_SECONDS
    claim(hasty, hasty.database.patience())


def test_what_is_left_of_the_patience_counts(store: Opened) -> None:
    """A call that comes with little of it fails soon, however long the store might be waited for otherwise."""
    store.add(1)
    began = time.monotonic()
    with lock_elsewhere(store), pytest.raises(StoreError):
        claim(store, Patience(0.1))
    assert time.monotonic() - began < 2.0
    assert store.database.is_healthy


def test_who_comes_with_little_patience_learns_nothing_about_the_store(store: Opened) -> None:
    """His failure does not keep others from being served at once."""
    store.add(1)
    with lock_elsewhere(store), pytest.raises(StoreError):
        claim(store, Patience(0.05))
    assert store.meter.failed == ["ledger"]
    assert store.database.is_healthy
    claim(store, store.database.patience())


@pytest.mark.parametrize("seconds", [0.0, -1.0])
def test_without_patience_nothing_is_asked(store: Opened, seconds: float) -> None:
    """The call fails at once, and nothing is held against the store."""
    for lend in (store.database.reading, store.database.writing):
        with pytest.raises(StoreError, match="no time left to ask it"), lend(Patience(seconds)):
            pytest.fail("lent")
    assert store.database.is_healthy
    store.add(1)


def test_patience_is_spent_by_all_work_together(store: Opened) -> None:
    """Each piece of work takes what it took off what is left; work inside of other work is not counted twice."""
    patience = Patience(10.0)
    with store.database.writing(patience):
        with store.database.reading(patience):
            time.sleep(0.05)
        assert 9.5 < patience.seconds < 9.96
    assert 9.5 < patience.seconds < 9.96

    def fail_slowly() -> None:
        with store.database.reading(patience) as connection:
            time.sleep(0.05)
            connection.execute(text("SELECT * FROM missing"))

    with pytest.raises(StoreError):
        fail_slowly()
    assert 9.4 < patience.seconds < 9.91


def test_patience_without_end_is_patience(store: Opened) -> None:
    """Commands may wait as long as it takes."""
    patience = Patience()
    with store.database.writing(patience) as connection:
        connection.execute(ADD, {"id": 1, "note": ""})
    with store.database.reading(patience) as connection:
        assert connection.execute(COUNT).scalar() == 1
    assert patience.seconds == math.inf


def test_writers_of_one_process_wait_no_longer_than_their_patience(hasty: Opened) -> None:
    """A thread that writes for long makes the others fail in their time; they say nothing about the store."""
    began = time.monotonic()
    with hasty.database.writing(Patience()) as connection:
        connection.execute(text(CLAIM))
        failures: list[StoreError] = []

        def try_to_claim() -> None:
            with pytest.raises(StoreError) as raised:
                claim(hasty, hasty.database.patience())
            failures.append(raised.value)

        run_all([threading.Thread(target=try_to_claim) for _ in range(3)])
    assert time.monotonic() - began < 2.4
    assert {failure.reason for failure in failures} <= {
        "too many calls write at once",
        "another transaction holds what is needed",
    }
    assert hasty.database.is_healthy
    assert hasty.meter.failed == ["ledger"] * 3


def test_after_a_failure_calls_fail_at_once_for_a_second(store: Opened) -> None:
    """They do not even get a connection, and are told why it failed; then the store is asked again."""
    reason = fails(store)
    store.clock.skipped_seconds += FAIL_FAST_SECONDS - 0.5
    with pytest.raises(StoreError) as raised, store.database.reading(store.database.patience()):
        pytest.fail("lent")
    assert raised.value.reason == f"{reason}; {NOT_YET}"
    store.clock.skipped_seconds += 0.5
    assert store.count() == 0


def test_a_failure_to_write_does_not_keep_anybody_from_reading(store: Opened) -> None:
    """A full disk takes new claims away, not what can be looked up; nor the other way round."""
    fails(store, writing=True)
    assert NOT_YET in fails(store, writing=True)
    assert store.count() == 0
    fails(store)
    assert NOT_YET in fails(store)
    store.clock.skipped_seconds += FAIL_FAST_SECONDS
    store.add(1)


@pytest.mark.parametrize("ends_well", [True, False])
def test_exactly_one_call_tries(store: Opened, *, ends_well: bool) -> None:
    """While it does, others go on failing at once; how it ends decides for all."""
    fails(store)
    store.clock.skipped_seconds += FAIL_FAST_SECONDS
    with trying(store, ends_well=ends_well):
        for _ in range(3):
            assert NOT_YET in fails(store)
    if ends_well:
        assert store.count() == 0
    else:
        assert NOT_YET in fails(store)
        store.clock.skipped_seconds += FAIL_FAST_SECONDS
        assert store.count() == 0


@contextmanager
def trying(store: Opened, *, ends_well: bool) -> Iterator[None]:
    """Have a call under way on another thread, which ends with the block."""
    is_lent, may_end = threading.Event(), threading.Event()

    def work() -> None:
        try:
            with store.database.reading(store.database.patience()) as connection:
                is_lent.set()
                may_end.wait(PATIENCE_SECONDS)
                connection.execute(COUNT if ends_well else text("SELECT * FROM missing"))
        except StoreError:
            assert not ends_well

    thread = threading.Thread(target=work)
    thread.start()
    assert is_lent.wait(PATIENCE_SECONDS)
    try:
        yield
    finally:
        may_end.set()
        thread.join(PATIENCE_SECONDS)


def test_a_try_that_ends_in_an_exception_of_its_own_leaves_the_next_to_try(store: Opened) -> None:
    """Nothing was learnt about the store, so nobody has to wait."""
    fails(store)
    store.clock.skipped_seconds += FAIL_FAST_SECONDS
    with pytest.raises(ValueError, match="own"), store.database.reading(store.database.patience()):
        raise ValueError("own")
    assert not store.database.is_healthy
    assert store.count() == 0
    assert store.database.is_healthy


def test_health_is_what_was_seen_last(store: Opened) -> None:
    """A failure counts until the same kind of work succeeds, or until it is long ago."""
    assert store.database.is_healthy
    fails(store, writing=True)
    assert not store.database.is_healthy
    store.count()
    assert not store.database.is_healthy
    store.clock.skipped_seconds += FAIL_FAST_SECONDS
    store.add(1)
    assert store.database.is_healthy
    fails(store)
    store.clock.skipped_seconds += UNHEALTHY_SECONDS + 0.01
    assert store.database.is_healthy
    assert store.count() == 1


def test_failed_work_is_counted_and_refused_work_is_not(store: Opened) -> None:
    """The meter hears of each attempt that failed, once."""
    fails(store)
    assert NOT_YET in fails(store)
    assert store.meter.failed == ["ledger"]


def unique(store: Opened) -> None:
    """Write a row that is there already."""
    store.add(1)


def misused(store: Opened) -> None:
    """Ask SQLAlchemy for what it refuses."""
    with store.database.reading(store.database.patience()):
        raise InvalidRequestError(MARKER)


def without_note(store: Opened) -> None:
    """Leave out what must be there."""
    with store.database.writing(store.database.patience()) as connection:
        connection.execute(text("INSERT INTO notes (id, note) VALUES (2, NULL)"))


@pytest.mark.parametrize("work", [unique, misused, without_note])
def test_a_refused_value_says_nothing_about_the_store(store: Opened, work: Callable[[Opened], None]) -> None:
    """APPSEC: else one odd row could keep all others from being decided."""
    store.add(1)
    with pytest.raises(StoreError, match=r"refuses a value|it failed"):
        work(store)
    assert store.database.is_healthy
    assert store.count() == 1
    store.add(3)


def insert_twice(connection: Connection) -> None:
    """Fail with values in the database's own words."""
    connection.execute(ADD, {"id": 1, "note": MARKER})
    connection.execute(ADD, {"id": 1, "note": MARKER})


def unknown_column(connection: Connection) -> None:
    """Fail with a parameter in a statement that cannot be."""
    connection.execute(text("SELECT nothing FROM notes WHERE note = :note"), {"note": MARKER})


def unbindable(connection: Connection) -> None:
    """Fail with a value that no driver takes."""
    connection.execute(ADD, {"id": 2, "note": {MARKER: {MARKER}}})


def too_large(connection: Connection) -> None:
    """Fail with a number beyond the column's, as PostgreSQL says; SQLite takes it and fails with the next."""
    connection.execute(ADD, {"id": 2**40, "note": MARKER})
    connection.execute(ADD, {"id": 2**40, "note": MARKER})


@pytest.mark.parametrize("work", [insert_twice, unknown_column, unbindable, too_large])
def test_errors_quote_nothing(
    store: Opened, work: Callable[[Connection], None], caplog: pytest.LogCaptureFixture
) -> None:
    """Neither statement nor value is found in an error, in what it came from, in its traceback or in a log."""
    with pytest.raises(StoreError) as raised:
        store.write(work)
    error: BaseException | None = raised.value
    told = ["".join(traceback.format_exception(raised.value)), caplog.text]
    while error is not None:
        told += [str(error), repr(error), repr(error.args), *map(str, getattr(error, "__notes__", ()))]
        assert error.__cause__ is None
        error = error.__context__
    assert [line for line in told if MARKER in line or "INSERT" in line or "SELECT" in line] == []
    assert raised.value.__context__ is None


def test_an_error_met_while_handling_another_keeps_to_itself(store: Opened) -> None:
    """What was being handled where the store was called is not hung on to the store's error."""
    try:
        int(MARKER)
    except ValueError:
        with pytest.raises(StoreError) as raised:
            store.write(unknown_column)
    assert raised.value.__context__ is None


def test_more_threads_than_connections_do_not_wait(store_url: str) -> None:
    """All are served at once: each further one opens a connection of its own for as long as it lasts."""
    with opened(store_url, connections=1) as store:
        meeting = threading.Barrier(6)
        met: list[int] = []

        def meet() -> None:
            with store.database.reading(store.database.patience()) as connection:
                connection.execute(COUNT)
                met.append(meeting.wait(PATIENCE_SECONDS))

        run_all([threading.Thread(target=meet) for _ in range(6)])
        assert sorted(met) == [*range(6)]


def test_a_closed_database_opens_again(store: Opened) -> None:
    """Closing ends connections, not the use."""
    store.add(1)
    store.database.close()
    assert store.count() == 1


def break_after_writing(connection: Connection) -> None:
    """Write a row, then lose the connection."""
    connection.execute(ADD, {"id": 1, "note": ""})
    driver = connection.connection.driver_connection
    assert driver is not None
    driver.close()


def test_an_exception_survives_a_broken_connection(store: Opened) -> None:
    """Whoever raised it hears of it, not of the roll-back that failed; the connection is not lent again."""

    def work(connection: Connection) -> None:
        break_after_writing(connection)
        raise ValueError("own")

    with pytest.raises(ValueError, match="own"):
        store.write(work)
    assert store.count() == 0
    store.add(1)


def test_a_connection_that_breaks_fails_the_call_and_is_not_lent_again(store: Opened) -> None:
    """The call is undone as a whole; the next has another connection."""
    with pytest.raises(StoreError):
        store.write(break_after_writing)
    store.clock.skipped_seconds += FAIL_FAST_SECONDS
    assert store.count() == 0
    store.add(1)
