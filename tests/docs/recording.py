"""A decision on record, as the service would have left it: for the commands on the page that read the decision log.

Owns what makes it the same at each run: its id, its moment, the key of the hashes. Writes into the reader's folder.
"""

import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from usher.adapters.decision_log import DecisionLog
from usher.adapters.redaction import Redactor
from usher.answer.line import AnswerOptions
from usher.bootstrap.schemas import Schemas
from usher.engine import DEFAULT_NAMESPACES, MemoryDirectory, MemoryLedger, Stores, load_policies
from usher.proof.rehearsal import Kept, Rehearsal

_NOW: Final = 1_772_442_000_000_000_000  # 2026-03-02T09:00:00Z in nanoseconds
_KEY: Final = b"the tests of this page know this"


def record(folder: Path, request: str, decision_id: str, schemas: Schemas) -> None:
    """Let the policies in `folder/policies` decide about a request; leave that in `folder/decisions.….jsonl`."""
    loaded = load_policies(folder / "policies", shape=schemas.policy, profiles=schemas.profiles)
    assert loaded.policy_set is not None
    stores = Stores(MemoryLedger(), MemoryDirectory(), DEFAULT_NAMESPACES)
    options = AnswerOptions(deadline_seconds=60.0)
    rehearsal = Rehearsal(schemas.request, schemas.response, stores, options, lambda: _NOW, lambda *_: None)
    kept = Kept()
    rehearsal.line(loaded.policy_set, kept).answer((folder / request).read_bytes(), time.monotonic())
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
    log.append(replace(kept.records[0], decision_id=decision_id))
    log.close()
    assert log.losses == 0
