"""`usher eval` with several requests, known users, and the account of each."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

Write = Callable[[str | Mapping[str, str]], Path]
Run = Callable[..., Result]
Payload = Callable[..., dict[str, Any]]
Rows = Callable[..., list[Path]]

POLICY = """\
policy: p
rules:
  - id: free
    claim:
      login:
        candidates: ["'ann@example.com'", "'ann' + string(n) + '@example.com'"]
        counter: {from: 2, to: 30}
    set: {user.login: claimed.login}
  - id: known
    when: "size(directory('employeeNumber', get(appuser, 'employeeNumber', ''))) == 1"
    action: {link: "directory('employeeNumber', get(appuser, 'employeeNumber', ''))[0].id"}
  - id: held
    when: "'hold' in context.conflicts"
    hold: {value: ask}
"""
FLAT = {"id": "00u1", "status": "ACTIVE", "login": "Ann@Example.com", "employeeNumber": "7"}
OKTA = {"id": "00u1", "status": "ACTIVE", "profile": {"login": "Ann@Example.com", "employeeNumber": "7"}}


@pytest.fixture
def rows(folder: Path, payload: Payload) -> Rows:
    """Return a writer of requests, one file each."""

    def write(*appusers: Mapping[str, object]) -> list[Path]:
        paths = []
        for number, appuser in enumerate(appusers):
            path = folder / f"{number}.json"
            path.write_text(json.dumps(payload(appuser=appuser)), encoding="utf-8")
            paths.append(path)
        return paths

    return write


def answers(result: Result) -> list[Any]:
    """Return the answers, one a line."""
    return [json.loads(line) for line in result.stdout.splitlines()]


def logins(result: Result) -> list[str]:
    """Return the login each answer sets."""
    return [answer["commands"][0]["value"]["login"] for answer in answers(result)]


def test_requests_are_decided_in_order_on_one_ledger(run: Run, rows: Rows, write_folder: Write) -> None:
    """Two people of one name get two logins, a row that comes again its first one; standard input is a file, too."""
    paths = rows({"externalId": "1"}, {"externalId": "2"})
    folder = write_folder(POLICY)
    body = paths[0].read_bytes()
    result = run("eval", *paths, "-", "--policies", folder, stdin=body)
    assert logins(result) == ["ann@example.com", "ann2@example.com", "ann@example.com"]
    assert logins(run("eval", *paths[::-1], "--policies", folder)) == ["ann@example.com", "ann2@example.com"]


def test_nothing_is_kept_from_call_to_call(run: Run, rows: Rows, write_folder: Write, folder: Path) -> None:
    """The ledger is that of one call, and no file is written."""
    (path,) = rows({"externalId": "1"})
    (other,) = rows({"externalId": "2"})
    before = sorted(folder.rglob("*"))
    for row in (path, other):
        assert logins(run("eval", row, "--policies", write_folder(POLICY))) == ["ann@example.com"]
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(
    "text",
    [
        json.dumps([FLAT]),
        json.dumps([OKTA], indent=2),
        json.dumps(FLAT) + "\n\n" + json.dumps({"id": "00u2"}) + "\n",
        "\ufeff" + json.dumps(OKTA),
    ],
    ids=["list", "Okta's list", "lines", "byte order mark"],
)
def test_known_users_are_found_and_their_logins_taken(
    run: Run, rows: Rows, write_folder: Write, folder: Path, text: str
) -> None:
    """For directory() and for claims, in every form the file may have."""
    (folder / "users.json").write_text(text, encoding="utf-8")
    paths = rows({"externalId": "1"}, {"externalId": "2", "employeeNumber": "7"})
    result = run("eval", *paths, "--policies", write_folder(POLICY), "--directory", "users.json")
    created, linked = answers(result)
    assert created["commands"][0]["value"]["login"] == "ann2@example.com"
    assert [command["value"] for command in linked["commands"]] == [{"result": "LINK_USER"}, {"id": "00u1"}]


BAD_FILES = {
    "no JSON in a line": (b'{"id": "00u1"}\n\n{"id": \n', "users.json:3: not JSON: Expecting value"),
    "no JSON in a list": (b'[\n{"id": "00u1"},\n]', "users.json:3: not JSON: "),
    "no id": (b'{"id": "00u1"}\n{"login": "secret@example.com"}\n', "users.json:2: a user is an object with an id"),
    "no object": (b'"secret@example.com"\n', "users.json:1: a user is an object with an id"),
    "Latin-1": (b'{"id": "00u1"}\n{"id": "\xe4"}\n', "users.json:2: not UTF-8; save the file as UTF-8"),
    "nested without end": (b"[" * 100_000, "users.json: not a JSON text this service reads"),
    "endless digits": (b'{"id": "00u1", "n": ' + b"9" * 5000 + b"}", "users.json:1: not JSON this service reads"),
}


@pytest.mark.parametrize(("content", "expected"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_file_of_users_is_one_clear_line(
    run: Run, rows: Rows, write_folder: Write, folder: Path, content: bytes, expected: str
) -> None:
    """File and line, no value, exit code 2, and no answer before it."""
    (folder / "users.json").write_bytes(content)
    result = run("eval", *rows({}), "--policies", write_folder(POLICY), "--directory", "users.json", expected=2)
    assert str(result.exception).startswith(expected)
    assert "\n" not in str(result.exception)
    assert "secret@" not in str(result.exception)
    assert result.stdout == ""


@pytest.mark.parametrize("name", ["nowhere.json", "."])
def test_files_that_cannot_be_read_leave_no_half_of_the_answers(
    run: Run, rows: Rows, write_folder: Write, name: str
) -> None:
    """A request or a list of users that is not there is told before the first answer."""
    for arguments in ([*rows({}), name], [*rows({}), "--directory", name]):
        result = run("eval", *arguments, "--policies", write_folder(POLICY), expected=2)
        assert str(result.exception).startswith(f"{name}: cannot be read: ")
        assert result.stdout == ""


def test_standard_input_can_be_named_once(run: Run, write_folder: Write) -> None:
    """A second reading would find it empty."""
    result = run("eval", "-", "-", "--policies", write_folder(POLICY), stdin=b"{}", expected=2)
    assert "standard input (-) can be read only once" in result.stderr


def test_no_request_is_misuse(run: Run) -> None:
    """There is nothing to answer."""
    assert "Missing argument" in run("eval", expected=2).stderr


def test_one_request_that_is_not_decided_is_a_finding(run: Run, rows: Rows, write_folder: Write) -> None:
    """The others are answered all the same, each in its line."""
    (path,) = rows({})
    result = run("eval", "-", path, "--policies", write_folder(POLICY), stdin=b"no JSON", expected=1)
    first, second = answers(result)
    assert "error" in first
    assert "commands" in second


def test_each_account_stands_on_stderr(run: Run, rows: Rows, write_folder: Write) -> None:
    """Answers stay data; shadow policies are told after the decision they would have changed."""
    shadow = "policy: s\nmode: shadow\nrules:\n  - id: a\n    set: {user.title: {value: x}}\n"
    paths = rows({"externalId": "1"}, {"externalId": "2"})
    result = run("eval", *paths, "--explain", "--policies", write_folder({"a.yaml": POLICY, "s.yaml": shadow}))
    assert logins(result) == ["ann@example.com", "ann2@example.com"]
    lines = result.stderr.splitlines()
    assert [line.partition(" ")[0] for line in lines if not line.startswith(" ")] == ["decision", "shadow,"] * 2
    assert "    login ann2@example.com: granted" in lines
    assert lines.count("  would send com.okta.user.profile.update: {'title': 'x'}") == 2


def test_held_rows_are_answered_as_the_settings_say(
    run: Run, folder: Path, payload: Payload, write_folder: Write
) -> None:
    """A quarantine of the settings file holds for `eval`, too."""
    text = '[hold]\nanswer = "quarantine"\n[hold.quarantine]\nuserType = "held"\n'
    (folder / "usher.toml").write_text(text, encoding="utf-8")
    body = json.dumps(payload(context={"conflicts": ["hold"]})).encode()
    (answer,) = answers(run("eval", "-", "--policies", write_folder(POLICY), stdin=body))
    assert answer["commands"] == [{"type": "com.okta.user.profile.update", "value": {"userType": "held"}}]
