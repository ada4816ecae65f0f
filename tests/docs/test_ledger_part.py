"""What docs/operations.md says about ledger and directory is so."""

import re
from pathlib import Path

from tests.docs.page import blocks
from tests.docs.playing import played
from tests.docs.test_operations_page import part, rows
from usher.adapters.sql import failures
from usher.adapters.sql.ledger_tables import SOURCES
from usher.cli.directory import directory_command
from usher.cli.ledger import ledger_command

PART = part("Ledger and directory")


def test_the_commands_print_what_is_shown(tmp_path: Path) -> None:
    """An admin who follows the page sees what stands on it."""
    steps = list(played(blocks(PART), tmp_path))
    assert len(steps) == 9
    for step in steps:
        came = step.came.replace(f"{tmp_path}/", "")
        assert came == step.shown, f"$ {step.command}\n{came}"


def test_the_reasons_in_the_table_are_those_that_are_given() -> None:
    """Who searches the page for what `/status` says finds it."""
    source = Path(failures.__file__).read_text(encoding="utf-8")
    told = [reason for row in rows(PART, "reason") for reason in re.findall(r"[a-z][^`]+", row[0]) if reason != ", "]
    ours = "it was loaded with other settings; load it again"
    assert len(told) > 6
    assert [reason for reason in told if f'"{reason}"' not in source and reason != ours] == []


def test_every_command_and_kind_is_named() -> None:
    """Nothing that the ledger can do is missing, and how a value came to be held is explained."""
    for name, group in (("ledger", ledger_command), ("directory", directory_command)):
        for command in group.commands:
            assert re.search(rf"(usher {name} |`){command}\b", PART), f"usher {name} {command}"
    assert [source for source in SOURCES if source not in PART] == []
