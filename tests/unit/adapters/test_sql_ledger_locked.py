"""What a decision has seen as its owner's stays its owner's until the decision is made, on both databases."""

from pathlib import Path

import pytest

from usher.adapters.sql.database import Database, DatabaseOptions, url_of
from usher.adapters.sql.ledger import SqlLedger
from usher.adapters.sql.ledger_admin import release
from usher.adapters.sql.versions import migrate
from usher.engine import Namespace, Owner, Patience, StoreError

LOGIN = Namespace("login")
ANN, BOB = Owner("0oa1", "7"), Owner("0oa1", "8")


def test_nobody_frees_what_is_about_to_be_given_again(store_url: str, tmp_path: Path) -> None:
    """An administrator's release waits for the decision: else the value would be answered to its owner and another."""
    url = url_of(store_url, tmp_path, "ledger.url")
    ours, theirs = Database(url, "ledger", DatabaseOptions()), Database(url, "ledger", DatabaseOptions(0.2))
    migrate(ours)
    ledger = SqlLedger(ours)
    with ledger.claims(ANN, Patience()) as claims:
        assert claims.take([(LOGIN, "ann")], "p/a")
    with ledger.claims(ANN, Patience()) as claims:
        assert claims.earlier(LOGIN) == ("ann",)
        with pytest.raises(StoreError):
            release(theirs, LOGIN, "ann", reason="left")
        assert claims.take([(LOGIN, "ann")], "p/a")
    assert ledger.holder(LOGIN, "ann", Patience()) == ANN
    ours.close()
    theirs.close()


def test_a_value_that_was_freed_meanwhile_is_claimed_anew(store_url: str, tmp_path: Path) -> None:
    """Who held it and who asks for it first are alike from then on."""
    database = Database(url_of(store_url, tmp_path, "ledger.url"), "ledger", DatabaseOptions())
    migrate(database)
    ledger = SqlLedger(database)
    for owner in (ANN, BOB):
        with ledger.claims(owner, Patience()) as claims:
            assert claims.earlier(LOGIN) == ()
            assert claims.take([(LOGIN, "ann")], "p/a")
        assert len(release(database, LOGIN, "ann", reason="left")) == 1
    database.close()
