"""This engine against Google's CEL: both agree on the value, or both say that there is none.

Productions are listed by the kind they give: `{int}`, `{string}`, … stand for any expression of that kind. Now and
then an operand is of another kind, but always behind `dyn()`: what can be proved wrong is refused by us at compile
time, on purpose. Habits of Google's engine that docs/policy-language.md lists as deviations are kept out: it converts
booleans by `int()`, prints doubles by `%d` and cuts them by `%s`, writes timestamps by `%s` otherwise than `string()`
does, takes '' for a time zone and one that leads out of the years 1 to 9999, reads timestamps and numbers that no
grammar has, and refuses `substring` up to the very end.
"""

from __future__ import annotations

import datetime as dt
import math
import os
import re
from collections import Counter
from typing import Any

from cel_expr_python import cel
from cel_expr_python.ext import ext_bindings, ext_math, ext_strings
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from usher.cel import CompileError, Duration, EvaluationError, Kind, Timestamp
from usher.cel import compile as compile_cel
from usher.cel.values import kind_of

LONG_EXAMPLES, SHORT_EXAMPLES = 20_000, 500

settings.register_profile(
    "usher-cel-long", max_examples=LONG_EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck)
)
settings.register_profile(
    "usher-cel", max_examples=SHORT_EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


def differential_settings() -> settings:
    """Return the profile of this run."""
    return settings.get_profile("usher-cel-long" if os.environ.get("USHER_LONG_TESTS") else "usher-cel")


_CHARACTERS = "ab cB1-é😀'\"\\"
_HOLE = re.compile(r"\{(int|double|string|bool|list|map|timestamp|duration|any|var)\}")
_ODD_ONE_OUT = 12  # one operand in so many is of any kind
_KINDS = ("int", "double", "string", "bool", "list", "map", "timestamp", "duration", "any")

LEAVES = {
    "int": ["0", "1", "2", "3", "-1", "7", "9223372036854775807", "-9223372036854775808", "n"],
    "double": ["0.0", "1.0", "1.5", "-2.5", "1e300", "double(n)"],
    "string": [
        "''",
        "'a'",
        "'b'",
        "'aBc'",
        "'é😀'",
        "s",
        "s",
        r"'\n\x41\u00e9\U0001F600\101\a'",
        r"r'a\n'",
        '"""a\'b"""',
        "'''a\nb'''",
        "'%'",
    ],
    "bool": ["true", "false"],
    "list": ["l", "l", "[]", "[1, 2, 3]", "[0, 'a', null]", "['a', 'b']"],
    "map": ["m", "m", "{}", "{'a': 1}", "{2: 'a', true: 2u}"],
    "timestamp": [
        "timestamp(0)",
        "timestamp(n)",
        "timestamp('2024-02-29T23:59:59.5Z')",
        "timestamp('2009-02-13t23:31:30.123456+05:30')",
        "timestamp('0001-01-01T00:00:00z')",
        "timestamp('9999-12-31T23:59:59.999999Z')",
        "timestamp('2023-02-29T00:00:00Z')",
        "timestamp('2024-02-29T24:00:00Z')",
        "timestamp('2024-02-29')",
    ],
    "duration": [
        "duration('90s')",
        "duration('-1h30m')",
        "duration('1.5s')",
        "duration('1ms')",
        "duration('0')",
        "duration('.5h')",
        "duration('1h1m1s1ms1us')",
        "duration('1')",
        "duration('s')",
    ],
    "any": ["x", "null", "1u", "2u", "b'a'", "m.a", "m['b']", "l[0]", "timestamp(0)", "duration('90s')"],
}
PRODUCTIONS = {
    "int": [
        "({int} + {int})", "({int} - {int})", "({int} * {int})", "({int} / {int})", "({int} % {int})", "(-{int})",
        "size({string})", "size({list})", "{map}.size()", "int(1.0 * {double})", "int('' + {string})", "{list}[{int}]",
        "({bool} ? {int} : {int})", "{string}.indexOf({string})", "{string}.lastIndexOf({string})",
        "{string}.indexOf({string}, {int})", "{string}.lastIndexOf({string}, {int})",
        "math.greatest({int}, {int}, {int})",
        "math.least({int}, {double})", "math.abs({int})", "math.sign({int})", "math.bitAnd({int}, {int})",
        "math.bitXor({int}, {int})", "math.bitNot({int})", "math.bitShiftRight({int}, {int})",
        "math.bitShiftLeft({int}, 3)",
        "cel.bind(w, {int}, w + w)",
        "{timestamp}.getFullYear()", "{timestamp}.getMonth()", "{timestamp}.getDate()", "{timestamp}.getDayOfMonth()",
        "{timestamp}.getDayOfWeek()", "{timestamp}.getDayOfYear()", "{timestamp}.getHours()",
        "{timestamp}.getMinutes()", "{timestamp}.getSeconds()", "{timestamp}.getMilliseconds()",
        "int({timestamp} + duration('0'))",
        "timestamp({int} % 1000000).getHours('Europe/Berlin')", "timestamp({int} % 1000000).getDate('-08:00')",
        "timestamp({int} % 1000000).getMinutes('+05:30')", "timestamp({int} % 1000000).getDayOfWeek('02:00')",
        "timestamp({int} % 1000000).getHours('x' + {string})", "{duration}.getHours()", "{duration}.getMinutes()",
        "{duration}.getSeconds()", "{duration}.getMilliseconds()",
    ],
    "double": [
        "({double} + {double})", "({double} - {double})", "({double} * {double})", "({double} / {double})",
        "(-{double})",
        "double({int})", "math.ceil({double})", "math.floor({double})", "math.trunc({double})", "math.abs({double})",
        "math.sign({double})", "math.sqrt({double})", "math.round({double})", "math.round({double} * 1.7)",
    ],
    "string": [
        "({string} + {string})", "({string} + {string} + {string})", "{string}.lowerAscii()", "{string}.upperAscii()",
        "{string}.trim()", "{string}.reverse()", "{string}.charAt({int})", "{string}.substring({int})",
        "cel.bind(w, {string}, w.substring(0, size(w) - 1))", "{string}.replace({string}, {string})",
        "{string}.replace({string}, {string}, {int})",
        "{list}.join()", "{list}.join({string})", "string({int})", "string({bool})",
        "'%s|%d'.format([{string}, 1 + {int}])",
        "'%s'.format([{list}])", "({bool} ? {string} : {string})", "string(uint(0 + {int}))", "string(bytes({string}))",
        "string({timestamp})", "string({duration})", "'%s'.format([{duration}])",
        "'%x'.format([{int}])", "'%X'.format([{int}])", "'%x %X'.format([{string}, {string}])",
        "'%b'.format([{bool}])", "'%b'.format([{int}])", "'%o'.format([0 + {int}])", "'%.2f'.format([{double}])",
        "'%f'.format([{double}])", "'%e'.format([{double}])", "'%.3e'.format([{double}])", "'%.0f'.format([{double}])",
        "'%s'.format([{map}])", "{string}.format([{string}])", "strings.quote({string})",
    ],
    "bool": [
        "({bool} && {bool})", "({bool} || {bool})", "({bool} && {bool} && {bool})",
        "({bool} || {bool} && {bool})", "(!{bool})",
        "({any} == {any})", "({any} != {any})", "({int} == {double})", "({list} == {list})", "({map} == {map})",
        "({int} < {int})", "({int} <= {double})", "({string} < {string})", "({string} >= {string})", "({any} > {any})",
        "({any} in {list})", "({string} in {map})", "({int} in {map})", "('a' in {list})", "has(m.a)",
        "has(m.a.b)", "has(x.a)", "({timestamp} < {timestamp})", "({timestamp} == {timestamp})",
        "({duration} >= {duration})", "({duration} != {duration})",
        "{string}.contains({string})", "{string}.startsWith({string})", "{string}.endsWith({string})",
        "{string}.matches('a+b?')",
        "{string}.matches('^(a|B)*$')", "{list}.exists({var}, {bool})", "{list}.all({var}, {bool})",
        "{list}.exists_one({var}, {bool})",
        "{map}.exists({var}, {bool})", "{map}.all({var}, {bool})", "type({any}) == type({any})", "math.isNaN({double})",
        "cel.bind(w, {any}, w == {any} || {bool})", "({bool} ? {bool} : {bool})",
    ],
    "list": [
        "[{any}]", "[{any}, {int}]", "({list} + {list})", "{list}.filter({var}, {bool})", "{list}.map({var}, {any})",
        "{list}.map({var}, {bool}, {any})", "{string}.split({string})", "{string}.split({string}, {int})",
        "({bool} ? {list} : {list})",
        "[{list}, {list}]",
    ],
    "map": ["{'a': {any}, 'b': {any}}", "{{int}: {any}}", "{{string}: {any}, 'z': {any}}", "({bool} ? {map} : {map})"],
    "timestamp": ["({timestamp} + {duration})", "({duration} + {timestamp})", "({timestamp} - {duration})",
                  "timestamp({int})", "timestamp(string({timestamp}))"],
    "duration": ["({duration} + {duration})", "({duration} - {duration})", "({timestamp} - {timestamp})",
                 "duration(string({duration}))"],
    "any": ["{int}", "{double}", "{string}", "{bool}", "{list}", "{map}", "{timestamp}", "{duration}",
    "{list}[{int}]", "{map}.a", "{map}[{string}]", "uint(0 + {int})"],
}  # fmt: skip

_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.sampled_from([1.5, -2.0, 0.0])
    | st.text(_CHARACTERS, max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2),
    max_leaves=5,
)
bindings = st.fixed_dictionaries(
    {
        "x": _json,
        "n": st.integers(-3, 10),
        "s": st.text(_CHARACTERS, max_size=6),
        "l": st.lists(_json, max_size=4),
        "m": st.dictionaries(st.sampled_from(["a", "b"]), _json, max_size=2),
    }
)


