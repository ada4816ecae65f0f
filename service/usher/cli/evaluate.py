"""`usher eval REQUEST.json|-`: the answer the service would give to one request, without a service."""

import sys
import time
from pathlib import Path

import click

from usher.bootstrap.evaluation import KeptInMemory, evaluation_line
from usher.bootstrap.policies import PolicySource, load_source
from usher.cli.group import FINDINGS
from usher.cli.options import config_option, policies_option, set_option, settings_in_force
from usher.domain.decision import Outcome
from usher.errors import UsherError
from usher.proof import explain


class UnreadableRequestError(UsherError):
    """The request's file cannot be read."""


@click.command("eval")
@click.argument("request_file", metavar="REQUEST.json|-", type=click.Path(path_type=Path, allow_dash=True))
@click.option(
    "--explain", "explained", is_flag=True, help="Say on standard error which rules fired, which did not, and why."
)
@policies_option
@config_option
@set_option
def eval_command(
    request_file: Path, explained: bool, policies: Path | None, config: Path | None, overrides: tuple[str, ...]
) -> None:
    """Print the answer to one import request, from a file or from standard input (-).

    Nothing is recorded. Exits 1 when the request cannot be decided or the policies do not load.
    """
    source = load_source(settings_in_force(config, overrides).settings, policies)
    if source.loaded.policy_set is None:
        for problem in source.loaded.errors:
            click.echo(str(problem), err=True)
        sys.exit(FINDINGS)
    if not _answer(_read(request_file), source, explained=explained):
        sys.exit(FINDINGS)


def _answer(body: bytes, source: PolicySource, *, explained: bool) -> bool:
    """Print the answer; say whether it is a decision."""
    policy_set = source.loaded.policy_set
    assert policy_set is not None  # noqa: S101 - the caller has looked
    kept = KeptInMemory()
    line = evaluation_line(policy_set, source.schemas, kept, _say_fault)
    now = line.clock()
    reply = line.answer(body, time.monotonic())
    click.echo(reply.body.decode("utf-8"))
    for record in kept.records if explained else ():
        for text in explain(policy_set, record, now=now):
            click.echo(text, err=True)
    return reply.outcome in {Outcome.DEFAULT, Outcome.COMMANDS, Outcome.HOLD}


def _say_fault(decision_id: str, error: Exception) -> None:
    del decision_id
    # APPSEC: only our own exceptions are known to quote nothing.
    reason = str(error) if isinstance(error, UsherError) else type(error).__name__
    click.echo(f"undecided: {reason}", err=True)


def _read(path: Path) -> bytes:
    try:
        if str(path) == "-":
            if sys.stdin is None:  # closed by whoever started the process
                raise UnreadableRequestError("-: cannot be read: there is no standard input")
            return sys.stdin.buffer.read()
        return path.read_bytes()
    except OSError as error:
        raise UnreadableRequestError(f"{path}: cannot be read: {error.strerror or type(error).__name__}") from None
