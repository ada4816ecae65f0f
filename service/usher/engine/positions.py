"""Where each character of a YAML scalar stands in its file, through quotes, escapes, folds and indentation.

Owns the map from an expression's line and column to the file's, so that a problem inside an expression names the
place an editor shows. YAML's own rules were applied by ruamel already; here its result is laid beside the source
text. Built once per scalar at load; the memo of answers only ever gains equal entries, so threads may share it.
"""

from bisect import bisect_right

_WHITE = frozenset(" \t\n")
_HEX_ESCAPES = {"x": 2, "u": 4, "U": 8}


class LineStarts:
    """Turns an offset in a text into line and column, both from 1."""

    __slots__ = ("_starts",)

    def __init__(self, text: str) -> None:
        self._starts = [0, *(offset + 1 for offset, char in enumerate(text) if char == "\n")]

    def at(self, offset: int) -> tuple[int, int]:
        """Return line and column of the offset."""
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1

    def offset(self, line: int, column: int) -> int:
        """Return the offset of a line and column; a line beyond the text counts as its last."""
        return self._starts[min(line, len(self._starts)) - 1] + column - 1


class ScalarPositions:
    """The places of one scalar's characters."""

    __slots__ = ("_file", "_memo", "_offsets", "_value")

    def __init__(self, file: LineStarts, offsets: tuple[int, ...], value: str) -> None:
        """`offsets` holds one file offset per character of the value, and one for its end."""
        self._file = file
        self._offsets = offsets
        self._value = LineStarts(value)
        self._memo: dict[tuple[int, int], tuple[int, int]] = {}

    def at(self, line: int, column: int) -> tuple[int, int]:
        """Return the file's line and column for a line and column of the value."""
        place = self._memo.get((line, column))
        if place is None:
            index = self._value.offset(max(line, 1), max(column, 1))
            place = self._file.at(self._offsets[min(index, len(self._offsets) - 1)])
            self._memo[line, column] = place
        return place


def scalar_positions(
    text: str, start: int, end: int, *, style: str | None, value: str, file: LineStarts
) -> ScalarPositions:
    """Lay a scalar's value beside its source text[start:end], whose lines end in a line feed alone.

    `style` is YAML's: None, ', ", | or >.
    """
    block = style in {"|", ">"}
    offsets = _block_offsets(text, start, value) if block else _flow_offsets(text, start, end, value, style)
    return ScalarPositions(file, tuple(min(offset, len(text)) for offset in offsets), value)


def _block_offsets(text: str, start: int, value: str) -> list[int]:
    """Place a block's characters: behind each line's indentation they stand one by one, but for folds."""
    cursor = _block_start(text, start)
    indent = _indent(text, cursor, value)
    cursor = _behind_indent(text, cursor, indent)
    offsets: list[int] = []
    for char in value:
        if char not in {" ", "\n"}:
            while text[cursor : cursor + 1] == "\n":  # a line break that folding has dropped
                cursor = _behind_indent(text, cursor + 1, indent)
        offsets.append(cursor)
        here = text[cursor : cursor + 1]
        cursor = _behind_indent(text, cursor + 1, indent) if here == "\n" else cursor + 1
    return [*offsets, cursor]


def _block_start(text: str, start: int) -> int:
    newline = text.find("\n", start)
    return len(text) if newline < 0 else newline + 1


def _indent(text: str, begin: int, value: str) -> int:
    """Return how many blanks YAML took off each line: what the first line of text has more than its value."""
    content = value.lstrip("\n")
    source = begin
    for line in text[begin:].split("\n"):
        if line.strip(" "):
            break
        source += len(line) + 1
    return max(0, _leading_blanks(text, source) - _leading_blanks(content, 0))


def _leading_blanks(text: str, begin: int) -> int:
    count = 0
    while text[begin + count : begin + count + 1] == " ":
        count += 1
    return count


def _behind_indent(text: str, cursor: int, indent: int) -> int:
    return cursor + min(indent, _leading_blanks(text, cursor))


def _flow_offsets(text: str, start: int, end: int, value: str, style: str | None) -> list[int]:
    """Place a plain or quoted scalar's characters: what a piece of source gives is told by the source alone."""
    cursor = start + (1 if style in {"'", '"'} else 0)
    offsets: list[int] = []
    while cursor < end and len(offsets) < len(value):
        here = text[cursor]
        if here in _WHITE:
            behind = _behind_white(text, cursor)
            offsets.extend(_folded(text, cursor, behind))
            cursor = behind
        elif here == "\\" and style == '"' and text[cursor + 1 : cursor + 2] == "\n":
            behind = _behind_white(text, cursor + 2)  # the break itself is dropped, empty lines after it are not
            offsets.extend(_breaks(text, cursor + 2, behind))
            cursor = behind
        else:
            offsets.append(cursor)
            cursor += _source_length(text, cursor, style)
    return [*offsets, *[min(cursor, end)] * (len(value) + 1 - len(offsets))]


def _folded(text: str, begin: int, behind: int) -> list[int]:
    """Return the places of what a run of blanks and breaks gives: one break a blank, more breaks one break less."""
    breaks = _breaks(text, begin, behind)
    if not breaks:
        return list(range(begin, behind))
    return breaks[:-1] or breaks


def _breaks(text: str, begin: int, behind: int) -> list[int]:
    return [offset for offset in range(begin, behind) if text[offset] == "\n"]


def _behind_white(text: str, cursor: int) -> int:
    while text[cursor : cursor + 1] in _WHITE:
        cursor += 1
    return cursor


def _source_length(text: str, cursor: int, style: str | None) -> int:
    """Return how many characters of source stand for the one that begins here."""
    if style == '"' and text[cursor] == "\\":
        return 2 + _HEX_ESCAPES.get(text[cursor + 1 : cursor + 2], 0)
    return 2 if style == "'" and text[cursor] == "'" else 1
