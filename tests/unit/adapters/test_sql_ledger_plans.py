"""A claim costs the same however much is held: SQLite, which knows nothing of its tables, looks everything up."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import event

from usher.adapters.sql.database import Database, DatabaseOptions, url_of
from usher.adapters.sql.ledger import SqlLedger
from usher.adapters.sql.versions import migrate
from usher.engine import Namespace, Owner, Patience

LOGIN, ACCOUNT = Namespace("login"), Namespace("account")
ANN, BOB = Owner("0oa1", "7"), Owner("0oa1", "8")
LOOKED_UP = {
    "SEARCH holdings USING PRIMARY KEY (namespace=? AND key=?)",
    "SEARCH holdings USING INDEX holdings_by_owner (subject=? AND application=?)",
    # Of what one owner holds.
    "USE TEMP B-TREE FOR ORDER BY",
}


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """Return an empty ledger's database."""
    opened = Database(url_of("sqlite:///ledger.db", tmp_path, "ledger.url"), "ledger", DatabaseOptions())
    migrate(opened)
    yield opened
    opened.close()


def test_no_statement_of_a_decision_goes_through_a_namespace(database: Database) -> None:
    """Whatever a decision asks or writes: by key, or by owner."""
    ledger = SqlLedger(database)
    asked: dict[str, object] = {}

    @event.listens_for(database._engine, "before_cursor_execute")
    def note(_connection: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
        if statement.startswith(("SELECT", "UPDATE", "DELETE")):
            asked[statement] = parameters

    with ledger.claims(BOB, Patience()) as claims:
        claims.take([(LOGIN, "bob")], "p/a")
    with ledger.claims(ANN, Patience()) as claims:
        claims.earlier(LOGIN)
        claims.holders([(LOGIN, "bob")])
        claims.holders([(LOGIN, "ann"), (LOGIN, "ann2"), (ACCOUNT, "ann")])
        assert not claims.take([(LOGIN, "bob")], "p/a")
        assert claims.take([(LOGIN, "ann"), (ACCOUNT, "ann")], "p/a")
        claims.take([(LOGIN, "ann2")], "p/a")
        claims.take([(LOGIN, "ann")], "p/a")
        claims.give_up([(LOGIN, "ann2")], "replaced")
    ledger.holder(LOGIN, "ann", Patience())
    event.remove(database._engine, "before_cursor_execute", note)

    assert {statement.split()[0] for statement in asked} == {"SELECT", "UPDATE", "DELETE"}
    with database.reading(database.patience()) as connection:
        for statement, parameters in asked.items():
            steps = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()  # type: ignore[arg-type]  # as the driver had them
            assert {step[3] for step in steps} <= LOOKED_UP, statement
