"""What can be wrong with an expression: at compile time (problems, all at once) and at evaluation.

Owns the exceptions of this room. They carry a kind and a place, and never a value from the request. Any thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from usher.errors import UsherError


@dataclass(frozen=True, slots=True)
class ExpressionProblem:
    """One fault found at compile time; `line` and `column` count from 1 within the expression's text."""

    code: str
    message: str
    line: int
    column: int

    def __str__(self) -> str:
        """`LINE:COLUMN: code: message`."""
        return f"{self.line}:{self.column}: {self.code}: {self.message}"


class CompileError(UsherError):
    """The expression cannot be used; `problems` holds every fault found, in the order of the text."""

    def __init__(self, problems: tuple[ExpressionProblem, ...]) -> None:
        """Sort and keep the problems."""
        self.problems = tuple(sorted(problems, key=lambda problem: (problem.line, problem.column, problem.code)))
        super().__init__("; ".join(str(problem) for problem in self.problems))


class Fault(UsherError):  # noqa: N818  errors and exceeded bounds have it in common
    """An evaluation that gives no value. The place is (0, 0) until somebody who knows it fills it in."""

    def __init__(self, kind: str, message: str, *, line: int = 0, column: int = 0, origin: Fault | None = None) -> None:
        """Keep the facts; `kind` is short kebab-case, `message` is made from the expression alone."""
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.line = line
        self.column = column
        # The error of a lazy value, whose place lies in another expression.
        self.origin = origin

    @property
    def code(self) -> str:
        """The kind, under the name that compile problems use."""
        return self.kind

    def placed(self, line: int, column: int) -> Self:
        """Give the place, unless an inner part of the expression already has."""
        if not self.line:
            self.line, self.column = line, column
        return self

    def __str__(self) -> str:
        """`LINE:COLUMN: kind: message`."""
        return f"{self.line}:{self.column}: {self.kind}: {self.message}"


class EvaluationError(Fault):
    """An error in CEL's sense: `&&`, `||`, `exists` and `all` may absorb it."""


class BudgetExceeded(Fault):
    """A bound was exceeded. Nothing in an expression absorbs it: it always ends the evaluation."""


def no_overload(what: str) -> EvaluationError:
    """CEL's 'no such overload': `what` names the operator or function, never the operands."""
    return EvaluationError("no-such-overload", f"{what} is not defined for values of these types")
