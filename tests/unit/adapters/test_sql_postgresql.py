"""PostgreSQL that stops, dies, freezes and comes back: no call waits, nothing needs a restart."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, text

from tests.databases import ADD, COUNT, Opened, opened
from tests.postgresql import Cluster
from usher.adapters.sql.database import FAIL_FAST_SECONDS, Database, DatabaseOptions, StoreSetupError, url_of
from usher.engine import Patience, StoreError

# Far beyond what anything here takes: only a hang gets there.
PATIENCE_SECONDS = 30.0
TIMEOUT_SECONDS = 0.4
# What a call that may take TIMEOUT_SECONDS must not reach, however loaded the machine is.
TOO_LONG_SECONDS = 2.0
SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'usher'"


@pytest.fixture
def store(postgresql_url: str) -> Iterator[Opened]:
    """Return an open database."""
    with opened(postgresql_url) as store:
        yield store


@pytest.fixture
def hasty(postgresql_url: str) -> Iterator[Opened]:
    """Return an open database whose calls may wait for a moment only; it has been used."""
    with opened(postgresql_url, timeout_seconds=TIMEOUT_SECONDS) as store:
        store.add(1)
        yield store


def in_time(work: Callable[[], object]) -> str:
    """Let work fail within its time; return the reason that was told."""
    began = time.monotonic()
    with pytest.raises(StoreError) as raised:
        work()
    assert time.monotonic() - began < TOO_LONG_SECONDS
    return raised.value.reason


def count_after_recovery(store: Opened) -> int:
    """Return how many rows there are once the store is asked again."""
    store.clock.skipped_seconds += FAIL_FAST_SECONDS
    return store.count()


def eventually(cluster: Cluster, statement: str, expected: int) -> None:
    """Wait until a statement yields a number."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (found := cluster.administer(statement)[0][0]) != expected:
        assert time.monotonic() < deadline, found
        time.sleep(0.02)


def test_a_restart_between_two_calls_is_not_noticed(store: Opened, postgresql: Cluster) -> None:
    """Connections that the server has ended are found out before they are lent; no call fails."""
    hold_three(store)
    postgresql.stop()
    postgresql.start()
    for number in range(6):
        store.add(number)
    assert store.count() == 6
    assert store.meter.failed == []


def hold_three(store: Opened) -> None:
    """Open three connections, kept for later calls."""
    with (
        store.database.reading(Patience()) as one,
        store.database.reading(Patience()) as two,
        store.database.writing(Patience()) as three,
    ):
        assert [connection.execute(COUNT).scalar() for connection in (one, two, three)] == [0, 0, 0]


def test_a_connection_an_administrator_ends_is_not_lent(store: Opened, postgresql: Cluster) -> None:
    """Nor is one that a proxy or a failover closed while nobody used it."""
    hold_three(store)
    ended = postgresql.administer(
        "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE application_name = 'usher'"
    )
    assert ended == [(3,)]
    store.add(1)
    assert store.count() == 1
    assert store.meter.failed == []


def test_while_it_is_down_calls_fail_and_then_work_again(hasty: Opened, postgresql: Cluster) -> None:
    """Nothing has to be restarted but the server; what was committed is there."""
    postgresql.stop()
    assert "cannot be reached" in in_time(hasty.count)
    assert "cannot be reached" in in_time(lambda: hasty.add(2))
    hasty.clock.skipped_seconds += FAIL_FAST_SECONDS
    assert "cannot be reached" in in_time(hasty.count)
    assert not hasty.database.is_healthy
    postgresql.start()
    assert count_after_recovery(hasty) == 1
    hasty.add(2)
    assert hasty.database.is_healthy


def test_a_server_that_dies_under_a_call_fails_it(hasty: Opened, postgresql: Cluster) -> None:
    """The transaction is gone as a whole, and the next one works once the server is back."""

    def work(connection: Connection) -> None:
        connection.execute(ADD, {"id": 2, "note": ""})
        postgresql.kill()

    in_time(lambda: hasty.write(work))
    postgresql.start()
    assert count_after_recovery(hasty) == 1
    hasty.add(2)
    assert hasty.count() == 2


