"""Tables: three formats, one meaning: data for `tables.<name>`."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.engine.engine_desk import Desk, values, written
from usher.bootstrap.schemas import Schemas
from usher.engine import LoadedPolicies, PolicySet, load_policies

POLICY = written({"id": "a", "set": {"user.title": "'x'"}})
Load = Callable[..., LoadedPolicies]
Tables = Callable[..., Mapping[str, object]]


@pytest.fixture(scope="session")
def tables(policy_set: Callable[..., PolicySet]) -> Tables:
    """Return the tables of a folder, from texts by file name."""
    return lambda files: policy_set({**POLICY, **{f"tables/{name}": text for name, text in files.items()}}).tables


ROWS = {"IT": {"code": "IT", "cost": "4711"}, "HR": {"code": "HR", "cost": ""}}


@pytest.mark.parametrize(
    "text",
    [
        "code,cost\nIT,4711\nHR,\n",
        "code;cost\nIT;4711\nHR;\n",
        "\ufeffcode;cost\nIT;4711\nHR;\n",
        "\ufeffcode,cost\r\nIT,4711\r\nHR,\r\n",
        "code,cost\rIT,4711\rHR,\r",
        "code,cost\nIT,4711\nHR,",
        '"code","cost"\n"IT","4711"\n"HR",""\n',
        "\ncode,cost\n\nIT,4711\n\n\nHR,\n\n",
    ],
)
def test_every_way_a_spreadsheet_writes_csv(tables: Tables, text: str) -> None:
    """UTF-8 with or without a mark, comma or semicolon, any line ends, quotes, a blank line here and there."""
    assert tables({"departments.csv": text}) == {"departments": ROWS}


def test_csv_is_text_only(tables: Tables) -> None:
    """Nothing is converted: leading zeros, numbers, dates, `true` and blanks stay as they are written."""
    text = "key,value\n007,1.50\ntrue,2026-01-01\nnull, x \n"
    assert tables({"t.csv": text})["t"] == {
        "007": {"key": "007", "value": "1.50"},
        "true": {"key": "true", "value": "2026-01-01"},
        "null": {"key": "null", "value": " x "},
    }


def test_quotes_hold_separators_line_ends_and_quotes(tables: Tables) -> None:
    """As RFC 4180 has it; the separator is what the header row has more of."""
    text = 'key;text\nx;"a;b, ""c""\nd"\n'
    assert tables({"t.csv": text})["t"] == {"x": {"key": "x", "text": 'a;b, "c"\nd'}}
    assert tables({"t.csv": "a,b\nx;y,1\n"})["t"] == {"x;y": {"a": "x;y", "b": "1"}}
    assert tables({"t.csv": "only\nx\ny\n"})["t"] == {"x": {"only": "x"}, "y": {"only": "y"}}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "t.csv: empty-file"),
        ("\n\n", "t.csv: empty-file"),
        ("a,b\nx,1\ny,2\nx,3\n", "t.csv:4:1: duplicate-key"),
        ("a,b\nx,1\n'x',2\n\"x\",3\n", "t.csv:4:1: duplicate-key"),
        ("a,b,a\nx,1,2\n", "t.csv:1:1: duplicate-key"),
        ("a,b\nx\n", "t.csv:2:1: csv-columns"),
        ("a,b\nx,1,2\n", "t.csv:2:1: csv-columns"),
        ("a,b\r\nx,1\r\ny\r\n", "t.csv:3:1: csv-columns"),
        ('a,b\n"x,1\n', "t.csv:2:1: csv-syntax"),
        ('a,b\n"x"y,1\n', "t.csv:2:1: csv-syntax"),
    ],
)
def test_bad_csv_is_told_with_its_line_and_is_an_error(load: Load, text: str, told: str) -> None:
    """Duplicate keys, ragged rows, open quotes: never half a table."""
    loaded = load({**POLICY, "tables/t.csv": text})
    assert loaded.policy_set is None
    assert [f"{str(found.place).rpartition('/')[2]}: {found.code}" for found in loaded.problems] == [told]


def test_csv_in_another_encoding_is_refused(schemas: Schemas, write_folder: Callable[..., Path]) -> None:
    """What a spreadsheet saves as CSV on Windows unless it is told: cp1252."""
    folder = write_folder({**POLICY, "tables/t.csv": ""})
    (folder / "tables" / "t.csv").write_bytes("stadt\nKöln\n".encode("cp1252"))
    loaded = load_policies(folder, shape=schemas.policy, profiles=schemas.profiles)
    assert [found.code for found in loaded.problems] == ["not-utf8"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.yaml", "a: [1, 2.5, true, null, x]\nb: {c: NO, d: 2026-01-01}\n"),
        ("t.yml", "\ufeffa: [1, 2.5, true, null, x]\r\nb: {c: NO, d: 2026-01-01}\r\n"),
        ("t.json", '{"a": [1, 2.5, true, null, "x"], "b": {"c": "NO", "d": "2026-01-01"}}'),
        ("t.JSON", '\ufeff{"a": [1, 2.5, true, null, "x"],\r\n "b": {"c": "NO", "d": "2026-01-01"}}\r\n'),
    ],
)
def test_yaml_and_json_are_used_as_they_are(tables: Tables, name: str, text: str) -> None:
    """YAML is read as policies are: `NO` is no false, a date is a text. Endings count in any case."""
    assert tables({name: text})["t"] == {"a": [1, 2.5, True, None, "x"], "b": {"c": "NO", "d": "2026-01-01"}}


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("t.json", "", "json-syntax"),
        ("t.json", "{'a': 1}", "json-syntax"),
        ("t.json", '{"a": 1} x', "json-syntax"),
        ("t.json", "[NaN]", "json-syntax"),
        ("t.json", "[Infinity]", "json-syntax"),
        ("t.json", "[1e400]", "json-syntax"),
        ("t.json", "[" * 100_000, "json-syntax"),
        ("t.json", '["\\udc00"]', "not-unicode"),
        ("t.json", '[{"a": 1, "a": 1}]', "duplicate-key"),
        ("t.yaml", "a: 1\na: 1\n", "duplicate-key"),
        ("t.yaml", "a: &x 1\n", "no-aliases"),
        ("t.yaml", "a: !x 1\n", "no-tags"),
        ("t.yaml", "a: 010\n", "odd-number"),
        ("t.yaml", "a: [\n", "yaml-syntax"),
        ("two-words.json", "{}", "bad-name"),
        ("1st.json", "{}", "bad-name"),
    ],
)
def test_a_bad_table_is_an_error(load: Load, name: str, text: str, code: str) -> None:
    """What two readers could understand differently, or nobody could send, is refused."""
    loaded = load({**POLICY, f"tables/{name}": text})
    assert loaded.policy_set is None
    assert [found.code for found in loaded.problems] == [code]


def test_two_tables_of_one_name_are_an_error(load: Load) -> None:
    """Nobody could say which of them is meant."""
    loaded = load({**POLICY, "tables/t.yaml": "a: 1\n", "tables/t.csv": "a\nx\n"})
    assert [found.code for found in loaded.problems] == ["duplicate-table"]


def test_only_files_directly_in_tables_at_the_top_are_tables(tables: Tables, load: Load) -> None:
    """Deeper ones are data of somebody else; a policy may stand in a folder of that name elsewhere."""
    assert tables({"t.yaml": "a: 1\n", "deep/u.yaml": "b: 1\n"}) == {"t": {"a": 1}}
    nested = written({"id": "a", "set": {"user.city": "'x'"}}, name="q")
    loaded = load({**POLICY, "sub/tables/q.yaml": nested["q.yaml"]})
    assert loaded.policy_set is not None
    assert [policy.name for policy in loaded.policy_set.policies] == ["p", "q"]


def test_a_policy_reads_a_table_and_a_missing_one_is_a_load_error(desk: Desk, load: Load) -> None:
    """`tables.<name>`: one that is missing, or misspelt, shows before anybody is imported."""
    rule = {"id": "a", "set": {"user.costCenter": "get(get(tables.departments, user.department, {}), 'cost', '')"}}
    files = {**written(rule), "tables/departments.csv": "code,cost\nIT,4711\n"}
    assert values(desk.ask(files, user={"department": "IT"})) == {"user.costCenter": "4711"}
    assert values(desk.ask(files, user={"department": "XX"})) == {"user.costCenter": ""}
    missing = load({**files, "tables/departments.csv": "", **written(rule), "tables/x.csv": "a\n"})
    assert "empty-file" in {found.code for found in missing.errors}
    [problem] = load(written(rule)).errors
    assert problem.code == "unknown-table"


def test_the_separator_does_not_depend_on_the_rows(tables: Tables) -> None:
    """A text full of semicolons in a table of commas."""
    assert tables({"t.csv": "a,b\nx,;;;;\n"})["t"] == {"x": {"a": "x", "b": ";;;;"}}


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r"), max_size=5)


@given(st.dictionaries(CELLS, CELLS, max_size=4), st.sampled_from(",;"), st.booleans())
def test_what_is_written_as_csv_is_read_as_it_was(
    tables: Tables,
    content: dict[str, str],
    separator: str,
    marked: bool,  # noqa: FBT001 - drawn by Hypothesis
) -> None:
    """Law: any text in a cell survives, with either separator, with or without a mark."""

    def cell(text: str) -> str:
        return '"' + text.replace('"', '""') + '"'

    lines = [f"k{separator}v", *(f"{cell(key)}{separator}{cell(value)}" for key, value in content.items())]
    text = ("\ufeff" if marked else "") + "\n".join(lines) + "\n"
    assert tables({"t.csv": text})["t"] == {key: {"k": key, "v": value} for key, value in content.items()}


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**63 - 1)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(max_size=4),
        lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=4), children, max_size=3),
        max_leaves=6,
    )
)
def test_what_is_written_as_json_is_read_as_it_was(tables: Tables, content: object) -> None:
    """Law: JSON is data."""
    assert json.dumps(tables({"t.json": json.dumps(content)})["t"]) == json.dumps(content)