class Tape:
    """Random bytes that decide, one after the other; when they are used up, the simplest choice is made."""

    def __init__(self, choices: bytes) -> None:
        self.choices = iter(choices)

    def below(self, bound: int) -> int:
        """Return a number from 0 up to `bound`, exclusive."""
        return next(self.choices, 0) % bound


def filled(tape: Tape, kind: str, depth: int, variables: tuple[str, ...]) -> str:
    """Return an expression of a kind, at most so deep; `variables` are those of the macros around it."""
    if tape.below(_ODD_ONE_OUT) == 1:
        kind, odd = _KINDS[tape.below(len(_KINDS))], True
    else:
        odd = False
    if depth == 0 or tape.below(depth + 1) == 0:
        leaves = [*LEAVES[kind], *(f"dyn({variable})" for variable in variables)]
        text = leaves[tape.below(len(leaves))]
    else:
        text = _grown(tape, PRODUCTIONS[kind][tape.below(len(PRODUCTIONS[kind]))], depth - 1, variables)
    return f"dyn({text})" if odd else text


def _grown(tape: Tape, template: str, depth: int, variables: tuple[str, ...]) -> str:
    variable, text = f"v{depth}", ""
    for position, piece in enumerate(_HOLE.split(template)):
        if position % 2 == 0:
            text += piece
        elif piece == "var":
            text, variables = text + variable, (*variables, variable)
        else:
            text += filled(tape, piece, depth, variables)
    return text


