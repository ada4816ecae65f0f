"""Claims through the front door: a small policy folder, rows that share a name, callers side by side, what they heard.

Owns what the ledger's integration tests have in common. The service is the one in the environment the tests run in: the
driver of PostgreSQL is an extra, which the wheel's own environment has not.
"""

import itertools
import json
import sqlite3
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg
from sqlalchemy import make_url

from tests.integration.installations import must_run
from tests.integration.payloads import GUIDE_CASE
from tests.integration.usher_process import SECRET, Answer, Caller, UsherProcess

USHER: Final = Path(sys.executable).with_name("usher")
# Okta opens no more at once (its own limit on concurrent inline hooks).
OKTA_CONNECTIONS: Final = 75
DEADLINE_SECONDS: Final = 2.0
CLAIMING_RULE: Final = "logins/free-login"
OTHER_RULE: Final = "titles/title"
UNAVAILABLE: Final = f"{CLAIMING_RULE}: ledger-unavailable"
LOGIN_CONFLICT: Final = ("login",)
SEED: Final = 6
_POLICIES: Final = {
    "logins.yaml": """\
policy: logins
description: Everybody who is created gets a login that nobody else has.
variables:
  stem: get(user, 'firstName', '').lowerAscii() + '.' + get(user, 'lastName', '').lowerAscii()
rules:
  - id: free-login
    only: create
    claim:
      login:
        candidates:
          - variables.stem + '@example.com'
          - variables.stem + string(n) + '@example.com'
        counter: {from: 2, to: 9999}
        exhausted: hold
    set: {user.login: claimed.login}
""",
    "titles.yaml": """\
policy: titles
description: Everybody gets a title, whatever becomes of the ledger.
rules:
  - id: title
    set: {user.title: {value: Guest}}
""",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A row of an import: its own external id, and a name that others have, too."""

    number: int
    family_name: str = "lee"
    conflicts: tuple[str, ...] = ()

    @property
    def owner(self) -> str:
        """Its external id."""
        return f"row-{self.number}"

    def login(self, number: int = 1) -> str:
        """Return the login with a number that people of this name get; the first has none."""
        return f"ann.{self.family_name}{number if number > 1 else ''}@example.com"

    def body(self, event_id: str) -> bytes:
        """Return the call that Okta makes for it; Okta proposes the login without a number to everybody."""
        request = json.loads(GUIDE_CASE.read_bytes())
        request["eventId"] = event_id
        request["data"]["context"]["conflicts"] = list(self.conflicts)
        names = {"firstName": "Ann", "lastName": self.family_name.title(), "email": self.login()}
        request["data"]["appUser"]["profile"] |= {**names, "externalId": self.owner, "userName": self.login()}
        request["data"]["user"]["profile"] |= {**names, "login": self.login()}
        return json.dumps(request).encode()


@dataclass(frozen=True, slots=True)
class Heard:
    """What one call was answered; `login` is the one that was claimed, None when none was. Times are monotonic."""

    row: Row
    status: int
    login: str | None
    errors: tuple[str, ...]
    has_title: bool
    asked: float
    seconds: float

    @property
    def answered(self) -> float:
        """When the answer was there."""
        return self.asked + self.seconds

    @property
    def has_failed_as_it_should(self) -> bool:
        """Whether the claiming rule failed for want of the ledger, and nothing but that rule."""
        return self.login is None and self.errors == (UNAVAILABLE,) and self.has_title


def ask(caller: Caller, row: Row, event_id: str) -> Heard:
    """Call the hook for a row."""
    body = row.body(event_id)
    asked = time.monotonic()
    answer = caller.post(body)
    return _heard(row, answer, asked, time.monotonic() - asked)


def _heard(row: Row, answer: Answer, asked: float, seconds: float) -> Heard:
    context = answer.json.get("debugContext", {})
    assert isinstance(context, dict), answer.body
    claimed = CLAIMING_RULE in context.get("fired", ())
    # What Okta proposes itself needs no command.
    login = str(answer.login or row.login()) if claimed else None
    errors = tuple(context.get("errors", ()))
    return Heard(row, answer.status, login, errors, OTHER_RULE in context.get("fired", ()), asked, seconds)


@contextmanager
def serving(folder: Path, ledger: str, *, prefix: Sequence[str] = ()) -> Iterator[UsherProcess]:
    """Run `usher serve` in a folder of its own, with the small policies, on a ledger; it is gone after the block."""
    with _cleared_away([started(folder, ledger, prefix=prefix)]) as (usher,):
        yield usher


@contextmanager
def serving_without_haste(folders: Sequence[Path], ledger: str) -> Iterator[list[UsherProcess]]:
    """Run one in each folder, all on one ledger, with all the time that settings allow.

    For what must hold however slow the machine is: services, database and callers have two processors between them.
    """
    patience = {"USHER_LEDGER_TIMEOUT_SECONDS": "2", "USHER_SERVER_DEADLINE_SECONDS": "3"}
    with _cleared_away([started(folder, ledger, **patience) for folder in folders]) as ushers:
        yield ushers


@contextmanager
def _cleared_away(ushers: list[UsherProcess]) -> Iterator[list[UsherProcess]]:
    try:
        for usher in ushers:
            usher.wait_until_ready()
        yield ushers
    finally:
        for usher in ushers:
            usher.clear_away()


def started(folder: Path, ledger: str, *, prefix: Sequence[str] = (), **environ: str) -> UsherProcess:
    """Start `usher serve` likewise; whoever calls this has to `clear_away`."""
    policies = folder / "policies"
    policies.mkdir(parents=True, exist_ok=True)
    for name, text in _POLICIES.items():
        (policies / name).write_text(text, encoding="utf-8")
    return UsherProcess(
        [*prefix, USHER, "serve"],
        folder,
        USHER_SECRET=SECRET,
        USHER_LEDGER_URL=ledger,
        USHER_POLICIES_FOLDER="policies",
        USHER_POLICIES_RELOAD="false",
        **environ,
    )


def sqlite_url(file: Path) -> str:
    """Return the URL of an SQLite file."""
    return f"sqlite:///{file.as_posix()}"


def migrate_ledger(ledger: str, folder: Path) -> None:
    """Make the tables of a PostgreSQL ledger, as an admin does once."""
    must_run([USHER, "ledger", "migrate"], folder, USHER_LEDGER_URL=ledger)


def ask_all(ushers: Sequence[UsherProcess], rows: Sequence[Row], event_ids: Sequence[str]) -> list[Heard]:
    """Call for all rows over as many connections as Okta opens, all at once; answers come in the rows' order."""
    connections = min(OKTA_CONNECTIONS, len(rows))
    start = threading.Barrier(connections)
    waiting = iter(list(enumerate(zip(rows, event_ids, strict=True))))
    turn = threading.Lock()

    def work(connection: int) -> list[tuple[int, Heard]]:
        heard: list[tuple[int, Heard]] = []
        with Caller(ushers[connection % len(ushers)].hook) as caller:
            caller.connection.connect()
            start.wait()
            while True:
                with turn:
                    number, (row, event_id) = next(waiting, (-1, (rows[0], "")))
                if number < 0:
                    return heard
                heard.append((number, ask(caller, row, event_id)))

    with ThreadPoolExecutor(connections) as pool:
        told = dict(itertools.chain.from_iterable(pool.map(work, range(connections))))
    return [told[number] for number in range(len(rows))]


def holdings(ledger: str) -> dict[str, str]:
    """Return who holds which login, as it lies in the ledger."""
    query = "SELECT value, subject FROM holdings WHERE namespace = 'login'"
    url = make_url(ledger)
    if url.drivername == "sqlite":
        with closing(sqlite3.connect(url.database or "")) as file:
            return dict(file.execute(query).fetchall())
    with psycopg.connect(ledger) as connection:
        return dict(connection.execute(query).fetchall())


def check_history(heard: Iterable[Heard], held: Mapping[str, str]) -> None:
    """Make sure that no login was answered to two owners, none of them got two, and the ledger knows all of them."""
    owners: dict[str, set[str]] = defaultdict(set)
    logins: dict[str, set[str]] = defaultdict(set)
    for one in heard:
        if one.login is not None:
            owners[one.login].add(one.row.owner)
            logins[one.row.owner].add(one.login)
    shared = {login: found for login, found in owners.items() if len(found) > 1}
    changed = {owner: found for owner, found in logins.items() if len(found) > 1}
    lost = {login: found for login, found in owners.items() if {held.get(login)} != found}
    twice = len(held) - len(set(held.values()))
    # In words: asserts of a module that is no test are not told in full.
    assert not shared, f"answered to several owners: {shared}"
    assert not changed, f"owners who got several logins: {changed}"
    assert not lost, f"answered and not in the ledger: {lost}"
    assert not twice, f"{twice} owners hold several logins"
