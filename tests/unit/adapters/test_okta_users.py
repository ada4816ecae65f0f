"""Files of users as they come from Okta and from spreadsheets: what is a user, what is told as a bad row."""

import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usher.adapters.okta_users import MAX_LINE_BYTES, BadRow, FoundUser, Row, UnreadableUsersError, UserFile

ANN = {"id": "00u1", "status": "ACTIVE", "login": "ann@example.com"}
WIRE = {
    "id": "00u1",
    "status": "ACTIVE",
    "created": "2026-03-01T09:00:00.000Z",
    "profile": {"login": "ann@example.com", "mobilePhone": None, "level": 3, "remote": True, "teams": ["a", "b"]},
    "credentials": {"provider": {"type": "OKTA"}},
}
FLAT = {**ANN, "level": 3, "remote": True, "teams": ["a", "b"]}


def rows(content: str | bytes, name: str = "users") -> list[Row]:
    """Return the rows of a file."""
    return list(UserFile(io.BytesIO(content.encode() if isinstance(content, str) else content), name).rows())


def bad(content: str | bytes, name: str = "users") -> list[tuple[int, str]]:
    """Return line and code of the bad rows of a file."""
    return [(row.line, row.code) for row in rows(content, name) if isinstance(row, BadRow)]


def line(**attributes: object) -> str:
    """Return Ann as a line of NDJSON, with other attributes."""
    return json.dumps({**ANN, **attributes}) + "\n"


def test_a_user_of_the_api_is_flattened() -> None:
    """Profile attributes stand beside id and status; what is null, and what is not the profile's, is left out."""
    assert rows(json.dumps(WIRE)) == [FoundUser(1, FLAT)]


def test_a_flat_user_stays_as_it_is() -> None:
    """As `usher eval --directory` and policy tests write it; a status that is missing is empty."""
    assert rows(json.dumps({**FLAT, "title": None})) == [FoundUser(1, FLAT)]
    assert rows('{"id": "1", "login": "a"}') == [FoundUser(1, {"id": "1", "login": "a", "status": ""})]


@pytest.mark.parametrize(
    "content",
    [
        line() + "\n" + line(),
        "\ufeff" + line() + "\r\n" + line().replace("\n", "\r\n"),
        line() + "  \t\n" + line().rstrip(),
    ],
    ids=["plain", "BOM and Windows line ends", "blanks, and no end of line at the end"],
)
def test_line_ends_blanks_and_a_byte_order_mark_do_not_matter(content: str) -> None:
    """A row's line is the line in the file, blank ones counted."""
    assert rows(content) == [FoundUser(1, ANN), FoundUser(3, ANN)]


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ('{"id": "00u1"', "not-json"),
        ("login", "not-json"),
        ("NaN", "no-id"),
        ("[1]", "no-id"),
        ('"text"', "no-id"),
        ("{}", "no-id"),
        ('{"id": 1, "login": "a"}', "no-id"),
        ('{"id": " ", "login": "a"}', "no-id"),
        ('{"id": "1", "login": ""}', "no-login"),
        ('{"id": "1", "login": null}', "no-login"),
        ('{"id": "1", "login": 7}', "no-login"),
        ('{"id": "1", "status": "ACTIVE", "profile": {"email": "a"}}', "no-login"),
        ('{"id": "1", "login": "a", "status": 7}', "bad-value"),
        ('{"id": "1", "login": "a", "manager": {"id": "2"}}', "bad-value"),
        ('{"id": "1", "login": "a", "teams": [["b"]]}', "bad-value"),
        ('{"id": "1", "login": "a", "level": NaN}', "bad-value"),
        ('{"id": "1", "login": "a", "level": 1e999}', "bad-value"),
        ('{"id": "1", "login": "a", "level": ' + "9" * 5000 + "}", "not-json"),
        ("[" * 100_000, "not-json"),
        ("x" * (MAX_LINE_BYTES + 1), "too-long"),
        ("x" * (3 * MAX_LINE_BYTES), "too-long"),
    ],
)
def test_a_line_that_is_no_user_is_told_and_the_next_one_is_read(row: str, code: str) -> None:
    """All problems come at once."""
    content = f"{line()}{row}\n{line()}"
    assert bad(content, "users.ndjson") == [(2, code)]
    assert [found.line for found in rows(content, "users.ndjson") if isinstance(found, FoundUser)] == [1, 3]


