"""The two settings whose keys the admin chooses: the attributes of a quarantine, the ledger's namespaces."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from usher.settings import LoadedSettings, NamespaceSettings, SettingsError, concerns, explanations, load, render

WHOLE = """\
[hold]
answer = "quarantine"
quarantine = {userType = "held", department = ""}

[ledger.namespaces.login]
ignoring = [".ext", "x-"]
compare = "local"

[ledger.namespaces.sam_name]
directory = ["nickName", "login"]
"""


def loaded(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> LoadedSettings:
    """Load a file of that text."""
    (folder / "usher.toml").write_text(text, encoding="utf-8")
    return load(None, environ=environ or {}, overrides={}, folder=folder)


def test_tables_are_read_with_their_keys(tmp_path: Path) -> None:
    """Each key has what was given and defaults for the rest; a namespace shares the attribute of its own name."""
    result = loaded(tmp_path, WHOLE).settings
    assert result.hold.answer == "quarantine"
    assert result.hold.quarantine == {"userType": "held", "department": ""}
    assert result.ledger.namespaces == {
        "login": NamespaceSettings((".ext", "x-"), "local", ("login",)),
        "sam_name": NamespaceSettings((), "whole", ("nickName", "login")),
    }


def test_login_is_there_unless_it_is_redefined(tmp_path: Path) -> None:
    """Setting one namespace adds to the default; an empty table changes nothing."""
    login = NamespaceSettings(directory=("login",))
    assert loaded(tmp_path, "").settings.ledger.namespaces == {"login": login}
    assert loaded(tmp_path, "[ledger.namespaces]").settings.ledger.namespaces == {"login": login}
    added = loaded(tmp_path, "[ledger.namespaces.email]").settings.ledger.namespaces
    assert added == {"login": login, "email": NamespaceSettings(directory=("email",))}


def test_every_part_knows_where_it_comes_from(tmp_path: Path) -> None:
    """What `usher settings` prints has an origin for each key, and says `{}` of an empty table."""
    lines = list(render(loaded(tmp_path, WHOLE), {}, reasons=explanations()))
    assert 'hold.quarantine.userType = "held"  # usher.toml:3' in lines
    assert 'ledger.namespaces.login.ignoring = [".ext", "x-"]  # usher.toml:6' in lines
    assert 'ledger.namespaces.login.directory = ["login"]  # default' in lines
    assert 'ledger.namespaces.sam_name.compare = "whole"  # default' in lines
    place = lines.index('ledger.namespaces.login.compare = "local"  # usher.toml:7')
    assert lines[place - 1].startswith(r"# choice, \"whole\", \"local\": ")
    assert "hold.quarantine = {}  # default" in render(loaded(tmp_path, ""), {})


NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,10}", fullmatch=True)
AFFIXES = st.lists(st.text(st.characters(exclude_categories=["Cs", "Z", "C"], exclude_characters="@"), min_size=1))
TABLE = st.fixed_dictionaries(
    {"ignoring": AFFIXES, "compare": st.sampled_from(["whole", "local"]), "directory": st.lists(NAMES)}
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(namespaces=st.dictionaries(NAMES, TABLE, max_size=3), quarantine=st.dictionaries(NAMES, st.text(max_size=9)))
def test_law_what_is_printed_is_the_same_settings(
    tmp_path: Path, namespaces: dict[str, dict[str, object]], quarantine: dict[str, str]
) -> None:
    """The printed tables, read again, are the tables, whatever the keys and texts."""
    clean = {name: text.encode("utf-8", "replace").decode() for name, text in quarantine.items()}
    first = loaded(tmp_path, _toml(namespaces, clean))
    assert first.settings.hold.quarantine == clean
    assert set(first.settings.ledger.namespaces) == {"login", *namespaces}
    again = loaded(tmp_path, "\n".join(render(first, {})))
    assert again.settings == first.settings


def _toml(namespaces: Mapping[str, Mapping[str, object]], quarantine: Mapping[str, str]) -> str:
    """Write tables by another hand than the one under test: escapes alone, no quoting rules."""

    def quoted(value: object) -> str:
        if isinstance(value, list):
            return "[" + ", ".join(map(quoted, value)) + "]"
        return '"' + "".join(f"\\U{ord(character):08x}" for character in str(value)) + '"'

    lines = ["[hold.quarantine]", *(f"{name} = {quoted(text)}" for name, text in quarantine.items())]
    for name, table in namespaces.items():
        lines += [f"[ledger.namespaces.{name}]", *(f"{key} = {quoted(value)}" for key, value in table.items())]
    return "\n".join(lines)


CASES = {
    "an answer that is none": (
        '[hold]\nanswer = "drop"',
        '2:1: bad-value: hold.answer must be "error" or "quarantine"',
    ),
    "a quarantine that is a text": (
        '[hold]\nquarantine = "x"',
        "2:1: bad-value: hold.quarantine must be a section: [hold.quarantine]",
    ),
    "a number in a quarantine": (
        "[hold.quarantine]\n\nuserType = 7",
        "3:1: bad-value: hold.quarantine.userType must be a text in quotes",
    ),
    "a quarantined attribute that is no name": (
        '[hold.quarantine]\n"user type" = "x"',
        "2:1: bad-name: a key of hold.quarantine is letters, digits and _, not a digit first, 64 characters at most",
    ),
    "a quarantine that sets nothing apart": (
        '[hold]\nanswer = "quarantine"',
        '2:1: clash: hold.answer = "quarantine" needs [hold.quarantine]: the attributes that set a held user apart',
    ),
    "namespaces that are none": (
        "[ledger]\nnamespaces = []",
        "2:1: bad-value: ledger.namespaces must be a section: [ledger.namespaces]",
    ),
    "a namespace that is none": (
        "[ledger.namespaces]\nlogin = true",
        "2:1: bad-value: ledger.namespaces.login must be a section: [ledger.namespaces.login]",
    ),
    "a namespace that is no name": (
        "[ledger.namespaces.2nd]",
        "1:1: bad-name: a key of ledger.namespaces is letters, digits and _, not a digit first, 64 characters at most",
    ),
    "an unknown key of a namespace": (
        '[ledger.namespaces.login]\nignore = [".ext"]',
        "2:1: unknown-setting: ledger.namespaces.login.ignore is not a setting; did you mean ignoring?",
    ),
    "a comparison that is none": (
        '[ledger.namespaces.login]\ncompare = "domain"',
        '2:1: bad-value: ledger.namespaces.login.compare must be "whole" or "local"',
    ),
    "an affix that reaches the domain": (
        '[ledger.namespaces.login]\nignoring = ["@x"]',
        "2:1: bad-value: ledger.namespaces.login.ignoring must hold affixes before the @, each in quotes",
    ),
    "an affix of blanks": (
        '[ledger.namespaces.login]\nignoring = [" "]',
        "2:1: bad-value: ledger.namespaces.login.ignoring must hold affixes before the @, each in quotes",
    ),
    "an attribute that is none": (
        '[ledger.namespaces.login]\ndirectory = ["user.login"]',
        "2:1: bad-value: ledger.namespaces.login.directory must hold attributes of the Okta profile, each in quotes",
    ),
    "a key of the section": (
        "[ledger]\nnamespace = {}",
        "2:1: unknown-setting: ledger.namespace is not a setting; did you mean namespaces?",
    ),
}


@pytest.mark.parametrize(("text", "expected"), CASES.values(), ids=CASES)
def test_a_bad_table_gets_one_clear_line(tmp_path: Path, text: str, expected: str) -> None:
    """The line names file, line, column, code and what to do, however deep the key stands."""
    with pytest.raises(SettingsError) as caught:
        loaded(tmp_path, text)
    assert str(caught.value) == f"usher.toml:{expected}"


def test_all_problems_of_all_tables_come_at_once(tmp_path: Path) -> None:
    """In the order of the file."""
    text = (
        "[ledger.namespaces.login]\ncompare = 1\nignoring = 1\nx = 1\n[ledger.namespaces.b]\ndirectory = 1\n"
        "[hold.quarantine]\na = 1\n"
    )
    with pytest.raises(SettingsError) as caught:
        loaded(tmp_path, text)
    assert [problem.place.line for problem in caught.value.problems] == [2, 3, 4, 6, 8]


@pytest.mark.parametrize("variable", ["USHER_HOLD_QUARANTINE", "USHER_HOLD_QUARANTINE_USERTYPE"])
def test_tables_stand_in_the_file_alone(tmp_path: Path, variable: str) -> None:
    """A variable or an option that means one is told where it belongs; a choice beside it may be overridden."""
    expected = "hold.quarantine can be set in the settings file only: write [hold.quarantine]"
    with pytest.raises(SettingsError) as caught:
        loaded(tmp_path, "", {variable: "x"})
    assert str(caught.value) == f"{variable}: unknown-variable: {expected}"
    with pytest.raises(SettingsError) as caught:
        load(None, environ={}, overrides={"ledger.namespaces.login.compare": "local"}, folder=tmp_path)
    assert str(caught.value).endswith("can be set in the settings file only: write [ledger.namespaces]")
    result = loaded(tmp_path, '[hold.quarantine]\nuserType = "held"', {"USHER_HOLD_ANSWER": "quarantine"})
    assert result.settings.hold.answer == "quarantine"


def test_a_quarantine_that_is_not_used_is_said(tmp_path: Path) -> None:
    """A table without the choice that uses it is valid, and surely not what was meant."""
    result = loaded(tmp_path, '[auth]\nsecret_variables = []\n[hold.quarantine]\nuserType = "held"')
    assert [str(concern) for concern in concerns(result, {})] == [
        'usher.toml:3: unused-quarantine: hold.quarantine is not used: hold.answer is not "quarantine"'
    ]
    assert list(concerns(loaded(tmp_path, WHOLE), {})) == []
