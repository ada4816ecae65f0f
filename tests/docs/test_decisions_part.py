"""What docs/operations.md says about the decision log is so."""

import json
import re
from pathlib import Path
from typing import Final

import pytest

from tests.docs import recording
from tests.docs.page import blocks
from tests.docs.playing import played
from tests.docs.test_operations_page import part, rows
from tests.integration.payloads import GUIDE_CASE
from usher.adapters.decision_expiry import MARGIN_SECONDS
from usher.adapters.decision_export import COLUMNS
from usher.adapters.decision_file import RETRY_SECONDS
from usher.adapters.keys import FILE_NAME
from usher.bootstrap.schemas import Schemas
from usher.cli.decisions import decisions_command, export_command, tail_command

PART: Final = part("Decision log")
_POLICIES: Final = {
    "logins.yaml": "policy: logins\nrules:\n  - id: free-login\n    set: {user.login: appuser.email}\n",
    "people.yaml": (
        "policy: people\nrules:\n  - id: title\n    set: {user.title: {value: Guest}}\n"
        "  - id: board\n    when: get(user, 'department', '') == 'Board'\n    hold: {value: ask the board}\n"
    ),
    "trial.yaml": "policy: trial\nmode: shadow\nrules:\n  - id: city\n    set: {user.city: {value: Ghent}}\n",
}
_DECIDED: Final = {
    "01959a1e8d7c4c5fae3b2f60a1": {"login": "ann.lee@example.com"},
    "01959a1e8d7d91d0c27a4be852": {"login": "bo.kim@example.com", "department": "Board"},
}


@pytest.fixture
def folder(tmp_path: Path, schemas: Schemas) -> Path:
    """Return a folder in which two people were decided about, as a service would have left it."""
    (tmp_path / "policies").mkdir()
    for name, text in _POLICIES.items():
        (tmp_path / "policies" / name).write_text(text, encoding="utf-8")
    for decision_id, profile in _DECIDED.items():
        request = json.loads(GUIDE_CASE.read_bytes())
        request["data"]["context"]["application"]["label"] = "Workday"
        request["data"]["user"]["profile"] |= profile
        request["data"]["appUser"]["profile"]["email"] = profile["login"]
        (tmp_path / "request.json").write_text(json.dumps(request), encoding="utf-8")
        recording.record(tmp_path, "request.json", decision_id, schemas)
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / FILE_NAME).write_text(recording._KEY.hex() + "\n", encoding="ascii")
    return tmp_path


def test_the_commands_print_what_is_shown(folder: Path) -> None:
    """An admin who follows the page sees what stands on it."""
    steps = list(played(blocks(PART), folder))
    assert len(steps) == 4
    for step in steps:
        assert step.is_as_shown, f"$ {step.command}\n{step.came}"
    first, *others = (folder / "march.csv").read_text(encoding="utf-8").splitlines()
    assert (first, len(others)) == (",".join(COLUMNS), 2)


def test_every_command_filter_and_column_is_named() -> None:
    """Who looks for a way finds it on the page; what the page names is there."""
    assert [name for name in decisions_command.commands if f"usher decisions {name}" not in PART] == []
    shared = {option for option in options_of(tail_command) if option in options_of(export_command)}
    told = {option for row in rows(PART, "filter") for option in re.findall(r"--[a-z-]+", row[0])}
    assert told == shared - {"--config", "--set"}
    named = PART.split("The table's columns are ")[1].split(". ")[0]
    assert re.findall(r"`(\w+)`", named) == list(COLUMNS)


def options_of(command: object) -> set[str]:
    """Return the long options of a command."""
    params = getattr(command, "params", [])
    return {option for param in params for option in (*param.opts, *param.secondary_opts) if option.startswith("--")}


def test_the_numbers_on_the_page_are_the_numbers() -> None:
    """Numbers in prose go stale."""
    assert (RETRY_SECONDS, "tried again every ten seconds" in PART) == (10, True)
    assert (MARGIN_SECONDS, "with an hour's margin" in PART) == (3600, True)
    assert f"`{FILE_NAME}`" in PART
