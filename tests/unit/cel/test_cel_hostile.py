"""Expressions and payloads made to hurt.

Each ends soon, in little memory, in an error or a value of CEL, never in anything else of Python's.
"""

from __future__ import annotations

import contextlib
import gc
import json
import time
import tracemalloc
from collections.abc import Callable, Collection, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usher.cel import Budget, BudgetExceeded, CompileError, EvaluationError
from usher.cel import compile as compile_cel

REQUEST_BYTES = 1 << 20
DEADLINE_SECONDS, OVERRUN_SECONDS, MEMORY_BYTES = 0.02, 0.05, 64 * 1024 * 1024


def nested(depth: int) -> list[object]:
    """Return lists in lists, as deep as the JSON reader lets through."""
    inner: list[object] = []
    for _ in range(depth):
        inner = [inner]
    return inner


# Each value alone fills a request of 1 MiB, so each expression below gets as much as a sender can send, and more.
PAYLOAD: dict[str, object] = {
    "text": "a" * REQUEST_BYTES,
    "copied": "".join(["a"] * REQUEST_BYTES),
    "accents": "é" * (REQUEST_BYTES // 2),
    "script": "漢" * (REQUEST_BYTES // 3),
    "quotes": '"' * (REQUEST_BYTES // 2),
    "blanks": " " * REQUEST_BYTES,
    "broken": "\ud800" * (REQUEST_BYTES // 6),
    "dots": "." * REQUEST_BYTES,
    "clauses": "%s" * (REQUEST_BYTES // 2),
    "words": ["x"] * (REQUEST_BYTES // 4),
    "numbers": [1] * (REQUEST_BYTES // 2),
    "others": [1] * (REQUEST_BYTES // 2),
    "objects": [{}] * (REQUEST_BYTES // 3),
    "digits": [str(number) for number in range(REQUEST_BYTES // 9)],
    "table": {f"k{number}": number for number in range(REQUEST_BYTES // 16)},
    "copy": {f"k{number}": number for number in range(REQUEST_BYTES // 16)},
    "deep": nested(900),
    "deeper": nested(900),
    "pattern": "(a|b|c)*" * 120,
    "squared": "(a{1,30}){1,30}",
    "classes": r"\pL{1,10}" * 5,
    "ignoring_case": r"(?i)[\pL\pN]{1,50}",
    "tables": r"\pL" * 330,
    "ranges": r"(?i)[\x{80}-\x{10ffff}]" * 30,
    "repeats": "a{1000}" * 100,
    "stars": "(a*)*" * 190 + "c",
    "letters": "a" * 3_700,
    "fewer": "a" * 460,
    "first": {f"k{number}": number for number in range(60_000)},
    "second": {f"k{number}": number for number in range(60_000)},
    "pairs": [[{f"k{number}": number for number in range(30_000)}] for _ in range(2)],
    "marks": "a" + "\u0301" * 1_000 + "\u0327" * 999,
    "alternating": "a" + "\u0301\uff9e" * 990,
    "tibetan": "a" + "\u0f73" * 1_999,
    "emoji": "\U0001f600" * 62,
    "people": [{"a": "ab", "b": "cd", "c": "ef", "d": "gh"}] * 99_000,
    "page": "ä" * 4_000,
    "name": "ñ" * 2_000,
    "phone": "030 123456" + "7" * 200,
    "big": 10**400,
    "huge": json.loads("1e400"),
}
EXPRESSIONS = """\
text.replace('a', 'bb')
text.replace('', 'bbbbbbb')
text.split('')
text.split('a').join('bcd')
dots.split('.').join('xyz')
digits.join(',')
accents.upperAscii().lowerAscii()
text.reverse() == text
blanks.trim() == ''
blank(blanks)
strings.quote(quotes)
strings.quote(broken)
string(bytes(accents)) == accents
bytes(broken) == b''
clauses.format(words)
'%s'.format([numbers])
'%s'.format([table])
'%s'.format([deep])
'%x'.format([accents])
'%d%s'.format([big, huge])
string(big)
text.matches('(a|b)*c$')
accents.matches('x')
text.matches(pattern)
'a'.matches(pattern)
'aaaaaaaaaaaaaaaa'.matches(squared)
broken.matches('.')
regex.replace(text, 'a', 'b')
regex.replace(text, pattern, text)
regex.extract(text, 'a+')
ascii(script)
slug(broken)
title(text)
fold(accents)
e164(text, text)
date(text, 'YYYY-MM-DD')
timestamp(text)
duration(text)
int(text)
double(text)
double(big)
int(huge)
timestamp(big)
big + 1
big == huge
big < 1.5
huge - huge
math.bitShiftLeft(1, big)
numbers == others
table == copy
deep == deeper
[deep] == [deeper]
'y' in words
2 in numbers
[2] in objects
big in table
deep in [deeper]
numbers.exists(x, x == 2)
objects.exists(x, x.y == 2)
objects.map(x, objects.map(y, objects))
words.map(x, text + x)
numbers.map(x, [x, x, x, x, x, x, x, x])
numbers.filter(x, others.exists(y, y == 2))
numbers + numbers + numbers + numbers
words.all(a, words.all(b, words.all(c, true)))
math.greatest(numbers)
numbers.map(x, text.contains('b'))
numbers.map(x, 'y' in words)
numbers.map(x, numbers == others)
numbers.map(x, {'a': x, 'b': {'c': x}})
numbers.map(x, 'abcdefgh'.split(''))
words.all(i, i.matches(classes) || true)
words.all(i, i.matches(ignoring_case) || true)
words.all(i, i.matches(tables) || true)
words.all(i, i.matches(ranges) || true)
words.all(i, i.matches(repeats) || true)
letters.matches(stars)
fewer.matches(stars)
words.all(i, fewer.matches(stars) || true)
words.all(i, regex.extract(fewer, stars) == i || true)
words.all(i, regex.extract(i, classes) == i || true)
words.exists(i, [first] == [second])
words.exists(i, [[first]] == [[second]] && false)
words.exists(i, pairs[0] == pairs[1] && false)
words.all(i, fold(marks) != 'x' || true)
words.all(i, fold(alternating) != 'x' || true)
words.all(i, slug(tibetan) != 'x' || true)
people.map(x, [x.a + '-', x.b + '-', x.c + '-', x.d + '-'])
people.map(x, [x.a + '-', [x.b + '-'], {x.c: x.d + '-'}])
digits.map(x, ascii(x + 'é'))
digits.map(x, e164('030 12' + x, 'DE'))
digits.map(x, x.matches(pattern))
timestamp(0).getHours(text)
cel.bind(a, text + text, cel.bind(b, a + a, b + b))
table.map(k, k + k)
text < text + 'a'
text + 1
numbers[1.5]
"""

# As long as an expression may be, so that one turn of the macro does as much as it can.
LONG_EXPRESSIONS = {
    name: wrapped.format(", ".join([part] * (9_900 // (len(part) + 2))))
    for name, wrapped, part in (
        ("sums of texts", "words.map(i, [{}])", "emoji + 'a'"),
        ("texts of numbers", "words.map(i, [{}])", "string(2.5)"),
        ("numbers", "numbers.map(i, [{}])", "i * 1000"),
        ("times", "numbers.map(i, [{}])", "timestamp(i)"),
        ("durations", "words.map(i, [{}])", "duration('1h1ns')"),
        ("characters", "words.map(i, [{}])", "emoji.charAt(0)"),
        ("bytes", "words.map(i, [{}])", "bytes(i)"),
        ("bytes together", "words.map(i, [{}])", "b'a' + b'b'"),
        ("formats", "words.map(i, [{}])", "'%s'.format([i])"),
        ("parts", "words.map(i, [{}])", "emoji.substring(1, 3)"),
        ("splits", "words.map(i, [{}])", "emoji.split('')"),
        ("empty lists", "words.map(i, [{}])", "[]"),
        ("empty maps", "words.map(i, [{}])", "{}"),
        ("maps", "words.map(i, [{}])", "{'a': i}"),
        ("filters", "words.map(i, [{}])", "[i].filter(j, true)"),
        ("dates", "words.map(i, [{}])", "date('1.1.2024', 'D.M.YYYY')"),
        ("hours", "words.all(i, size([{}]) == 0 || true)", "timestamp(0).getHours('Asia/Tokyo')"),
        ("phones", "words.all(i, size([{}]) == 0 || true)", "e164(phone, 'DE')"),
        ("valid phones", "words.all(i, size([{}]) == 0 || true)", "e164('030123456', 'DE')"),
        ("slugs", "words.all(i, size([{}]) == 0 || true)", "slug(name)"),
        ("capitals", "words.all(i, size([{}]) == 0 || true)", "page.upperAscii()"),
        ("quotes", "words.all(i, size([{}]) == 0 || true)", "strings.quote(page)"),
        ("searches", "words.all(i, size([{}]) == 0 || true)", "page.contains('b')"),
        ("patterns", "words.all(i, size([{}]) == 0 || true)", "page.matches('(a|ä)*c')"),
        ("hard patterns", "words.all(i, size([{}]) == 0 || true)", "page.matches('(.*ä){30}b')"),
        ("dynamic patterns", "words.all(i, size([{}]) == 0 || true)", "i.matches(classes)"),
        ("long equal texts", "words.all(i, size([{}]) == 0 || true)", "text == copied"),
        ("long ordered texts", "words.all(i, size([{}]) == 0 || true)", "text < copied"),
        ("long beginnings", "words.all(i, size([{}]) == 0 || true)", "text.startsWith(copied)"),
        ("blanks", "words.all(i, size([{}]) == 0 || true)", "blank(blanks)"),
        ("equal lists", "words.all(i, size([{}]) == 0 || true)", "[first] == [second]"),
        ("members", "words.all(i, size([{}]) == 0 || true)", "'y' in words"),
        ("doubles from text", "words.all(i, size([{}]) == 0 || true)", "double('1e300')"),
    )
}


@pytest.fixture(scope="module", autouse=True)
def _frozen_heap() -> Iterator[None]:
    """Keep the collector from walking through what the tests before have left: its time is not the engine's."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.parametrize(
    "text",
    [*EXPRESSIONS.splitlines(), *LONG_EXPRESSIONS.values()],
    ids=[*EXPRESSIONS.splitlines(), *LONG_EXPRESSIONS.keys()],
)
def test_a_hostile_payload_costs_neither_time_nor_memory(text: str) -> None:
    """With a request full of the worst, an evaluation ends within 50 ms of its deadline and takes less than 64 MB."""
    expression = compile_cel(text, names=PAYLOAD.keys())
    start = time.thread_time()
    ended(expression.evaluate, DEADLINE_SECONDS)
    assert time.thread_time() - start < DEADLINE_SECONDS + OVERRUN_SECONDS
    tracemalloc.start()
    try:
        ended(expression.evaluate, 10 * DEADLINE_SECONDS)
        assert tracemalloc.get_traced_memory()[1] < MEMORY_BYTES
    finally:
        tracemalloc.stop()


def ended(evaluate: Callable[..., object], seconds: float) -> None:
    """Evaluate with the payload; errors of CEL are fine."""
    with contextlib.suppress(EvaluationError, BudgetExceeded):
        evaluate(PAYLOAD, budget=Budget(deadline=time.monotonic() + seconds))


HOSTILE_TEXTS = {
    "parentheses": "(" * 5_000 + "1" + ")" * 5_000,
    "open parentheses": "(" * 60,
    "lists": "[" * 60 + "]" * 60,
    "not": "!" * 9_000 + "true",
    "minus": "-" * 9_000 + "1",
    "ternaries": "true ? 1 : " * 800 + "2",
    "methods": "'a'" + ".trim()" * 1_000,
    "fields": "a" + ".b" * 4_000,
    "indices": "a" + "[0]" * 3_000,
    "sum": "1" + " + 1" * 2_000,
    "conjunction": "true" + " && true" * 1_000,
    "long conjunction": "a" + "&&a" * 3_300,
    "guards": " && ".join(f"has(a.b{number}) && a.b{number} == 1" for number in range(300)),
    "unknown names": " + ".join(f"b{number}" for number in range(1_400)),
    "unknown functions": " + ".join(f"f{number}()" for number in range(1_000)),
    "comparisons": "1" + " < 1" * 2_000,
    "backslashes": "'" + "\\\\" * 4_000,
    "odd backslashes": "'" + "\\" * 4_001 + "'",
    "quotes": '"""' * 3_000,
    "too long": "1" * 100_000,
    "digits": "1" * 9_000,
    "exponent": "1e999999999",
    "comment": "1 //" + "x" * 9_000,
    "nested macros": "[1].map(a, " * 70 + "1" + ")" * 70,
    "pattern": "'a'.matches('" + "(a|b)*" * 160 + "')",
    "repeated pattern": "'a'.matches('((a{1,100}){1,100}){1,100}')",
    "null byte": "1 \x00",
    "surrogate": "'\ud800'",
    "surrogate bytes": "b'\ud800'",
    "right to left": "\u202e1",
    "full-width": "\uff11 + \uff11",
}


@pytest.mark.parametrize("text", HOSTILE_TEXTS.values(), ids=HOSTILE_TEXTS.keys())
def test_a_hostile_text_compiles_or_is_refused_soon(text: str) -> None:
    """No text takes the compiler long or makes it fail in another way than by its problems."""
    start = time.thread_time()
    with contextlib.suppress(CompileError, EvaluationError):
        compile_cel(text, names={"a"}).evaluate({"a": {}})
    assert time.thread_time() - start < 1.0


@pytest.mark.parametrize(
    "text",
    [
        "a.__class__", "a.__class__.__mro__", "a['__class__']", "a.__init__.__globals__", "''.__class__",
        "s.format_map(a)", "s.join.__self__",
        "__import__('os')", "a.keys", "a.items()", "s.encode()", "os.environ", "__builtins__", "has(a.__dict__)",
        "a.__len__()", "type(a).mro()",
    ],
)  # fmt: skip
def test_python_cannot_be_reached(text: str) -> None:
    """Names of Python's own are fields and functions like any other: absent."""
    expected = {"unknown-function", "wrong-arguments", "no-such-key", "no-such-name", "no-such-overload", False}
    assert outcome(text, {"a": {"x": 1}, "s": "x"}, names=None) in expected


def outcome(text: str, bindings: dict[str, object], *, names: Collection[str] | None) -> object:
    """Return the value, or the kind of what went wrong."""
    try:
        return compile_cel(text, names=names).evaluate(bindings)
    except CompileError as error:
        return error.problems[0].code
    except EvaluationError as error:
        return error.kind


PYTHON = """'a' * 1000000000 | [1] * 1000000000 | '%s' % 'a' | '%1000000000d' % 1
'a' * n | n ** n | n << n | lambda: 1
n if n else n | [x for x in n] | n.m = 1 | n; n | import n | class | n and n | not n"""


@pytest.mark.parametrize("text", [part.strip() for line in PYTHON.split("\n") for part in line.split(" | ")])
def test_python_syntax_is_no_cel(text: str) -> None:
    """Python's operators and statements are refused or are errors."""
    expected = {"cel-syntax", "wrong-arguments", "no-such-overload", "unknown-name"}
    assert outcome(text, {"n": 10**9}, names={"n"}) in expected


RESERVED = "as break const continue else for function if import in let loop package namespace return var void while"


@pytest.mark.parametrize("word", RESERVED.split())
def test_keywords_are_no_names(word: str) -> None:
    """A reserved word never names a value, even if a binding has that name."""
    assert outcome(word, {word: "bound"}, names={word}) == "cel-syntax"


def test_literals_are_no_names() -> None:
    """Nor do the literals."""
    bindings: dict[str, object] = {"true": "bound", "false": "bound", "null": "bound"}
    assert [outcome(word, bindings, names=bindings.keys()) for word in bindings] == [True, False, None]


def test_many_failing_operands_cost_no_more_than_they_are() -> None:
    """25 elements that lack a field and 24 missing operands: seconds and gigabytes elsewhere, microseconds here."""
    operands = " || ".join(f"a.x{number} == 1" for number in range(24))
    for text in ("l.exists(i, i.x == 1)", "l.all(i, i.x == 1)", operands, operands.replace("||", "&&")):
        expression = compile_cel(text, names={"l", "a"})
        start = time.thread_time()
        with pytest.raises(EvaluationError) as caught:
            expression.evaluate({"l": [{}] * 25, "a": {}})
        assert time.thread_time() - start < 0.01
        assert len(str(caught.value)) < 100
        assert caught.value.__context__ is None


@given(text=st.text(alphabet="abx01. ()[]{}'\"\\,:?!&|=<>+-*/%`\n\trbu", max_size=40))
def test_any_text_compiles_or_has_problems(text: str) -> None:
    """Whatever is written, the answer is an expression or problems with places inside the text."""
    try:
        compile_cel(text, names=None)
    except CompileError as error:
        lines = text.split("\n")
        for problem in error.problems:
            assert 1 <= problem.line <= len(lines)
            assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1