def test_an_exception_survives_the_servers_death(hasty: Opened, postgresql: Cluster) -> None:
    """Whoever raised it hears of it, not of the roll-back that failed."""

    def work(connection: Connection) -> None:
        connection.execute(ADD, {"id": 2, "note": ""})
        postgresql.kill()
        raise ValueError("own")

    with pytest.raises(ValueError, match="own"):
        hasty.write(work)
    postgresql.start()
    assert hasty.count() == 1


def read(store: Opened) -> None:
    """Ask on a connection that is there."""
    store.count()


def write(store: Opened) -> None:
    """Begin a transaction on a connection that is there."""
    store.add(2)


@pytest.mark.parametrize("work", [read, write])
def test_a_frozen_server_costs_no_more_than_the_patience(
    hasty: Opened, postgresql: Cluster, work: Callable[[Opened], None]
) -> None:
    """It keeps its connections open and says nothing; once it goes on, so do the calls, on other connections."""
    postgresql.freeze()
    assert in_time(lambda: work(hasty)) == "it did not answer in time"
    assert not hasty.database.is_healthy
    hasty.clock.skipped_seconds += FAIL_FAST_SECONDS
    # A new connection this time: the other cannot be used any more.
    assert in_time(lambda: work(hasty)) == "it did not answer in time"
    postgresql.thaw()
    assert count_after_recovery(hasty) == 1


@pytest.mark.parametrize("error", [None, ValueError("own")])
def test_a_server_that_freezes_in_a_transaction_costs_no_more(
    hasty: Opened, postgresql: Cluster, error: ValueError | None
) -> None:
    """Neither the end of a transaction nor its roll-back outlasts the patience; the exception of the block is told."""

    def work(connection: Connection) -> None:
        connection.execute(ADD, {"id": 2, "note": ""})
        postgresql.freeze()
        if error is not None:
            raise error

    began = time.monotonic()
    with pytest.raises(StoreError if error is None else ValueError):
        hasty.write(work)
    assert time.monotonic() - began < TOO_LONG_SECONDS
    postgresql.thaw()
    assert count_after_recovery(hasty) in ({1, 2} if error is None else {1})


def test_a_statement_that_takes_too_long_is_left(hasty: Opened, postgresql: Cluster) -> None:
    """The call fails in its time, and the server does not go on with it for much longer."""

    def sleep() -> None:
        with hasty.database.reading(hasty.database.patience()) as connection:
            connection.execute(text("SELECT pg_sleep(60)"))

    assert in_time(sleep) in {"it did not answer in time", "it was stopped, or the statement took too long"}
    eventually(postgresql, f"{SESSIONS} AND state = 'active'", 0)
    assert count_after_recovery(hasty) == 1


def test_who_comes_with_little_patience_does_not_call_the_server_dead(store: Opened, postgresql: Cluster) -> None:
    """He cannot know; others find out for themselves."""
    store.add(1)
    postgresql.freeze()
    with (
        pytest.raises(StoreError, match="did not answer in time"),
        store.database.reading(Patience(0.05)) as connection,
    ):
        connection.execute(COUNT)
    postgresql.thaw()
    assert store.database.is_healthy
    assert store.count() == 1


def test_a_slow_opening_is_taken_over_by_the_next_call(postgresql: Cluster, postgresql_url: str) -> None:
    """Where opening takes longer than a call may, the second call has the connection that the first one wanted."""
    with opened(postgresql_url, timeout_seconds=TIMEOUT_SECONDS) as store:
        store.database.close()
        postgresql.freeze()
        assert in_time(store.count) == "it did not answer in time"
        threads = connecting()
        assert threads == 1
        store.clock.skipped_seconds += FAIL_FAST_SECONDS
        assert in_time(store.count) == "it did not answer in time"
        assert connecting() == threads
        postgresql.thaw()
        assert count_after_recovery(store) == 0
        eventually(postgresql, SESSIONS, 1)