def from_tape(choices: bytes) -> str:
    """Return the expression that some bytes decide on."""
    tape = Tape(choices)
    return filled(tape, _KINDS[tape.below(len(_KINDS))], 1 + tape.below(4), ())


expressions = st.binary(min_size=30, max_size=200).map(from_tape)


NAMES = frozenset({"x", "n", "s", "l", "m"})
_EXTENSIONS = [ext_strings.ExtStrings(), ext_math.ExtMath(), ext_bindings.ExtBindings()]
_KIND_NAMES = {Kind.NULL: "NULL", Kind.LIST: "LIST", Kind.MAP: "MAP"}
Outcome = tuple[str, object]
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
MICROSECOND = dt.timedelta(microseconds=1)
# Google's binding gives back more references to None than it takes; before Python 3.12 that kills the process in the
# end.
SPARE_REFERENCES = (None,) * 2_000_000
MAP_KEYS = frozenset({"a", "b", "z"})
ERROR: Outcome = ("error", None)


def google_environment() -> Any:
    """Google's CEL with the same names, all `dyn`, and the same extensions."""
    return cel.NewEnv(variables=dict.fromkeys(NAMES, cel.Type.DYN), extensions=_EXTENSIONS)


GOOGLE = google_environment()


def googles(text: str, values: dict[str, object]) -> Outcome:
    """Return what Google's CEL says."""
    try:
        value = GOOGLE.compile(text, disable_check=True).eval(data=values)
        name, plain = value.type().name(), value.plain_value()
    except (RuntimeError, TypeError):
        return ERROR
    return ERROR if name == "ERROR" else (name.partition("<")[0], plain)