def test_a_line_that_is_not_utf8_is_told() -> None:
    """Saved as Latin-1 by a spreadsheet or an old script."""
    content = line().encode() + '{"id": "1", "login": "björn"}\n'.encode("latin-1") + line().encode()
    assert bad(content) == [(2, "not-utf8")]


@pytest.mark.parametrize(
    "secret",
    [
        '{"id": "S3CRET", "login": 7}',
        '{"id": "1", "login": "S3CRET", "S3CRET!": {}}',
        '{"id": "1", "login": "a", "x": {"S3CRET": 1}}',
        '{"S3CRET',
        '{"id": "\\S3CRET"}',
    ],
)
def test_no_value_is_told(secret: str) -> None:
    """A terminal, a log of a scheduler: no place for people."""
    (row,) = rows(secret)
    assert isinstance(row, BadRow)
    assert "S3CRET" not in f"{row.code} {row.message}"


def test_an_attribute_is_named_when_it_is_one() -> None:
    """An administrator finds it by its name."""
    (row,) = rows('{"id": "1", "login": "a", "manager": {"id": "2"}}')
    assert row == BadRow(1, "bad-value", "`manager` is neither text, number, boolean nor a list of these")


@pytest.mark.parametrize("name", ["users.csv", "users", "users.json"])
def test_a_list_is_refused_with_the_way_out(name: str) -> None:
    """It could only be read whole, into memory."""
    (row,) = rows(f"\n[{line()}]", name)
    message = "a list can only be read whole; write one user a line, for example with jq -c '.[]'"
    assert row == BadRow(2, "json-list", message)


@pytest.mark.parametrize("content", ["", "\n\n", "\ufeff", "\ufeff\r\n"])
@pytest.mark.parametrize("name", ["users.csv", "users.ndjson", "users"])
def test_an_empty_file_has_no_rows(content: str, name: str) -> None:
    """Whether nobody is to be known is for others to say."""
    assert rows(content, name) == []


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_csv_is_read_as_spreadsheets_write_it(delimiter: str, end: str, mark: str) -> None:
    """Commas, semicolons or tabs; quotes; line breaks within a field; an empty field is an attribute without value."""
    lines = [
        ["id", "status", "login", "title"],
        ["00u1", "ACTIVE", "ann@example.com", ""],
        ["00u2", "", "bo@example.com", f'"of {delimiter}""two""{end}lines"'],
        ["", "", "", ""],
        ["00u3", "STAGED", "cy@example.com", "x"],
    ]
    assert rows(mark + end.join(delimiter.join(fields) for fields in lines)) == [
        FoundUser(2, ANN),
        FoundUser(
            3, {"id": "00u2", "login": "bo@example.com", "title": f'of {delimiter}"two"{end}lines', "status": ""}
        ),
        FoundUser(6, {"id": "00u3", "status": "STAGED", "login": "cy@example.com", "title": "x"}),
    ]


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("00u1", "columns"),
        ("00u1,a,b,c", "columns"),
        (",a,b", "no-id"),
        ("00u1,,b", "no-login"),
        ('00u1,"a"b,c', "not-csv"),
        ("00u1,a\rb,c", "not-csv"),
        (f"00u1,a,{'x' * 200_000}", "not-csv"),
        (f"00u1,a,{'x' * MAX_LINE_BYTES}", "too-long"),
    ],
)
def test_a_csv_row_that_is_no_user_is_told_and_the_next_one_is_read(row: str, code: str) -> None:
    """By the line in which the row begins."""
    content = f'id,login,title\n00u1,a,"b\nb"\n{row}\n00u2,a,b\n'
    assert bad(content) == [(4, code)]
    assert [found.line for found in rows(content) if isinstance(found, FoundUser)] == [2, 5]