def connecting() -> int:
    """Return how many connections are being opened, by threads that no end of the process waits for."""
    return sum(thread.name == "usher-connecting" and thread.daemon for thread in threading.enumerate())


def test_an_opening_that_failed_meanwhile_is_forgotten(postgresql: Cluster, postgresql_url: str) -> None:
    """The next call opens a connection of its own instead of being told of what is over."""
    with opened(postgresql_url, timeout_seconds=TIMEOUT_SECONDS) as store:
        store.database.close()
        postgresql.freeze()
        in_time(store.count)
        postgresql.kill()
        await_openings()
        postgresql.start()
        assert count_after_recovery(store) == 0


def await_openings() -> None:
    """Wait until no connection is being opened."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while connecting():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_an_opening_nobody_wants_any_more_is_closed(postgresql: Cluster, postgresql_url: str) -> None:
    """What comes after the database was closed does not stay."""
    with opened(postgresql_url, timeout_seconds=TIMEOUT_SECONDS) as store:
        store.database.close()
        postgresql.freeze()
        in_time(store.count)
    postgresql.thaw()
    await_openings()
    eventually(postgresql, SESSIONS, 0)


def test_a_process_that_ends_does_not_wait_for_a_connection(postgresql: Cluster, postgresql_url: str) -> None:
    """However the server hangs, the interpreter goes, and says nothing of threads or connections."""
    script = f"""
from pathlib import Path
from usher.adapters.sql.database import Database, DatabaseOptions, url_of
from usher.engine import StoreError
database = Database(url_of({postgresql_url!r}, Path(), "ledger.url"), "ledger", DatabaseOptions(0.2))
try:
    with database.reading(database.patience()):
        pass
except StoreError as error:
    print(error.reason)
