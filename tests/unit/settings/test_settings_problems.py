"""What bad settings are told: every problem at once, one clear line each, without values."""

from pathlib import Path

import pytest

from usher.settings import SettingsError, load

FILE_CASES = {
    "a key outside a section": (
        "port = 1",
        "1:1: unknown-setting: port stands in no section; did you mean server.port?",
    ),
    "an unknown section": (
        "\n[sever]\nport = 1",
        "2:1: unknown-section: [sever] is not a section; did you mean server?",
    ),
    "a section that is a value": ("server = 1", "1:1: bad-value: server must be a section: [server]"),
    "an unknown key": ("[server]\nprot = 1", "2:1: unknown-setting: server.prot is not a setting; did you mean port?"),
    "a key of another section": (
        "[server]\n  redaction = true",
        "2:3: unknown-setting: server.redaction is not a setting; did you mean decisions.redaction?",
    ),
    "a key like no other": ("[state]\nqqqq = 1", "2:1: unknown-setting: state.qqqq is not a setting"),
    "a truth value for a number": ("[server]\nport = true", "2:1: bad-value: server.port must be a whole number"),
    "a text for a number": ('[server]\nport = "80"', "2:1: bad-value: server.port must be a whole number"),
    "a fraction for a whole number": (
        "[server]\nthreads = 1.0",
        "2:1: bad-value: server.threads must be a whole number",
    ),
    "a number out of range": ("[server]\nport = 65536", "2:1: bad-value: server.port must be from 0 to 65535"),
    "no time at all": (
        "[server]\ndeadline_seconds = 0",
        "2:1: bad-value: server.deadline_seconds must be from 0.01 to 3",
    ),
    "not a number": ("[server]\ndrain_seconds = nan", "2:1: bad-value: server.drain_seconds must be a number"),
    "infinity": ("[server]\nreplay_seconds = inf", "2:1: bad-value: server.replay_seconds must be a number"),
    "a number for a truth value": (
        "[decisions]\nredaction = 0",
        "2:1: bad-value: decisions.redaction must be true or false",
    ),
    "a number for a text": ("[server]\nhost = 1", "2:1: bad-value: server.host must be a text in quotes"),
    "an empty host": ('[server]\nhost = ""', "2:1: bad-value: server.host must be a valid host name or address"),
    "an unknown choice": (
        '[logging]\nformat = "xml"',
        '2:1: bad-value: logging.format must be "console" or "json"',
    ),
    "a mode that is none": (
        '[auth]\nmode = "oauth"',
        '2:1: bad-value: auth.mode must be "header" or "oauth2"',
    ),
    "an algorithm with a shared secret": (
        '[auth]\nalgorithms = ["RS256", "HS256"]',
        "2:1: bad-value: auth.algorithms must hold algorithms RS256 to ES512, each in quotes",
    ),
    "no algorithm at all": (
        '[auth]\nalgorithms = ["none"]',
        "2:1: bad-value: auth.algorithms must hold algorithms RS256 to ES512, each in quotes",
    ),
    "a scope that is two": (
        '[auth]\nscopes = ["a b"]',
        "2:1: bad-value: auth.scopes must hold scopes, each in quotes",
    ),
    "an issuer that is no URL": (
        '[auth]\nissuer = "example.okta.com"',
        "2:1: bad-value: auth.issuer must be a valid URL",
    ),
    "a header that is none": ('[auth]\nheader = "a b"', "2:1: bad-value: auth.header must be a valid header name"),
    "a header that proxies drop": (
        '[auth]\nheader = "X_Key"',
        "2:1: bad-value: auth.header must be a valid header name",
    ),
    "a text for a list": ('[auth]\nsecret_files = "x"', "2:1: bad-value: auth.secret_files must be a list in brackets"),
    "an empty path": ('[state]\nfolder = ""', "2:1: bad-value: state.folder must be a path in quotes"),
    "a path in a list that is none": (
        "[auth]\n\nsecret_files = [\n 1,\n]",
        "3:1: bad-value: auth.secret_files must hold files, each in quotes",
    ),
    "a variable that is no name": (
        '[auth]\nsecret_variables = ["a b"]',
        "2:1: bad-value: auth.secret_variables must hold names of environment variables, each in quotes",
    ),
    "a clash of ports": (
        "[server]\nport = 9000\noperations_port = 9000",
        "3:1: clash: server.operations_port must differ from server.port",
    ),
    "broken TOML": ("[server]\nport = = 1", "2:8: syntax: is not TOML: Invalid value"),
    "an unfinished text": ('[server]\nhost = "abc', "2:12: syntax: is not TOML: Unterminated string"),
    "a key given twice": ("[server]\nport = 1\nport = 2", "3:9: syntax: is not TOML: Cannot overwrite a value"),
    "a Windows path in double quotes": (
        '[state]\nfolder = "C:\\Users"',
        "2:15: syntax: is not TOML: Invalid hex value; write a Windows path in single quotes",
    ),
}


