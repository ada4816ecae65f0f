"""YAML read as JSON with comments: text to nodes that know their place.

Owns what of YAML is refused and how that is said. YAML is subtler than a policy's author should need to know: `when:
!has(x)` is a tag with an empty value, `country: NO` is false to YAML 1.1, an alias changes two rules at once. The
only room that sees ruamel. Nodes are frozen. See docs/adr/0003-yaml-without-aliases.md.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from usher.domain.place import Place, Problem
from usher.engine.positions import LineStarts, ScalarPositions, scalar_positions

MAX_DEPTH: Final = 32

_INTEGER: Final = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_ODD_NUMBER: Final = re.compile(
    r"[-+]?(0[0-9_]+|0[xob][0-9a-fA-F_]+|[0-9][0-9_]*_[0-9_]*)(\.[0-9_]*)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)
_DIRECTIVE: Final = re.compile("^%", re.MULTILINE)
_HALF_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_LOOKS_LIKE_CEL: Final = re.compile(r":\s.*(==|!=|&&|\|\||[<>]=?|\?|['\"(\[{])")
_QUOTE_HINT: Final = "; quote the expression or put it after `|-`"
_NAMED: Final = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
} | dict.fromkeys(("false", "False", "FALSE"), False)


@dataclass(frozen=True, slots=True)
class Scalar:
    """A text, number, boolean or null. `positions` maps a text's characters to the file."""

    value: str | int | float | bool | None
    place: Place
    positions: ScalarPositions | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """A YAML sequence."""

    items: "tuple[Node, ...]"
    place: Place


@dataclass(frozen=True, slots=True)
class Mapping:
    """A YAML mapping with text keys, in the order of the file."""

    entries: "tuple[tuple[Scalar, Node], ...]"
    place: Place

    def get(self, key: str) -> "Node | None":
        """Return the value of a key, or None."""
        return next((node for name, node in self.entries if name.value == key), None)


Node = Scalar | Listing | Mapping


def plain(node: Node) -> object:
    """Return the node as JSON would hold it."""
    match node:
        case Scalar():
            return node.value
        case Listing():
            return [plain(item) for item in node.items]
        case Mapping():
            return {str(key.value): plain(value) for key, value in node.entries}


def read_yaml(text: str, file: str) -> tuple[Node | None, tuple[Problem, ...]]:
    """Return the one document of a YAML text and every problem found; no node when the text cannot be read at all."""
    reader = _Reader(text, file)
    try:
        node = reader.document()
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        offset = mark.index if mark else 0
        return None, (
            *reader.problems,
            reader.syntax_problem(str(error.problem or error.context or "cannot be read"), offset),
        )
    except YAMLError as error:
        position = getattr(error, "position", 0)
        return None, (*reader.problems, reader.syntax_problem("a character that YAML does not allow", position))
    except (ValueError, OverflowError):  # ruamel's, for `\U` escapes beyond Unicode
        return None, (*reader.problems, Problem(Place(file), "yaml-syntax", "a `\\U` escape names no character"))
    except _TooDeepError:
        return None, tuple(reader.problems)
    return node, tuple(reader.problems)


class _TooDeepError(Exception):
    """The problem is noted; there is no use in reading on."""


