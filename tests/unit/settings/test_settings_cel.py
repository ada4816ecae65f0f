"""The bounds of expressions reach the compiler and the decisions."""

import json
import time
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from tests.rehearsing import line_over
from usher.bootstrap.policies import limits_of, load_source
from usher.bootstrap.schemas import Schemas
from usher.bootstrap.stores import memory_stores
from usher.cel import DEFAULT_LIMITS, Budget, BudgetExceeded, Limits
from usher.cel import compile as compile_cel
from usher.domain.decision import Outcome
from usher.engine import PolicySet
from usher.proof.rehearsal import Kept
from usher.settings import CelSettings, Settings, SettingsError, load


def test_the_defaults_are_those_of_cel() -> None:
    """Settings that nobody touched bound expressions as `usher.cel` does by itself."""
    assert limits_of(CelSettings()) == DEFAULT_LIMITS


def test_each_setting_is_a_bound_of_its_own() -> None:
    """No setting is lost and none stands for two bounds."""
    different = CelSettings(*range(1, 1 + len(fields(CelSettings))))
    limits = limits_of(different)
    assert sorted(getattr(limits, bound.name) for bound in fields(Limits)) == list(range(1, 1 + len(fields(Limits))))


def test_a_shorter_expression_may_be_asked_for(tmp_path: Path) -> None:
    """The shipped policies break a bound of 100 characters, and say so where they do."""
    settings = tmp_path / "usher.toml"
    settings.write_text("[cel]\nexpression_chars = 100\n", encoding="utf-8")
    found = load_source(load(settings, environ={}, overrides={}, folder=tmp_path))
    assert "too-long" in {problem.code for problem in found.loaded.errors}


def test_a_decision_has_the_steps_of_the_settings() -> None:
    """A budget made of the settings' bounds ends where they say."""
    expression = compile_cel("l.all(x, true)", names={"l"})
    for steps, ends in ((1_000, True), (2_000, False)):
        budget = Budget(limits=limits_of(CelSettings(steps=steps)))
        if ends:
            with pytest.raises(BudgetExceeded):
                expression.evaluate({"l": [0] * 1_500}, budget=budget)
        else:
            assert expression.evaluate({"l": [0] * 1_500}, budget=budget) is True


@pytest.mark.parametrize(("steps", "outcome"), [(2, Outcome.UNDECIDED), (10, Outcome.COMMANDS)])
def test_the_bounds_reach_the_line(
    steps: int,
    outcome: Outcome,
    policy_set: Callable[..., PolicySet],
    schemas: Schemas,
    payload: Callable[..., dict[str, Any]],
) -> None:
    """What the settings allow is what a decision may use up."""
    policies = policy_set(
        "policy: p\nrules:\n  - id: a\n    when: '[1, 2, 3].all(x, x > 0)'\n    set: {user.title: \"'x'\"}\n"
    )
    line = line_over(
        policies,
        schemas,
        Kept(),
        lambda *_: None,
        stores=memory_stores(Settings()),
        limits=limits_of(CelSettings(steps=steps)),
    )
    assert line.answer(json.dumps(payload()).encode(), time.monotonic()).outcome is outcome


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "1000000000", '"many"'])
def test_a_bound_is_within_its_range(tmp_path: Path, value: str) -> None:
    """A slip of a key does not switch a bound off."""
    settings = tmp_path / "usher.toml"
    settings.write_text(f"[cel]\nsteps = {value}\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"cel\.steps"):
        load(settings, environ={}, overrides={}, folder=tmp_path)