def ours(text: str, values: dict[str, object]) -> Outcome | None:
    """Return what this engine says; None where it refuses what it can prove wrong, and where both differ on purpose."""
    if "timestamp" in text and "%s" in text + str(values["s"]):
        return None  # written otherwise, see above
    try:
        value = compile_cel(text, names=NAMES).evaluate(values)
    except CompileError as error:
        return None if {problem.code for problem in error.problems} <= {"wrong-arguments", "bad-pattern"} else ERROR
    except EvaluationError:
        return ERROR
    return _KIND_NAMES.get(kind_of(value), kind_of(value).name), value


def agree(left: object, right: object) -> bool:
    """Return the same plain value: NaN is NaN, and booleans are no numbers."""
    if isinstance(right, dt.datetime):
        right = Timestamp(((right - EPOCH) // MICROSECOND) * 1_000)
    if isinstance(right, dt.timedelta):
        right = Duration((right // MICROSECOND) * 1_000)
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, float) and isinstance(right, float) and math.isnan(left):
        return math.isnan(right)
    if isinstance(left, list) and isinstance(right, list):
        if set(map(str, left)) <= MAP_KEYS and left != right:  # a map's keys have no order
            return sorted(left, key=str) == sorted(right, key=str)
        return len(left) == len(right) and all(map(agree, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(agree(value, right[key]) for key, value in left.items())
    return left == right


def test_both_engines_agree(figures: list[str]) -> None:
    """For any expression of the shared language and any bindings: one value, or an error from both.

    Most of what is compared has a value, of many kinds; the share is printed.
    """
    seen: Counter[str] = Counter()

    @differential_settings()
    @given(text=expressions, values=bindings)
    def compared(text: str, values: dict[str, object]) -> None:
        mine = ours(text, values)
        assume(mine is not None)
        theirs = googles(text, values)
        seen[(mine or ERROR)[0]] += 1
        assert (mine or ERROR)[0] == theirs[0], f"{text!r} with {values!r}: ours {mine!r}, Google's {theirs!r}"
        assert agree((mine or ERROR)[1], theirs[1]), f"{text!r} with {values!r}: ours {mine!r}, Google's {theirs!r}"

    compared()
    total, errors = sum(seen.values()), seen["error"]
    figures.append(
        f"CEL against Google's: {total} expressions agree, {total - errors} of them on a value, {len(seen) - 1} kinds"
    )
    assert total - errors > total // 4
    assert {"BOOL", "INT", "STRING", "LIST"} <= seen.keys()