@pytest.mark.parametrize(("text", "expected"), FILE_CASES.values(), ids=FILE_CASES)
def test_a_bad_file_gets_one_clear_line(tmp_path: Path, text: str, expected: str) -> None:
    """The line names file, line, column, code and what to do."""
    (tmp_path / "usher.toml").write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load(None, environ={}, overrides={}, folder=tmp_path)
    assert str(caught.value) == f"usher.toml:{expected}"
    assert len(caught.value.problems) == 1


VARIABLE_CASES = {
    "an unknown variable of a section": (
        {"USHER_SERVER_PROT": "1"},
        "USHER_SERVER_PROT: unknown-variable: server.prot is not a setting; did you mean port?",
    ),
    "not a number": (
        {"USHER_SERVER_PORT": "tcp://192.0.2.1:8080"},
        "USHER_SERVER_PORT: bad-value: server.port must be a whole number",
    ),
    "an empty number": (
        {"USHER_SERVER_DRAIN_SECONDS": ""},
        "USHER_SERVER_DRAIN_SECONDS: bad-value: server.drain_seconds must be a number",
    ),
    "endless digits": (
        {"USHER_SERVER_PORT": "9" * 5000},
        "USHER_SERVER_PORT: bad-value: server.port must be a whole number",
    ),
    "a word for a truth value": (
        {"USHER_DECISIONS_REDACTION": "off"},
        "USHER_DECISIONS_REDACTION: bad-value: decisions.redaction must be true or false",
    ),
}


@pytest.mark.parametrize(("environ", "expected"), VARIABLE_CASES.values(), ids=VARIABLE_CASES)
def test_a_bad_variable_gets_one_clear_line(tmp_path: Path, environ: dict[str, str], expected: str) -> None:
    """The line names the variable."""
    with pytest.raises(SettingsError) as caught:
        load(None, environ=environ, overrides={}, folder=tmp_path)
    assert str(caught.value) == expected


def test_all_problems_come_at_once_in_order(tmp_path: Path) -> None:
    """File by lines, then variables, then the command line; a file that is no TOML hides none of the others."""
    text = '[logging]\nlevel = "loud"\n[server]\nport = "x"\nprot = 1\n'
    environ = {"USHER_STATE_FOLDER": "", "USHER_LOGGING_LEVLE": "info"}
    overrides = {"server.port": "x", "server.prot": "1"}
    (tmp_path / "usher.toml").write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load(None, environ=environ, overrides=overrides, folder=tmp_path)
    assert [(problem.place.file, problem.place.line) for problem in caught.value.problems] == [
        ("usher.toml", 2),
        ("usher.toml", 4),
        ("usher.toml", 5),
        ("USHER_STATE_FOLDER", 0),
        ("USHER_LOGGING_LEVLE", 0),
        ("command line", 0),
        ("command line", 0),
    ]
    (tmp_path / "usher.toml").write_text("[", encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load(None, environ=environ, overrides=overrides, folder=tmp_path)
    assert [problem.place.file for problem in caught.value.problems][:2] == ["usher.toml", "USHER_STATE_FOLDER"]


def test_values_are_never_repeated(tmp_path: Path) -> None:
    """A secret that slipped into the wrong setting must not end in a log."""
    secret = "correct-horse-battery"
    text = (
        f'[server]\nport = "{secret}"\nhost = ["{secret}"]\n[auth]\nheader = "{secret} x"\nsecret_files = "{secret}"\n'
    )
    (tmp_path / "usher.toml").write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load(None, environ={"USHER_LOGGING_LEVEL": secret}, overrides={"state.folder": ["x"]}, folder=tmp_path)
    assert secret not in str(caught.value)
    assert len(caught.value.problems) == 6


FILE_FAULTS = {
    "not there": (None, "my.toml: not-found: there is no such settings file"),
    "UTF-16": ("[server]".encode("utf-16"), "my.toml:1:1: encoding: is not UTF-8: save it as UTF-8"),
    "Latin-1 in the second line": (b"# a\n# \xe4\n", "my.toml:2:1: encoding: is not UTF-8: save it as UTF-8"),
    "too long": (b"#" * 300_000, "my.toml: too-long: is longer than 262144 bytes"),
    "nested without end": (b"a = " + b"[" * 100_000, "my.toml: syntax: is nested too deep"),
}


@pytest.mark.parametrize(("content", "expected"), FILE_FAULTS.values(), ids=FILE_FAULTS)
def test_a_file_that_cannot_be_read_gets_one_clear_line(tmp_path: Path, content: bytes | None, expected: str) -> None:
    """A file that was asked for is read or complained about, never passed over."""
    if content is not None:
        (tmp_path / "my.toml").write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        load(None, environ={"USHER_CONFIG": "my.toml"}, overrides={}, folder=tmp_path)
    assert str(caught.value) == expected


def test_a_folder_is_no_settings_file(tmp_path: Path) -> None:
    """A folder named like the settings file is a fault with its name."""
    (tmp_path / "usher.toml").mkdir()
    with pytest.raises(SettingsError, match=r"^usher\.toml: unreadable: the settings file cannot be read: "):
        load(None, environ={}, overrides={}, folder=tmp_path)
