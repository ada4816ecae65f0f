"""`usher cel`: evaluates one expression, for trying things out.

Reads, evaluates, reports, exits: 0 fine, 1 the expression or its evaluation is at fault, 2 misuse. The value goes to
stdout as JSON.
"""

from __future__ import annotations

import base64
import json
import math
import sys
from typing import IO

import click

from usher.answer import wire
from usher.cel import BudgetExceeded, CompileError, Duration, EvaluationError, Timestamp, TypeValue
from usher.cel import compile as compile_cel
from usher.cel.core_functions import double_text
from usher.cel.time_values import duration_text, timestamp_text

_FINDINGS, _MISUSE = 1, 2


@click.command("cel")
@click.argument("expression")
@click.option(
    "--input",
    "source",
    type=click.File("rb"),
    help="A JSON object whose top-level keys are the names the expression may use; - for standard input.",
)
def cel_command(expression: str, source: IO[bytes] | None) -> None:
    """Evaluate EXPRESSION and print its value as JSON.

    Problems are printed as expression:LINE:COLUMN: code: message. Exit codes: 0 fine, 1 the expression or its
    evaluation is at fault, 2 misuse.
    """
    bindings = _bindings(source) if source else {}
    try:
        value = compile_cel(expression, names=bindings.keys()).evaluate(bindings)
    except CompileError as error:
        for problem in error.problems:
            click.echo(f"expression:{problem}", err=True)
        sys.exit(_FINDINGS)
    except (EvaluationError, BudgetExceeded) as error:
        click.echo(f"expression:{error}", err=True)
        sys.exit(_FINDINGS)
    click.echo(_as_json(value))


def _as_json(value: object) -> str:
    """Return one line; text that no terminal can show (lone surrogates) is escaped."""
    line = json.dumps(_plain(value), ensure_ascii=False)
    try:
        line.encode()
    except UnicodeEncodeError:
        return json.dumps(_plain(value))
    return line


def _bindings(source: IO[bytes]) -> dict[str, object]:
    try:
        content = wire.parse(source.read())  # as strictly as a request: what is tried out here decides there
    except wire.NotParsableError as error:
        where = f"{error.line}:{error.column}: " if error.line else ""
        click.echo(f"--input: {where}{error.code}: {error}", err=True)
        sys.exit(_MISUSE)
    if not isinstance(content, dict):
        click.echo("--input: expected a JSON object", err=True)
        sys.exit(_MISUSE)
    return content


def _plain(value: object) -> object:
    """Return what JSON can say: times, types, NaN and infinity as text, bytes in base64, keys as text."""
    match value:
        case Timestamp():
            return timestamp_text(value)
        case Duration():
            return duration_text(value)
        case TypeValue():
            return value.name
        case float() if not math.isfinite(value):
            return double_text(value)
        case bytes():
            return base64.b64encode(value).decode()
        case list():
            return [_plain(item) for item in value]
        case dict():
            return {key if isinstance(key, str) else json.dumps(key): _plain(item) for key, item in value.items()}
    return value
