"""What the line makes of stores that fail."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from usher.domain.decision import Outcome
from usher.engine import DEFAULT_NAMESPACES, MemoryDirectory, MemoryLedger, Owner, Patience, StoreError, Stores

POLICY = """\
policy: p
rules:
  - id: login
    claim:
      login: {candidates: ["'ann.lee@example.com'"]}
    set: {user.login: claimed.login}
  - id: title
    set: {user.title: {value: Dr}}
"""


@dataclass
class Stopped(MemoryLedger):
    """A ledger that is away for as long as it is told to be."""

    is_away: bool = True

    def __post_init__(self) -> None:
        super().__init__()

    @contextmanager
    def claims(self, owner: Owner, patience: Patience | None = None) -> Iterator[Any]:
        """Fail, or open a transaction."""
        if self.is_away:
            raise StoreError("ledger", "the disk is full")
        with super().claims(owner, patience) as work:
            yield work


def test_what_a_store_failed_is_decided_anew_when_it_is_asked_again(
    world: Callable[..., Any], payload: Callable[..., dict[str, Any]]
) -> None:
    """The rule that needed it fails and the rest stands; a repeated call must not hear of a failure that is over."""
    ledger = Stopped()
    made = world(POLICY, stores=Stores(ledger, MemoryDirectory(), DEFAULT_NAMESPACES))
    body = json.dumps(payload(user={"login": "a@example.com"}, appuser={"externalId": "7"})).encode()
    first = made.line.answer(body, time.monotonic())
    assert first.outcome is Outcome.COMMANDS
    assert json.loads(first.body)["commands"][0]["value"] == {"title": "Dr"}
    assert [str(fault) for fault in made.kept.records[0].errors] == ["p/login: ledger-unavailable"]
    ledger.is_away = False
    again = made.line.answer(body, time.monotonic())
    assert (again.replayed, again.decision_id == first.decision_id) == (False, False)
    assert json.loads(again.body)["commands"][0]["value"] == {"login": "ann.lee@example.com", "title": "Dr"}
    assert made.line.answer(body, time.monotonic()).replayed