def test_a_csv_file_that_breaks_off_within_quotes_is_told() -> None:
    """As the last row, by the line in which it begins."""
    assert bad('id,login\n1,a\n2,"b\nc') == [(3, "not-csv")]


def test_a_csv_line_that_is_not_utf8_is_told() -> None:
    """Also within a field of several lines."""
    assert bad('id,login\n1,a\n2,"b\nbjörn\nb"\n3,c\n'.encode("latin-1")) == [(4, "not-utf8")]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("login,title", "no column `id`; the first line names the attributes, id and login among them"),
        ("id;title", "no column `login`; the first line names the attributes, id and login among them"),
        ("00u1,ann@example.com", "no column `id`; the first line names the attributes, id and login among them"),
        ("id,login,", "column 3 has no name"),
        ("id,login,title,login", "column 4 has the name of an earlier one"),
    ],
)
def test_a_wrong_header_is_told_and_ends_the_file(header: str, message: str) -> None:
    """Without it no row can be read; it is not quoted, for it may be a person."""
    assert rows(f"{header}\n1,2,3\n") == [BadRow(1, "bad-header", message)]


@pytest.mark.parametrize(
    "content", [b"\x1f\x8b\x08\x00\xff", b"PK\x03\x04\xff\xfe\n\xff", "id,login\n".encode("utf-16")]
)
def test_a_file_of_another_kind_is_told_once(content: bytes) -> None:
    """Compressed, a workbook, UTF-16."""
    assert rows(content * 100) == [BadRow(1, "not-utf8", "not UTF-8; save the file as UTF-8, and unpacked")]


def test_what_has_been_read_is_known() -> None:
    """For a bar: the bytes of the rows so far."""
    content = (line() * 3).encode()
    file = UserFile(io.BytesIO(content), "users")
    read = [file.read_bytes for _ in file.rows()]
    assert (read[0], read[2]) == (len(content) // 3, len(content))


def test_a_file_that_cannot_be_read_any_more_is_an_error() -> None:
    """A network drive that went away."""

    class Gone(io.BytesIO):
        def readline(self, size: int | None = -1, /) -> bytes:
            del size
            raise OSError(5, "Input/output error")

    with pytest.raises(UnreadableUsersError, match=r"^cannot be read: Input/output error$"):
        list(UserFile(Gone(), "users").rows())


@given(st.binary(max_size=200), st.sampled_from(["users", "users.json", "users.csv"]))
def test_whatever_a_file_holds_each_row_is_a_user_or_told(content: bytes, name: str) -> None:
    """No bytes make it fail otherwise."""
    for row in rows(content, name):
        assert isinstance(row, BadRow) or (row.user["id"] and row.user["login"])


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["title", "city", "x"]),
            st.none() | st.text() | st.integers() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False),
        )
    )
)
def test_what_is_written_as_ndjson_is_what_is_read(people: list[dict[str, object]]) -> None:
    """Values keep their types."""
    content = "".join(line(**person) for person in people)
    found = [row.user for row in rows(content) if isinstance(row, FoundUser)]
    kept = [{name: value for name, value in person.items() if value is not None} for person in people]
    assert found == [{**ANN, **person} for person in kept]


def test_a_real_file_is_read_as_it_lies_there(tmp_path: Path) -> None:
    """By path, as the command opens it."""
    path = tmp_path / "users.ndjson"
    path.write_bytes(line().encode() * 2)
    with path.open("rb") as stream:
        assert len(list(UserFile(stream, path.name).rows())) == 2
