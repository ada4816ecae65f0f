"""`usher diff OLD NEW`: two policy folders, rule by rule."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from usher.bootstrap.policies import load_source
from usher.cli.group import FINDINGS
from usher.cli.options import config_option, set_option, settings_in_force
from usher.engine import PolicySet
from usher.engine.changes import Change, Kind, changes
from usher.settings import LoadedSettings

_SIGNS: Final = {Kind.ADDED: "+", Kind.REMOVED: "-", Kind.CHANGED: "~"}
_NOTHING: Final = "nothing"


@click.command("diff")
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@click.option("--format", "report", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--exit-code", is_flag=True, help="Exit 1 when something differs.")
@config_option
@set_option
def diff_command(
    old: Path, new: Path, report: str, exit_code: bool, config: Path | None, overrides: tuple[str, ...]
) -> None:
    """Say what differs between two policy folders: rules, ladders, constants, variables, tables.

    Where something stands in its file does not count, nor do YAML's comments. Exits 1 when a folder has errors, which
    are printed instead, and with --exit-code when something differs.
    """
    settings = settings_in_force(config, overrides)
    before, after = _load(settings, old), _load(settings, new)
    if before is None or after is None:
        sys.exit(FINDINGS)
    made = changes(before, after)
    for line in _as_json(made) if report == "json" else _as_text(made):
        click.echo(line)
    if exit_code and made:
        sys.exit(FINDINGS)


def _load(settings: LoadedSettings, folder: Path) -> PolicySet | None:
    loaded = load_source(settings, folder).loaded
    for problem in loaded.errors:
        click.echo(str(problem), err=True)
    return loaded.policy_set


def _as_text(made: tuple[Change, ...]) -> Iterator[str]:
    for change in made:
        yield f"{_SIGNS[change.kind]} {change.what} {change.name} ({change.place})"
        for part in change.parts:
            yield f"    {part.part}:"
            yield from (f"      - {line}" for line in (part.before or _NOTHING).splitlines())
            yield from (f"      + {line}" for line in (part.after or _NOTHING).splitlines())


def _as_json(made: tuple[Change, ...]) -> Iterator[str]:
    entries = [
        {
            "kind": change.kind.value,
            "what": change.what,
            "name": change.name,
            "file": change.place.file,
            "line": change.place.line,
            "column": change.place.column,
            "parts": [{"part": part.part, "before": part.before, "after": part.after} for part in change.parts],
        }
        for change in made
    ]
    yield from json.dumps(entries, indent=1, ensure_ascii=True).splitlines()
