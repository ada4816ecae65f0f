"""CEL that is right, safe and fast: expressions compiled once into closures over plain Python values.

Owns everything about the expression language and knows nothing of Okta, policies or files. A compiled `Expression`
serves all threads; a `Budget` and a `Lazy` belong to the thread that makes the decision.
"""

from usher.cel.analysis import ContextualCall, PathRead
from usher.cel.errors import BudgetExceeded, CompileError, EvaluationError, ExpressionProblem
from usher.cel.expression import Expression, Verdict, compile  # noqa: A004  the word every reader of `re` knows
from usher.cel.functions import STANDARD
from usher.cel.limits import DEFAULT_LIMITS, Budget, Limits
from usher.cel.observing import Observed, Part, Sighting, observe
from usher.cel.reasons import Reason, Sight
from usher.cel.signatures import Function, Functions, Overload
from usher.cel.values import Duration, Kind, Lazy, Timestamp, TypeValue, Uint

__all__ = [
    "DEFAULT_LIMITS",
    "STANDARD",
    "Budget",
    "BudgetExceeded",
    "CompileError",
    "ContextualCall",
    "Duration",
    "EvaluationError",
    "Expression",
    "ExpressionProblem",
    "Function",
    "Functions",
    "Kind",
    "Lazy",
    "Limits",
    "Observed",
    "Overload",
    "Part",
    "PathRead",
    "Reason",
    "Sight",
    "Sighting",
    "Timestamp",
    "TypeValue",
    "Uint",
    "Verdict",
    "compile",
    "observe",
]
