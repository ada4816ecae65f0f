"""A decision on record, as the service would have left it: for the commands on the page that read the decision log.

Owns what makes it the same at each run: its id, its moment, the key of the hashes. Writes into the reader's folder.
"""

import json
import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.docs.page import Block
from tests.docs.playing import Prepare
from usher.adapters.decision_log import DecisionLog
from usher.adapters.redaction import Redactor
from usher.answer.line import AnswerOptions
from usher.answer.record import DecisionRecord
from usher.answer.shadow import Shadow
from usher.bootstrap.schemas import Schemas
from usher.domain.request import ImportRequest
from usher.engine import DEFAULT_NAMESPACES, MemoryDirectory, MemoryLedger, Stores, load_policies
from usher.proof.rehearsal import Kept, Rehearsal

_NOW: Final = 1_772_442_000_000_000_000  # 2026-03-02T09:00:00Z in nanoseconds
_KEY: Final = b"the tests of this page know this"


class _Uncounted:
    def shadowed(self, record: DecisionRecord, targets: tuple[str, ...]) -> None:
        """Let it be."""


def prepared(played: Iterable[Block], schemas: Schemas) -> Prepare:
    """Return what puts a decision on record before the first command that speaks of it.

    A `file` block that has a decision's id behind its name is the request which that decision is about.
    """
    requests = {block.names[1]: block.names[0] for block in played if block.kind == "file" and len(block.names) > 1}

    def prepare(folder: Path, command: str) -> None:
        for decision_id, request in requests.items():
            if decision_id in command and not list(folder.glob("decisions.*")):
                record(folder, request, decision_id, schemas)

    return prepare


def record(folder: Path, request: str, decision_id: str, schemas: Schemas) -> None:
    """Let the policies in `folder/policies` decide about a request; leave that in `folder/decisions.….jsonl`."""
    loaded = load_policies(folder / "policies", shape=schemas.policy, profiles=schemas.profiles)
    assert loaded.policy_set is not None
    stores = Stores(MemoryLedger(), MemoryDirectory(), DEFAULT_NAMESPACES)
    options = AnswerOptions(deadline_seconds=60.0)
    rehearsal = Rehearsal(schemas.request, schemas.response, stores, options, lambda: _NOW, lambda *_: None)
    kept = Kept()
    body = (folder / request).read_bytes()
    rehearsal.line(loaded.policy_set, kept).answer(body, time.monotonic())
    made = replace(kept.records[0], decision_id=decision_id)
    profiles = loaded.policy_set.profiles
    redactor = Redactor(
        _KEY,
        public_user=profiles.user.public,
        public_app_user=profiles.app_user.public,
        lookup_names=profiles.declared("user") | {"id", "status", "login"},
    )
    log = DecisionLog(
        folder / "decisions.jsonl", redactor, lambda: None, started=datetime.fromtimestamp(_NOW / 1e9, UTC)
    )
    log.append(made)
    shadow = Shadow(log, _Uncounted(), stores, lambda *_: None)
    asked = shadow.after(loaded.policy_set, ImportRequest.from_wire(json.loads(body)), made, _NOW)
    if asked is not None:
        asked()
    log.close()
    assert log.losses == 0
