"""The only place that touches celpy: its parser, built at the first compilation and then shared.

cel-python builds one parser per process in a class attribute, raises the recursion limit and logs on the way. The
parser is taken through its documented `Environment(runner_class=...)`, and everything else is put back. Parsing is
done under a lock: nothing says that a parser may be shared by threads, and compiling is rare.
"""

from __future__ import annotations

import logging
import sys
import threading
from typing import TYPE_CHECKING, cast

from usher.cel.scanning import refusal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lark import Lark, Token, Tree

_LOCK = threading.Lock()
_SHOWN = {
    "$END": "the end",
    "RPAR": "')'",
    "RSQB": "']'",
    "RBRACE": "'}'",
    "COLON": "':'",
    "COMMA": "','",
    "LPAR": "'('",
    "LBRACE": "'{'",
    "DOT": "'.'",
}
_OPERANDS = frozenset({"IDENT", "INT_LIT"})
_OPERATORS = frozenset({"PLUS", "STAR"})


class _Shared:
    """Holds the parser once it is there."""

    parser: Lark | None = None


def parse(text: str) -> Tree[Token]:
    """Return the tree of an expression that `scan` has cleaned. Raises `CompileError` saying what was expected."""
    with _LOCK:
        parser = _Shared.parser
        if parser is None:
            parser = _Shared.parser = _quietly_built()
        return _parsed(parser, text)


def _parsed(parser: Lark, text: str) -> Tree[Token]:
    from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken  # noqa: PLC0415  celpy's dependency, as slow to import

    try:
        return parser.parse(text)
    except UnexpectedToken as error:
        token: Token = error.token
        at_end = token.type == "$END"
        offset = len(text.rstrip()) if at_end else int(token.start_pos or 0)
        found = "the expression ends too early" if at_end else f"unexpected '{token}'"
        raise refusal(text, offset, f"{found}; expected {_expected(error.accepts)}") from None
    except UnexpectedCharacters as error:
        offset = cast("int", error.pos_in_stream)
        found = f"unexpected '{text[offset]}'"
        raise refusal(text, offset, f"{found}; expected {_expected(error.allowed or ())}") from None
    except UnexpectedInput:
        raise refusal(text, 0, "this is not an expression") from None


def _expected(terminals: Iterable[str]) -> str:
    names = set(terminals)
    words = ["a value"] if names & _OPERANDS else []
    words += ["an operator"] if names & _OPERATORS else []
    words += sorted(shown for terminal, shown in _SHOWN.items() if terminal in names)
    return " or ".join(words) or "nothing more"


def _quietly_built() -> Lark:
    """Build the parser and leave celpy, lark's and celpy's loggers and the recursion limit as they were."""
    recursion_limit = sys.getrecursionlimit()
    lark_handlers = list(logging.getLogger("lark").handlers)
    celpy_logger = logging.getLogger("celpy")
    celpy_level = celpy_logger.level
    celpy_logger.setLevel(logging.CRITICAL)
    try:
        return _built()
    finally:
        sys.setrecursionlimit(recursion_limit)
        celpy_logger.setLevel(celpy_level)
        logging.getLogger("lark").handlers[:] = lark_handlers


def _built() -> Lark:
    import celpy  # noqa: PLC0415  0.12 s and 20 modules: paid at the first compilation, not by `usher --help`
    from celpy.celparser import CELParser  # noqa: PLC0415

    class ClosureRunner(celpy.Runner):
        """Tells celpy to build plain trees; the running is done by `usher.cel.expression`."""

        def evaluate(self, activation: celpy.evaluation.Context) -> celpy.celtypes.Value:
            raise NotImplementedError

    before = CELParser.CEL_PARSER
    CELParser.CEL_PARSER = None
    try:
        celpy.Environment(runner_class=ClosureRunner)
        built = CELParser.CEL_PARSER
    finally:
        CELParser.CEL_PARSER = before
    if built is None:
        message = "celpy built no parser"
        raise RuntimeError(message)
    return built
