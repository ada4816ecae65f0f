"""`usher decisions tail|show|export`: what is on record, for the administrator.

Owns what these print. They only read, beside services that may be writing. Main thread only.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import click

from usher.adapters.decision_export import as_csv, as_jsonl, as_spreadsheet
from usher.adapters.decision_files import files_of
from usher.adapters.decision_reading import Line, merged
from usher.adapters.decision_search import find_decision, no_log
from usher.adapters.decision_tail import Follower, ends_of_lines, newest, sizes
from usher.cli.decision_options import filter_options, wanted
from usher.cli.decision_words import told_broken, told_decision
from usher.cli.options import config_option, set_option, settings_in_force
from usher.cli.output import output_option, write_out
from usher.cli.talk import say

_LOOK_SECONDS: Final = 0.25


@click.command("tail")
@click.option("-n", "--lines", "count", type=click.IntRange(min=0), default=10, show_default=True, help="The newest N.")
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@click.option("--json", "as_lines", is_flag=True, help="The log's own lines, one JSON object each.")
@filter_options
@config_option
@set_option
def tail_command(
    count: int, follow: bool, as_lines: bool, config: Path | None, overrides: tuple[str, ...], **said: object
) -> None:
    """Print the newest decisions, the oldest of them first.

    A line tells when the call was taken up, the decision's id, its outcome, the application, which rules fired or held,
    and how long it took. WHEN is a date, which begins at midnight UTC, or a moment with its offset as by RFC 3339.
    VALUE is what stands in the profile, spelled exactly so. With --follow new files are found, also those of services
    that start meanwhile. Lines that are torn or damaged are skipped and said.
    """
    loaded = settings_in_force(config, overrides)
    stem, filtered = loaded.settings.decisions.file, wanted(loaded, said)
    files = files_of(stem)
    if not files and not follow:
        raise no_log(stem)
    places = ends_of_lines(files) if follow else sizes(files)
    print_line = _line_printer(as_lines)
    for line in newest(files, places, filtered, count, _say_broken):
        print_line(line)
    if follow:
        with suppress(KeyboardInterrupt):
            _follow(Follower(stem, places, filtered, _say_broken), print_line)


@click.command("show")
@click.argument("decision_id")
@config_option
@set_option
def show_command(decision_id: str, config: Path | None, overrides: tuple[str, ...]) -> None:
    """Print all that is on record of one decision, as JSON.

    `answer` is the line of what was answered, `shadow` that of what the shadow policies would have done, or null.
    `usher why DECISION_ID` tells the same in words. Exits 2 when no file of the log holds the decision.
    """
    loaded = settings_in_force(config, overrides)
    found = find_decision(loaded.settings.decisions.file, decision_id)
    click.echo(json.dumps({"answer": found.line, "shadow": found.shadow}, indent=1))


@click.command("export")
@click.option("--format", "form", type=click.Choice(["jsonl", "csv"]), default="jsonl", show_default=True)
@click.option("--for-spreadsheet", is_flag=True, help="CSV for Excel and its like: no cell is a formula.")
@output_option
@filter_options
@config_option
@set_option
def export_command(
    form: str,
    for_spreadsheet: bool,
    output: Path | None,
    config: Path | None,
    overrides: tuple[str, ...],
    **said: object,
) -> None:
    """Write decisions, the oldest first, as the log has them or as a table.

    Filters are those of `usher decisions tail`. The order is that of time but for calls that were in work side by side.
    The table has one row for a decision and the columns of operations.md; several names in a cell have blanks between
    them. With --for-spreadsheet a cell that a spreadsheet would run begins with an apostrophe. Lines that are torn or
    damaged are skipped and said.
    """
    if for_spreadsheet and form != "csv":
        raise click.UsageError("--for-spreadsheet has a meaning with --format csv only")
    loaded = settings_in_force(config, overrides)
    stem = loaded.settings.decisions.file
    files = files_of(stem)
    if not files:
        raise no_log(stem)
    lines = merged(files, wanted(loaded, said), _say_broken)
    write_out(output, _form(form, for_spreadsheet=for_spreadsheet)(lines))


def _form(form: str, *, for_spreadsheet: bool) -> Callable[[Iterable[Line]], Iterator[bytes]]:
    if form == "jsonl":
        return as_jsonl
    return as_spreadsheet if for_spreadsheet else as_csv


def _line_printer(as_lines: bool) -> Callable[[Line], None]:
    if as_lines:
        return lambda line: click.echo(line.content)
    return lambda line: click.echo(told_decision(line))


def _follow(follower: Follower, print_line: Callable[[Line], None]) -> None:
    """Print what comes until somebody ends it."""
    while True:
        lines, has_grown = follower.news()
        for line in lines:
            print_line(line)
        if not has_grown:
            time.sleep(_LOOK_SECONDS)


def _say_broken(path: Path, number: int, count: int) -> None:
    say(told_broken(path, number, count))


decisions_command = click.Group(
    "decisions",
    commands=[tail_command, show_command, export_command],
    help="See what was decided, follow it, take it elsewhere.",
)