class _Reader:
    """Builds nodes from ruamel's events; lives for one text."""

    def __init__(self, text: str, file: str) -> None:
        self._text = text
        self._file = file
        self._lines = LineStarts(text)
        self._events: Iterator[Event] = iter(())
        self.problems: list[Problem] = []

    def document(self) -> Node | None:
        self._events = YAML(typ="safe", pure=True).parse(self._text)
        node: Node | None = None
        documents = 0
        for event in self._events:
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._refuse("one-document", "a file holds one document; remove this `---` and what follows", event)
                    return node
                if directive := _DIRECTIVE.search(self._text, 0, event.start_mark.index):
                    place = Place(self._file, *self._lines.at(directive.start()))
                    message = "remove the `%` directive: the file is read as YAML 1.2"
                    self.problems.append(Problem(place, "no-directives", message))
            elif isinstance(event, (ScalarEvent, SequenceStartEvent, MappingStartEvent, AliasEvent)):
                node = self._node(event, 0)
        return node

    def syntax_problem(self, reason: str, offset: int) -> Problem:
        line, column = self._lines.at(offset)
        source = self._text.split("\n")[line - 1 : line]
        hint = _QUOTE_HINT if source and _LOOKS_LIKE_CEL.search(source[0]) else ""
        return Problem(Place(self._file, line, column), "yaml-syntax", reason + hint)

    def _node(self, event: Event, depth: int) -> Node:
        self._refuse_extras(event)
        if depth > MAX_DEPTH:
            self._refuse("yaml-too-deep", f"nested deeper than {MAX_DEPTH} levels", event)
            raise _TooDeepError
        if isinstance(event, ScalarEvent):
            return self._scalar(event)
        if isinstance(event, SequenceStartEvent):
            items: list[Node] = []
            while not isinstance(following := next(self._events), SequenceEndEvent):
                items.append(self._node(following, depth + 1))
            return Listing(tuple(items), self._place(event))
        if isinstance(event, MappingStartEvent):
            return self._mapping(event, depth)
        return Scalar(None, self._place(event))  # an alias, refused above

    def _mapping(self, event: MappingStartEvent, depth: int) -> Mapping:
        entries: list[tuple[Scalar, Node]] = []
        seen: set[str] = set()
        while not isinstance(following := next(self._events), MappingEndEvent):
            key = self._key(following, depth)
            value = self._node(next(self._events), depth + 1)
            if isinstance(value, Scalar) and value.value is None:
                value = Scalar(None, key.place)
            name = str(key.value)
            if name in seen:
                self.problems.append(Problem(key.place, "duplicate-key", f"{name} stands here twice; keep one"))
            seen.add(name)
            entries.append((key, value))
        return Mapping(tuple(entries), self._place(event))

    def _key(self, event: Event, depth: int) -> Scalar:
        node = self._node(event, depth + 1)
        if not isinstance(node, Scalar) or isinstance(event, AliasEvent):
            self._refuse("text-key", "a key must be a plain text", event)
            return Scalar("", node.place)
        if node.value == "<<":
            self._refuse("no-aliases", "merge keys are not read; write the members out", event)
        if isinstance(node.value, str) or not isinstance(event, ScalarEvent):
            return node
        return Scalar(str(event.value), node.place)  # a key such as `1` or `null` is that text

    def _scalar(self, event: ScalarEvent) -> Scalar:
        place = self._place(event)
        text: str = event.value
        if event.implicit[0]:  # plain: not quoted, not a block
            if text in _NAMED:
                return Scalar(_NAMED[text], place)
            if _INTEGER.fullmatch(text):
                return Scalar(self._integer(text, event), place)
            if _FLOAT.fullmatch(text):
                return Scalar(self._float(text, event), place)
            if _ODD_NUMBER.fullmatch(text):
                self._refuse(
                    "odd-number", f"quote {text} if it is a text; write a number in plain decimal digits", event
                )
        if _HALF_SURROGATE.search(text):
            self._refuse("not-unicode", "half a surrogate pair is no character; write the whole one", event)
        positions = scalar_positions(
            self._text, event.start_mark.index, event.end_mark.index, style=event.style, value=text, file=self._lines
        )
        return Scalar(text, place, positions)

    def _integer(self, text: str, event: ScalarEvent) -> int:
        if -(2**63) <= (number := int(text[:30])) < 2**63 and len(text) <= 30:  # noqa: PLR2004 - longer than any 64-bit integer
            return number
        self._refuse("odd-number", "this number has more than 64 bits; quote it if it is a text", event)
        return 0

    def _float(self, text: str, event: ScalarEvent) -> float:
        if math.isfinite(number := float(text)):
            return number
        self._refuse("odd-number", "this number is larger than any JSON reader takes; quote it if it is a text", event)
        return 0.0

    def _refuse_extras(self, event: Event) -> None:
        if isinstance(event, AliasEvent) or getattr(event, "anchor", None):
            self._refuse(
                "no-aliases",
                "anchors (&) and aliases (*) are not read; write the value out, or quote the expression",
                event,
            )
        elif getattr(event, "tag", None) is not None:
            self._refuse("no-tags", "`!` begins a YAML tag here; quote the expression or put it after `|-`", event)

    def _refuse(self, code: str, message: str, event: Event) -> None:
        self.problems.append(Problem(self._place(event), code, message))

    def _place(self, event: Event) -> Place:
        line, column = self._lines.at(event.start_mark.index)
        return Place(self._file, line, column)
