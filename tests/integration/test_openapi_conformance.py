"""schemathesis, which derives calls from `schemas/openapi.yaml`, finds nothing in the running service.

All of its checks are on but one: `negative_data_rejection` wants 4xx for data that breaks a schema, where Okta wants a
200 with `error`; that there is one is held by `response_schema_conformance` and the tests of the line.
"""

import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.integration.conftest import StartUsher
from tests.integration.installations import CHECKOUT, Ran, run
from tests.integration.usher_process import SECRET, Address

DOCUMENT = CHECKOUT / "schemas" / "openapi.yaml"
SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
SEED = 8
EXAMPLES = 3000 if os.environ.get("USHER_LONG_TESTS") else 60
# So many come from its coverage phase alone: each keyword of the schema broken once, each method tried.
FEWEST_CALLS = 100
FEWEST_CALLS_OF_OPERATIONS = 50


def examine(folder: Path, address: Address, tag: str, *, document: Path = DOCUMENT, secret: str = SECRET) -> Ran:
    """Let schemathesis examine a listener; its account of all calls goes into the folder."""
    options = {
        "--url": f"http://{address[0]}:{address[1]}",
        "--include-tag": tag,
        "--checks": "all",
        "--exclude-checks": "negative_data_rejection",
        "--seed": str(SEED),
        "--max-examples": str(EXAMPLES if secret else EXAMPLES // 4),
        "--generation-database": "none",
        "--request-timeout": "30",
        "--report": "ndjson",
        "--report-ndjson-path": str(folder / "calls.ndjson"),
        **({"--header": f"Authorization: {secret}"} if secret else {}),
    }
    arguments = [part for pair in options.items() for part in pair]
    return run([SCHEMATHESIS, "run", document, "--no-color", *arguments], folder)


def statuses(folder: Path) -> Counter[int]:
    """Return how often each status was answered, by the account of the last examination."""
    with (folder / "calls.ndjson").open(encoding="utf-8") as lines:
        return Counter(status for line in lines for status in _statuses(json.loads(line)))


def _statuses(part: object) -> Iterator[int]:
    if isinstance(part, dict):
        if isinstance(status := part.get("status_code"), int):
            yield status
        for member in part.values():
            yield from _statuses(member)
    elif isinstance(part, list):
        for member in part:
            yield from _statuses(member)


def test_nothing_is_found(start_usher: StartUsher, tmp_path: Path) -> None:
    """Neither with the secret nor without it, on neither listener; a document that says otherwise is noticed."""
    usher = start_usher("serve", USHER_SECRET=SECRET)
    usher.wait_until_ready()

    ran = examine(tmp_path, usher.hook, "hook")
    assert ran.code == 0, ran.out + ran.err
    answered = statuses(tmp_path)
    assert answered.total() >= FEWEST_CALLS
    # Decided and refused, for want of the credential as well: `ignored_auth` takes it away.
    assert {200, 400, 401, 403, 405, 415} <= answered.keys()

    ran = examine(tmp_path, usher.hook, "hook", secret="")
    assert ran.code == 0, ran.out + ran.err
    answered = statuses(tmp_path)
    assert answered.total() >= FEWEST_CALLS
    assert answered.keys() == {401, 403}

    ran = examine(tmp_path, usher.operations, "operations")
    assert ran.code == 0, ran.out + ran.err
    answered = statuses(tmp_path)
    assert answered.total() >= FEWEST_CALLS_OF_OPERATIONS
    assert {200, 401, 405} <= answered.keys()

    doctored = tmp_path / "openapi.yaml"
    doctored.write_text(
        DOCUMENT.read_text(encoding="utf-8").replace("{const: true}", "{const: false}"), encoding="utf-8"
    )
    ran = examine(tmp_path, usher.operations, "operations", document=doctored)
    assert ran.code == 1
    assert "GET /health/live" in ran.out
    assert usher.stop() == 0
