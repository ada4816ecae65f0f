"""What the page says about policy tests is so: what commands print, which options, keys and words there are."""

import json
from pathlib import Path

import click

from tests.docs.page import blocks, page, part, quoted, table
from tests.docs.playing import played
from tests.docs.recording import prepared
from usher.bootstrap.schemas import Schemas
from usher.cli.group import usher
from usher.proof.accounts import Standing

PLAYED = [block for block in blocks(part("Policy tests")) if block.kind in {"file", "more", "run"}]
START = [block.under("policies") for block in blocks(page()) if block.names[:1] == ("file",)]


def test_every_command_gives_what_is_shown(tmp_path: Path, schemas: Schemas) -> None:
    """From the policy and the tests at the top of the reference, every output on the page is what comes out."""
    steps = list(played([*START, *PLAYED], tmp_path, prepared(PLAYED, schemas)))
    assert len(steps) > 10
    for step in steps:
        assert step.is_as_shown, f"$ {step.command}\n{step.came}"


def test_every_option_has_its_row() -> None:
    """The table knows the options of `usher test`, and no other."""
    command = usher.get_command(click.Context(usher), "test")
    assert command is not None
    options = [name for option in command.params if isinstance(option, click.Option) for name in option.opts]
    told = [name for row in table("### Running the tests", "option") for name in quoted(row[0])]
    assert sorted(told) == sorted(options)


def test_every_standing_has_its_row() -> None:
    """A program that reads an account knows what its words mean."""
    rows = table("### Why a decision came out so", "standing")
    assert [quoted(row[0]) for row in rows] == [[standing.value] for standing in Standing]


def test_every_stage_has_its_row(root: Path) -> None:
    """The stages on the page are those of the decision log, in the order in which they are passed."""
    schema = json.loads((root / "schemas" / "decision.schema.json").read_text(encoding="utf-8"))
    rows = table("### Why a decision came out so", "stage")
    assert [quoted(row[0]) for row in rows] == [
        [stage] for stage in schema["properties"]["stages"]["propertyNames"]["enum"]
    ]
