"""Every character of a scalar, back at the place in the file it came from."""

import string
from dataclasses import dataclass

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from usher.engine.folder import SourceFile
from usher.engine.positions import LineStarts, ScalarPositions
from usher.engine.yaml_text import Mapping, Scalar, read_yaml

LETTERS = string.ascii_letters  # each is used once, so that it can be found again in the source


def without(letters: str) -> str:
    """Return the letters that no key and no escape uses."""
    return "".join(letter for letter in LETTERS if letter not in letters)


def scalar(text: str, key: str = "key") -> tuple[str, ScalarPositions]:
    """Return value and positions of a text under a key."""
    node, problems = read_yaml(text, "f.yaml")
    assert [str(problem) for problem in problems] == []
    assert isinstance(node, Mapping)
    found = node.get(key)
    assert isinstance(found, Scalar)
    assert isinstance(found.value, str)
    assert found.positions is not None
    return found.value, found.positions


def places(value: str, positions: ScalarPositions) -> list[tuple[int, int]]:
    """Return the place of every character of a value."""
    starts = LineStarts(value)
    return [positions.at(*starts.at(index)) for index in range(len(value))]


def assert_letters_are_found(text: str) -> None:
    """Check the place of every letter of the value against the only place of that letter in the source."""
    value, positions = scalar(text)
    starts = LineStarts(text)
    for character, place in zip(value, places(value, positions), strict=True):
        if character in LETTERS:
            assert text.count(character) == 1
            assert place == starts.at(text.index(character))
    assert places(value, positions) == sorted(places(value, positions))


@pytest.mark.parametrize(
    "text",
    [
        "0: A B\n  C\n\n  D\n",
        "0: 'A ''B''\n  C'\n",
        '0: "A \\" \\\\ B\\\n   \\ C \\x20 \\u0020 \\U00000020 D\\n\\tE\n\n  F\\\n  G"\n',
        "0: |\n  A\n    B\n\n   C\n",
        "0: |2-\n    A\n   B\n  C\n",
        "0: |+\n  A\n\n\n",
        "0: |1\n   A\n B\n",
        "0: >\n  A\n  B\n\n  C\n    D\n    E\n\n  F\n\n\n  G\n",
        "0: >2-\n    A\n  B\n",
        "0: >-\n\n\n  A\n  B  \n  C",
        "0: >-\n  A\n  \tB\n  C",
        "0: |  # note\n  A\n  B\n",
        "{0: A, '1': \"B\"}",
        "\n\n# note\n0:\n  A\n",
        "0: \U0001f642 A é B\n",
        "0: |\n  A\n# note\n1: 2\n",
    ],
)
def test_every_style_of_scalar_knows_where_its_characters_stand(text: str) -> None:
    """Through escapes, folds, doubled quotes, indentation with and without indicator, chomping."""
    node, _ = read_yaml(text, "f.yaml")
    assert isinstance(node, Mapping)
    value, positions = scalar(text, "0")
    starts = LineStarts(text)
    letters = [
        (character, place)
        for character, place in zip(value, places(value, positions), strict=True)
        if character in LETTERS
    ]
    assert letters
    for character, place in letters:
        assert place == starts.at(text.index(character)), character


@dataclass(frozen=True)
class Line:
    """A line of a block: blanks before, letters, blanks behind."""

    before: int
    letters: int
    behind: int


LINES = st.lists(st.builds(Line, st.integers(0, 3), st.integers(0, 3), st.integers(0, 2)), min_size=1, max_size=6)


def drawn(lines: list[Line], *, blanks: bool) -> list[str]:
    """Return lines in which every letter stands once, words apart by one blank."""
    letters = iter(without("key"))
    texts = []
    for line in lines:
        words = " ".join(next(letters) for _ in range(line.letters))
        texts.append(" " * line.before * blanks + words + " " * line.behind * blanks if words else "")
    return texts


