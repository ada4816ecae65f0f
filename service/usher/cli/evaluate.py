"""`usher eval REQUEST.json|-…`: the answers the service would give to requests, without a service."""

import json
import sys
from pathlib import Path

import click

from usher.bootstrap.evaluation import Evaluated, Evaluation
from usher.bootstrap.policies import limits_of, load_source
from usher.bootstrap.stores import memory_stores
from usher.cli.group import FINDINGS
from usher.cli.known_users import directory_option, read_directory
from usher.cli.options import config_option, policies_option, set_option, settings_in_force
from usher.errors import UsherError
from usher.proof.found import DECIDED
from usher.proof.words import as_data, told, told_of_shadow


class UnreadableRequestError(UsherError):
    """The request's file cannot be read."""


@click.command("eval")
@click.argument(
    "request_files",
    metavar="REQUEST.json|-...",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path, allow_dash=True),
)
@click.option(
    "--explain", "explained", is_flag=True, help="Say on standard error which rules fired, which did not, and why."
)
@click.option(
    "--format",
    "report",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="With json, --explain prints one object a line with `answer`, `account` and `shadow` instead.",
)
@directory_option
@policies_option
@config_option
@set_option
def eval_command(
    request_files: tuple[Path, ...],
    explained: bool,
    report: str,
    directory_file: Path | None,
    policies: Path | None,
    config: Path | None,
    overrides: tuple[str, ...],
) -> None:
    """Print the answers to import requests, one a line, from files or from standard input (-).

    Requests are decided in the order given, on one ledger in memory: the second finds what the first claimed.
    Nothing is recorded. Exits 1 when a request cannot be decided or the policies do not load.
    """
    settings = settings_in_force(config, overrides)
    source = load_source(settings, policies)
    policy_set = source.loaded.policy_set
    if policy_set is None:
        for problem in source.loaded.errors:
            click.echo(str(problem), err=True)
        sys.exit(FINDINGS)
    evaluation = Evaluation(
        policy_set,
        source.schemas,
        _say_fault,
        stores=memory_stores(settings.settings, read_directory(directory_file).users),
        hold=settings.settings.hold,
        limits=limits_of(settings.settings.cel),
    )
    # All are read first: a file that is missing must not leave half of the answers.
    bodies = [_read(path) for path in _once(request_files)]
    decided = True
    for body in bodies:
        evaluated = evaluation.evaluate(body, with_shadow=explained)
        _report(evaluation, evaluated, explained=explained, as_json=report == "json")
        decided = decided and evaluated.reply.outcome in DECIDED
    if not decided:
        sys.exit(FINDINGS)


def _report(evaluation: Evaluation, evaluated: Evaluated, *, explained: bool, as_json: bool) -> None:
    answer = evaluated.reply.body.decode("utf-8")
    if not explained:
        click.echo(answer)
        return
    accounts = list(evaluation.accounts(evaluated))
    if as_json:
        account, shadow = ([as_data(*told_of) for told_of in accounts] + [None, None])[:2]
        click.echo(json.dumps({"answer": json.loads(answer), "account": account, "shadow": shadow}))
        return
    click.echo(answer)
    for (record, rules), words in zip(accounts, (told, told_of_shadow), strict=False):
        for line in words(record, rules):
            click.echo(line, err=True)


def _say_fault(decision_id: str, error: Exception) -> None:
    del decision_id
    # APPSEC: only our own exceptions are known to quote nothing.
    reason = str(error) if isinstance(error, UsherError) else type(error).__name__
    click.echo(f"undecided: {reason}", err=True)


def _once(paths: tuple[Path, ...]) -> tuple[Path, ...]:
    if [str(path) for path in paths].count("-") > 1:
        raise click.UsageError("standard input (-) can be read only once")
    return paths


def _read(path: Path) -> bytes:
    try:
        if str(path) == "-":
            if sys.stdin is None:  # closed by whoever started the process
                raise UnreadableRequestError("-: cannot be read: there is no standard input")
            return sys.stdin.buffer.read()
        return path.read_bytes()
    except OSError as error:
        raise UnreadableRequestError(f"{path}: cannot be read: {error.strerror or type(error).__name__}") from None