"""
    postgresql.freeze()
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "it did not answer in time\n", "")


def test_the_server_keeps_to_the_time_as_well(monkeypatch: pytest.MonkeyPatch, postgresql_url: str) -> None:
    """It gives up what nobody waits for any more, waits for locks a little shorter, and always speaks UTF-8."""
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "client_encoding")
    with opened(postgresql_url, timeout_seconds=0.8) as store:
        with store.database.reading(store.database.patience()) as connection:
            found = [connection.execute(text(f"SHOW {name}")).scalar() for name in names]
        assert found == ["800ms", "600ms", "10s", "UTF8"]


def test_nothing_is_prepared(store: Opened) -> None:
    """A plan that the server keeps would fail calls after a migration, and behind some poolers at once."""
    with store.database.reading(store.database.patience()) as connection:
        for _ in range(10):
            connection.execute(COUNT)
        assert connection.execute(text("SELECT count(*) FROM pg_prepared_statements")).scalar() == 0


def test_a_server_that_no_longer_leads_is_left(postgresql: Cluster, postgresql_url: str) -> None:
    """Its sessions stay read-only for good: one call fails, then all go to whoever leads now."""
    name = postgresql_url.rpartition("/")[2]
    with opened(postgresql_url) as store:
        store.database.close()
        postgresql.administer(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        hold_three(store)
        postgresql.administer(f"ALTER DATABASE {name} RESET default_transaction_read_only")
        with pytest.raises(StoreError, match="it is read-only"):
            store.add(1)
        store.clock.skipped_seconds += FAIL_FAST_SECONDS
        for number in range(6):
            store.add(number)
        assert store.meter.failed == ["ledger"]


def test_reading_opens_no_transaction(store: Opened) -> None:
    """It would take two more round trips, and keep old rows from being cleaned up."""
    with store.database.reading(store.database.patience()) as connection:
        connection.execute(COUNT)
        driver = connection.connection.driver_connection
        assert driver is not None
        assert driver.info.transaction_status == TransactionStatus.IDLE
    with store.database.writing(store.database.patience()) as connection:
        connection.execute(COUNT)
        driver = connection.connection.driver_connection
        assert driver is not None
        assert driver.info.transaction_status == TransactionStatus.INTRANS


def test_options_of_the_url_are_passed_on(postgresql_url: str) -> None:
    """Those of libpq, and those of a session, which win over our own."""
    with opened(f"{postgresql_url}?application_name=mine&options=-c%20lock_timeout%3D7s") as store:
        with store.database.reading(store.database.patience()) as connection:
            found = [connection.execute(text(f"SHOW {name}")).scalar() for name in ("application_name", "lock_timeout")]
        assert found == ["mine", "7s"]
        assert store.database.place == f"{postgresql_url}?application_name=mine&options=-c+lock_timeout%3D7s"


def test_an_unknown_option_is_a_clear_error() -> None:
    """It is told when the database is set up, by its name."""
    url = url_of("postgresql://usher@127.0.0.1/usher?sslmod=require", Path(), "ledger.url")
    with pytest.raises(StoreSetupError, match='invalid connection option "sslmod"') as raised:
        Database(url, "ledger", DatabaseOptions())
    assert str(raised.value).startswith("postgresql://usher@127.0.0.1/usher?sslmod=require: ")


@pytest.mark.parametrize("wrong", [("/test_", "/other_"), ("//usher@", "//somebody@")])
def test_a_server_that_refuses_is_told(postgresql_url: str, wrong: tuple[str, str]) -> None:
    """What it says comes in its own language: the text names what it may be."""
    database = Database(url_of(postgresql_url.replace(*wrong), Path(), "ledger.url"), "ledger", DatabaseOptions())
    with (
        pytest.raises(StoreError, match="cannot be reached, or refuses this user or database"),
        database.reading(database.patience()),
    ):
        pytest.fail("lent")


def test_a_value_that_a_driver_refuses_says_nothing_about_the_store(store: Opened) -> None:
    """APPSEC: else one odd row could keep all others from being decided."""
    with pytest.raises(StoreError, match="it refuses a value"):
        store.add(1, "a\0b")
    with pytest.raises(StoreError, match="it refuses a value"):
        store.add(2**40)
    assert store.database.is_healthy
    store.add(1)


def test_a_transaction_that_gives_way_to_another_says_nothing_about_the_store(store: Opened) -> None:
    """Two that wait for each other: one is given up, and the database is well."""
    store.add(1)
    store.add(2)
    have_one_each = threading.Barrier(2)
    failures: list[StoreError] = []

    def change(first: int, second: int) -> None:
        try:
            with store.database.writing(store.database.patience()) as connection:
                connection.execute(text("UPDATE notes SET note = 'x' WHERE id = :id"), {"id": first})
                have_one_each.wait(PATIENCE_SECONDS)
                connection.execute(text("UPDATE notes SET note = 'x' WHERE id = :id"), {"id": second})
        except StoreError as error:
            failures.append(error)

    threads = [threading.Thread(target=change, args=pair) for pair in ((1, 2), (2, 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    assert [failure.reason for failure in failures] == ["it gave up on two transactions that waited for each other"]
    assert store.database.is_healthy


def test_without_the_driver_the_error_names_the_extra() -> None:
    """SQLite works without it."""
    script = """
import sys
sys.modules["psycopg"] = None
from pathlib import Path
from usher.adapters.sql.database import Database, DatabaseOptions, StoreSetupError, url_of
Database(url_of("sqlite:///usher.db", Path(), "ledger.url"), "ledger", DatabaseOptions()).close()
try:
    Database(url_of("postgresql://host/name", Path(), "ledger.url"), "ledger", DatabaseOptions())
except StoreSetupError as error:
    print(error)
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert ended.stdout == "PostgreSQL needs the extra of that name: pip install 'okta-usher[postgres]'\n", ended.stderr
