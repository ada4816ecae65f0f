"""`usher check [DIR]`: every problem of a policy folder, without serving it."""

import sys
from pathlib import Path

import click

from usher.bootstrap.testing import load_tests
from usher.cli.group import FINDINGS
from usher.cli.options import config_option, set_option, settings_in_force
from usher.cli.reports import REPORTS
from usher.domain.place import Severity


@click.command("check")
@click.argument("folder", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@click.option("--strict", is_flag=True, help="Warnings count as findings, too.")
@click.option(
    "--format",
    "report",
    type=click.Choice(list(REPORTS)),
    default="pretty",
    show_default=True,
    help="For a person, for a program, or as annotations of GitHub Actions.",
)
@config_option
@set_option
def check_command(
    folder: Path | None, strict: bool, report: str, config: Path | None, overrides: tuple[str, ...]
) -> None:
    """Check a policy folder and its tests: syntax, names, attributes.

    Prints every problem, sorted by file and place; with the format `pretty` as `file:line:column: code: message`.
    Without DIR the folder in the settings is checked. Exits 1 when there is an error, or with --strict any problem.
    """
    tests = load_tests(settings_in_force(config, overrides), folder)
    loaded = tests.source.loaded
    # That there is no test is for `usher test` to say.
    problems = tests.problems if any(file.is_test for file in loaded.files) else loaded.problems
    for line in REPORTS[report](problems):
        click.echo(line)
    errors = sum(problem.severity is Severity.ERROR for problem in problems)
    warnings = len(problems) - errors
    rules = len(loaded.policy_set.rules) if loaded.policy_set else 0
    counted = f"{rules} rules, " if loaded.policy_set else ""
    click.echo(f"{loaded.file_count} policy files, {counted}{errors} errors, {warnings} warnings", err=True)
    if errors or (strict and warnings):
        sys.exit(FINDINGS)
