"""Two hundred people of one name, in parallel: on PostgreSQL with two processes, on SQLite with one."""

import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.integration.claiming import (
    LOGIN_CONFLICT,
    SEED,
    Heard,
    Row,
    ask_all,
    check_history,
    holdings,
    migrate_ledger,
    serving_without_haste,
    sqlite_url,
)
from tests.integration.usher_process import UsherProcess

PEOPLE = 200


def rows_of(conflicting: str) -> list[Row]:
    """Return rows of one name; Okta reports their login as taken for all of them, or for every second."""
    share = {"all": 1, "half": 2}[conflicting]
    return [Row(number, conflicts=() if number % share else LOGIN_CONFLICT) for number in range(1, PEOPLE + 1)]


def wanted_logins(rows: Sequence[Row]) -> list[str]:
    """Return what these people get together: nothing is skipped, and the name alone is free unless Okta says no."""
    first = 2 if all(row.conflicts for row in rows) else 1
    return [rows[0].login(number) for number in range(first, first + len(rows))]


def ask_again(ushers: Sequence[UsherProcess], first: Sequence[Heard], run: str) -> list[Heard]:
    """Call once more for everybody with an eventId of its own, and once with the first one, in any order."""
    chance = random.Random(SEED)  # noqa: S311 - a repeatable order, no secret
    calls = [(one.row, f"{kind}-{one.row.number}") for one in first for kind in ("first", run)]
    chance.shuffle(calls)
    return ask_all(ushers, [row for row, _ in calls], [event_id for _, event_id in calls])


def all_get_their_own(folders: Sequence[Path], ledger: str, rows: Sequence[Row]) -> None:
    """Call for everybody, again, and again after a restart, with one service per folder."""
    with serving_without_haste(folders, ledger) as ushers:
        first = ask_all(ushers, rows, [f"first-{row.number}" for row in rows])
        again = ask_again(ushers, first, "again")
        assert [usher.stop() for usher in ushers] == [0 for _ in ushers]
    assert sorted(one.login or str(one) for one in first) == sorted(wanted_logins(rows))
    with serving_without_haste(folders, ledger) as ushers:
        later = ask_again(ushers, first, "later")
        assert [usher.stop() for usher in ushers] == [0 for _ in ushers]
    logins = {one.row: one.login for one in first}
    assert [one for one in (*again, *later) if one.login != logins[one.row]] == []
    held = holdings(ledger)
    check_history((*first, *again, *later), held)
    assert len(held) == PEOPLE


@pytest.mark.parametrize("conflicting", ["all", "half"])
def test_one_process_on_sqlite(tmp_path: Path, conflicting: str) -> None:
    """Everybody gets a login, no two the same, no number is skipped; whoever asks again gets it again."""
    all_get_their_own([tmp_path / "one"], sqlite_url(tmp_path / "usher.db"), rows_of(conflicting))


def test_two_processes_on_one_postgresql(tmp_path: Path, postgresql_url: str) -> None:
    """The same with two services that know nothing of each other but the database."""
    migrate_ledger(postgresql_url, tmp_path)
    all_get_their_own([tmp_path / "one", tmp_path / "two"], postgresql_url, rows_of("half"))
