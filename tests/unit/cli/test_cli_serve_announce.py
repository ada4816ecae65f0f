"""What `usher serve` says when it listens."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from usher.bootstrap.in_force import PoliciesInForce
from usher.cli.serve import announce
from usher.engine import PolicySet

CLAIM = """\
policy: p
rules:
  - id: free
    claim:
      login: {candidates: ["'ann@example.com'"]}
    set: {user.login: claimed.login}
"""
CASES = {
    "claims": (CLAIM, True),
    "claims in shadow": (CLAIM.replace("rules:", "mode: shadow\nrules:"), False),
    "no claims": ("policy: p\nrules:\n  - id: a\n    set: {user.title: {value: x}}\n", False),
}


@pytest.mark.parametrize(("policy", "warned"), CASES.values(), ids=CASES)
def test_a_ledger_that_forgets_is_said_aloud(
    policy_set: Callable[[str | Mapping[str, str]], PolicySet],
    capsys: pytest.CaptureFixture[str],
    policy: str,
    *,
    warned: bool,
) -> None:
    """One line, on standard error, whenever a policy in force relies on it."""
    service: Any = SimpleNamespace(
        policies=PoliciesInForce(policy_set(policy), datetime.now(UTC)),
        source=SimpleNamespace(loaded=SimpleNamespace(problems=()), folder=Path("policies")),
        decision_log_file=Path("decisions.jsonl"),
        operations=SimpleNamespace(address="127.0.0.1:8081"),
        hook=SimpleNamespace(address="127.0.0.1:8080"),
    )
    announce(service)
    said = capsys.readouterr()
    warning = "warning: the ledger is in memory only: "
    assert [line.startswith(warning) for line in said.err.splitlines()].count(True) == int(warned)
    assert said.out == ""
    assert said.err.splitlines()[-1].startswith("ready ")