@given(LINES, st.integers(1, 5), st.sampled_from(["", "-", "+"]), st.booleans(), st.booleans())
def test_literal_blocks(lines: list[Line], indent: int, chomping: str, indicated: bool, carriage: bool) -> None:  # noqa: FBT001 - Hypothesis hands them over
    """Law: line and column of a literal block are the value's, moved by the block's place and indentation."""
    texts = drawn(lines, blanks=True)
    assume(any(texts))
    first = next(text for text in texts if text)
    assume(indicated or not first.startswith(" "))
    header = f"key: |{indent if indicated else ''}{chomping}\n"
    text = header + "".join(f"{' ' * indent}{line}\n" if line else "\n" for line in texts)
    content = text.replace("\n", "\r\n" if carriage else "\n").encode()
    as_read = SourceFile("f.yaml", "f.yaml", content).text()
    assert isinstance(as_read, str)
    value, positions = scalar(as_read)
    starts = LineStarts(value)
    for index in range(len(value)):
        line, column = starts.at(index)
        shift = indent if line <= len(texts) and texts[line - 1] else 0
        assert positions.at(line, column) == (line + 1, column + shift)


@given(LINES, st.integers(1, 4), st.sampled_from(["", "-", "+"]), st.booleans())
def test_folded_blocks(lines: list[Line], indent: int, chomping: str, indicated: bool) -> None:  # noqa: FBT001 - Hypothesis hands them over
    """Law: every letter of a folded block points at itself, more indented lines and empty ones included."""
    texts = drawn(lines, blanks=True)
    assume(any(texts))
    first = next(text for text in texts if text)
    assume(indicated or not first.startswith(" "))
    header = f"key: >{indent if indicated else ''}{chomping}\n"
    assert_letters_are_found(header + "".join(f"{' ' * indent}{line}\n" if line else "\n" for line in texts))


@given(LINES, st.integers(1, 4), st.sampled_from(["", "'", '"']))
@example([Line(0, 1, 2), Line(0, 0, 0), Line(2, 1, 0)], 1, "'")
def test_flow_scalars_over_several_lines(lines: list[Line], indent: int, quote: str) -> None:
    """Law: every letter of a plain or quoted scalar points at itself, whatever is folded away between."""
    texts = drawn(lines, blanks=False)
    assume(texts[0] and texts[-1])
    body = "\n".join(f"{' ' * indent}{line}  " if line else " " for line in texts).strip()
    assert_letters_are_found(f"key: {quote}{body}{quote}\n")


PIECES = st.sampled_from(
    ["\\n", "\\t", "\\x41", "\\u00e9", "\\U0001F642", "\\\\", '\\"', "\\/", "\\ ", "\\_", "\\\n  ", "\n\n  ", " ", "'"]
)


@given(st.lists(st.tuples(PIECES, st.booleans()), min_size=1, max_size=12))
def test_double_quoted_escapes(pieces: list[tuple[str, bool]]) -> None:
    """Law: every letter between escapes points at itself; an escape's character points at its backslash."""
    letters = iter(without("keyuxntUFA"))
    body = "".join((next(letters) if letter else "") + piece for piece, letter in pieces) + next(letters)
    text = f'key: "{body}"\n'
    value, positions = scalar(text)
    starts = LineStarts(text)
    for character, place in zip(value, places(value, positions), strict=True):
        offset = starts.offset(*place)
        if character in LETTERS and character != "A":
            assert offset == text.index(character)
        elif text[offset] == "\\":
            assert text[offset + 1] in 'ntxuU\\"/ _'
        else:
            assert text[offset] in {character, "\n"}


@given(st.text(alphabet="a'b ", min_size=1, max_size=20))
def test_single_quotes(value: str) -> None:
    """Law: in single quotes every character points at itself, a doubled quote at its first half."""
    text = "key: '" + value.replace("'", "''") + "'\n"
    found, positions = scalar(text)
    assert found == value
    column = 7
    for character, place in zip(value, places(value, positions), strict=True):
        assert place == (1, column)
        column += 2 if character == "'" else 1


def test_a_place_beyond_the_value_is_its_end() -> None:
    """An expression that ends too early is told where it ends."""
    _, positions = scalar("key: 'abc'\n")
    assert positions.at(1, 4) == (1, 10)
    assert positions.at(1, 99) == (1, 10)
    assert positions.at(9, 1) == (1, 7)
    assert positions.at(0, 0) == (1, 7)


@given(st.text(alphabet="ab\n", max_size=30))
def test_line_starts_turn_offsets_into_places_and_back(text: str) -> None:
    """Law: round trip for every offset."""
    starts = LineStarts(text)
    for offset in range(len(text) + 1):
        line, column = starts.at(offset)
        assert starts.offset(line, column) == offset
        assert text[:offset].count("\n") == line - 1
