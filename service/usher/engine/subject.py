"""Whose row this is: the expression in `ledger.subject`, over the request alone.

Owns what such an expression may read. What people share or change, logins and names, would hand one person's values to
another the day two of them are alike. Compiled at the start, evaluated by any thread.
"""

from collections.abc import Callable
from typing import Final

from usher import cel
from usher.cel import BudgetExceeded, ContextualCall, EvaluationError, ExpressionProblem, PathRead
from usher.domain.request import ImportRequest
from usher.engine.stores import external_id

DEFAULT: Final = "get(appuser, 'externalId', '')"
NAMES: Final = frozenset({"appuser", "user", "context", "input"})
REFUSED: Final = frozenset(
    {
        "displayName",
        "email",
        "firstName",
        "lastName",
        "login",
        "middleName",
        "nickName",
        "secondEmail",
        "userName",
    }
)


def subject_of(text: str) -> Callable[[ImportRequest], str]:
    """Return a function that yields a row's immutable id, '' for one that brings none; raises `CompileError`.

    An error, and a value that is neither text nor whole number, count as none.
    """
    if text == DEFAULT:
        return external_id
    expression = cel.compile(text, names=NAMES)
    problems = [_refused(read) for read in expression.reads if read.path[-1] in REFUSED]
    problems += [_asks(call) for call in expression.contextual_calls]
    if problems:
        raise cel.CompileError(tuple(problems))

    def subject(request: ImportRequest) -> str:
        bindings = {
            "appuser": request.app_user,
            "user": request.user,
            "context": request.context,
            "input": request.wire,
        }
        try:
            value = expression.evaluate(bindings)
        except (EvaluationError, BudgetExceeded):
            return ""
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        return value if isinstance(value, str) and value.strip() else ""

    return subject


def _refused(read: PathRead) -> ExpressionProblem:
    message = f"{read.path[-1]} is no id: people share it, or change it"
    return ExpressionProblem("shared-subject", message, read.line, read.column)


def _asks(call: ContextualCall) -> ExpressionProblem:
    message = f"{call.function}() asks for what changes; an id comes from the row alone"
    return ExpressionProblem("changing-subject", message, call.line, call.column)
