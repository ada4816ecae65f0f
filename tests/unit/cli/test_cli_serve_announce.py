"""What `usher serve` says when it listens."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from usher.bootstrap.in_force import PoliciesInForce
from usher.cli.serve import announce
from usher.domain.place import Place, Problem, Severity
from usher.engine import PolicySet

POLICY = "policy: p\nrules:\n  - id: a\n    set: {user.title: {value: x}}\n"


def service_of(policies: PolicySet, *warnings: Problem, rejected: tuple[Problem, ...] = ()) -> Any:
    """Return what is announced of a service; with `rejected` it has fallen back to the last good set."""
    return SimpleNamespace(
        policies=PoliciesInForce(policies, datetime.now(UTC)),
        first=SimpleNamespace(
            verdict=SimpleNamespace(problems=warnings),
            rejected=SimpleNamespace(errors=rejected) if rejected else None,
        ),
        folders=SimpleNamespace(policies=Path("policies")),
        decision_log_file=Path("decisions.jsonl"),
        stores=("ledger      usher.db (2 values held)",),
        operations=SimpleNamespace(address="127.0.0.1:8081"),
        hook=SimpleNamespace(address="127.0.0.1:8080"),
    )


def test_what_is_remembered_where_is_said(
    policy_set: Callable[[str | Mapping[str, str]], PolicySet], capsys: pytest.CaptureFixture[str]
) -> None:
    """Each store has a line, on standard error, and the last line says that it is ready."""
    announce(service_of(policy_set(POLICY)))
    said = capsys.readouterr()
    assert "ledger      usher.db (2 values held)" in said.err.splitlines()
    assert said.out == ""
    assert said.err.splitlines()[-1].startswith("ready ")


def test_a_start_with_the_last_good_set_is_said_aloud(
    policy_set: Callable[[str | Mapping[str, str]], PolicySet], capsys: pytest.CaptureFixture[str]
) -> None:
    """Every error of the folder's own set, then one line in capitals with the revision that answers instead."""
    policies = policy_set(POLICY)
    errors = tuple(Problem(Place("policies/p.yaml", line, 5), "unknown-attribute", "no such") for line in (3, 7))
    announce(service_of(policies, rejected=errors))
    lines = capsys.readouterr().err.splitlines()
    assert lines[:3] == [
        "error: policies/p.yaml:3:5: unknown-attribute: no such",
        "error: policies/p.yaml:7:5: unknown-attribute: no such",
        f"WARNING: the policies in policies are rejected: the last good set, {policies.revision}, answers instead",
    ]
    assert lines[3].startswith("policies ")


def test_warnings_of_the_set_in_force_are_said(
    policy_set: Callable[[str | Mapping[str, str]], PolicySet], capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing else is, when all is well."""
    warning = Problem(Place("policies"), "no-tests", "there is no policy test", Severity.WARNING)
    announce(service_of(policy_set(POLICY), warning))
    first, second, *_ = capsys.readouterr().err.splitlines()
    assert first == "warning: policies: no-tests: there is no policy test"
    assert second.startswith("policies ")
