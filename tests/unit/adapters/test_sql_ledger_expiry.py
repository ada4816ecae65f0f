"""What a load of the directory tells about claims."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import select

from usher.adapters.sql.database import Database, DatabaseOptions, url_of
from usher.adapters.sql.ledger import SqlLedger
from usher.adapters.sql.ledger_expiry import Settlement, settle_claims
from usher.adapters.sql.ledger_tables import AUDIT, HOLDINGS
from usher.adapters.sql.versions import migrate
from usher.engine import DEFAULT_NAMESPACES, MemoryDirectory, Owner
from usher.engine.stores import LOGIN

EARLY: Final = 1_000
LATE: Final = 2_000
NOW: Final = 3_000


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """Return an empty ledger."""
    opened = Database(url_of("sqlite:///usher.db", tmp_path, "ledger.url"), "ledger", DatabaseOptions())
    migrate(opened)
    yield opened
    opened.close()


def claim(database: Database, login: str, at: int, *, rule: str = "p/a") -> None:
    """Let a person claim a login at a moment."""
    ledger = SqlLedger(database, clock=lambda: at)
    with ledger.claims(Owner("0oa1", login), database.patience()) as claims:
        assert claims.take([(LOGIN, login)], rule)


def settle(database: Database, *logins: str, before: int | None) -> Settlement:
    """Tell the ledger of a load that showed these logins."""
    users = MemoryDirectory([{"id": login, "login": login} for login in logins])
    return settle_claims(database, users, DEFAULT_NAMESPACES, now=NOW, expire_before=before)


def held(database: Database) -> dict[str, int | None]:
    """Return what is held, and when a load first showed it."""
    with database.reading(database.patience()) as connection:
        return {row.value: row.seen for row in connection.execute(select(HOLDINGS))}


def test_what_was_claimed_long_ago_and_never_shown_is_freed(database: Database) -> None:
    """What a load has shown stays for good, what is young stays for now; the audit tells of what went."""
    claim(database, "old@example.com", EARLY)
    claim(database, "remembered@example.com", EARLY, rule="")
    claim(database, "known@example.com", EARLY)
    claim(database, "young@example.com", LATE)
    assert settle(database, "KNOWN@example.com", before=LATE) == Settlement(seen=1, expired=2)
    assert held(database) == {"known@example.com": NOW, "young@example.com": None}
    with database.reading(database.patience()) as connection:
        noted = select(AUDIT.c.value, AUDIT.c.at).where(AUDIT.c.action == "expired")
        assert sorted(map(tuple, connection.execute(noted))) == [
            ("old@example.com", NOW),
            ("remembered@example.com", NOW),
        ]


def test_what_a_load_once_showed_is_never_freed(database: Database) -> None:
    """A user who has gone from Okta may still have mail under that name."""
    claim(database, "ann@example.com", EARLY)
    settle(database, "ann@example.com", before=None)
    assert settle(database, before=NOW) == Settlement(seen=0, expired=0)
    assert held(database) == {"ann@example.com": NOW}


def test_without_an_age_nothing_is_freed(database: Database) -> None:
    """Only the mark is made."""
    claim(database, "ann@example.com", EARLY)
    assert settle(database, before=None) == Settlement(seen=0, expired=0)
    assert held(database) == {"ann@example.com": None}


@pytest.mark.parametrize("source", ["reserved", "leaver"])
def test_what_an_administrator_entered_is_never_freed(database: Database, source: str) -> None:
    """Reserved values belong to nobody whom a load could show."""
    claim(database, "admin@example.com", EARLY)
    with database.writing(database.patience()) as connection:
        connection.execute(HOLDINGS.update().values(source=source))
    assert settle(database, before=NOW) == Settlement(seen=0, expired=0)


def test_a_ledger_of_any_size_is_gone_through(database: Database) -> None:
    """More values than are asked for at a time, with and without a user among each."""
    for number in range(700):
        claim(database, f"user{number:04}@example.com", EARLY)
    shown = [f"user{number:04}@example.com" for number in range(0, 700, 2)]
    assert settle(database, *shown, before=LATE) == Settlement(seen=350, expired=350)
    assert set(held(database)) == set(shown)
