"""`check`, `eval` and `init` inside this process: what they print where, and how they exit."""

import json
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from usher.cli.group import usher
from usher.errors import UsherError

Write = Callable[[str | Mapping[str, str]], Path]
Run = Callable[..., Result]
GOOD = "policy: p\nrules:\n  - id: a\n    when: \"'login' in context.conflicts\"\n    set: {user.title: {value: x}}\n"
WARNED = "policy: p\nrules:\n  - id: a\n    when: user.city == 'x'\n    set: {user.title: {value: x}}\n"
BROKEN = "policy: p\nrules:\n  - id: a\n    set:\n      user.logn: usr.x\n      user.title: user.city\n"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Work in an empty folder: no settings file of somebody else is found."""
    before = Path.cwd()
    os.chdir(tmp_path)
    yield tmp_path
    os.chdir(before)


@pytest.fixture
def run(folder: Path) -> Run:
    """Return a caller of commands; nothing of the process' USHER_ variables reaches them."""
    del folder
    clean = {name: None for name in os.environ if name.startswith("USHER_")}

    def call(*arguments: object, stdin: bytes | None = None, expected: int = 0) -> Result:
        result = CliRunner(env=clean).invoke(usher, [str(argument) for argument in arguments], input=stdin)
        if isinstance(result.exception, UsherError):  # what `main` turns into a line and exit code 2
            assert expected == 2
            assert str(result.exception)
        else:
            assert result.exit_code == expected, result.output
        return result

    return call


def told(result: Result) -> str:
    """Return the one clear line of a refusal."""
    assert isinstance(result.exception, UsherError)
    return str(result.exception)


def test_check_of_a_sound_folder_is_quiet_on_stdout(run: Run, write_folder: Write) -> None:
    """The count goes to stderr."""
    result = run("check", write_folder(GOOD))
    assert result.stdout == ""
    assert result.stderr == "1 policy files, 1 rules, 0 errors, 0 warnings\n"


def test_check_prints_every_problem_on_stdout_and_exits_1(run: Run, write_folder: Write) -> None:
    """`file:line:column: code: message`, warnings marked."""
    folder = write_folder(BROKEN)
    result = run("check", folder, expected=1)
    lines = [line.removeprefix(f"{folder.as_posix()}/") for line in result.stdout.splitlines()]
    assert [line.partition(": ")[0] for line in lines] == ["policy.yaml:5:7", "policy.yaml:5:18", "policy.yaml:6:24"]
    assert [": warning: " in line for line in lines] == [False, False, True]
    assert result.stderr == "1 policy files, 2 errors, 1 warnings\n"


@pytest.mark.parametrize(("options", "expected"), [([], 0), (["--strict"], 1)])
def test_warnings_alone_are_findings_only_when_strict(
    run: Run, write_folder: Write, options: list[str], expected: int
) -> None:
    """They are printed either way."""
    result = run("check", write_folder(WARNED), *options, expected=expected)
    assert ": warning: unguarded-attribute: " in result.stdout


def test_check_without_a_folder_checks_the_shipped_policies(run: Run) -> None:
    """A wheel in an empty folder has something to serve."""
    assert "0 errors" in run("check").stderr


def test_check_without_a_folder_checks_the_one_in_the_settings(run: Run, folder: Path, write_folder: Write) -> None:
    """A relative path starts at the settings file's folder."""
    (folder / "sub").mkdir()
    (folder / "sub" / "usher.toml").write_text('[policies]\nfolder = "mine"\n', encoding="utf-8")
    write_folder(BROKEN).rename(folder / "sub" / "mine")
    assert "mine/policy.yaml:5:7: " in run("check", "--config", "sub/usher.toml", expected=1).stdout
    assert "policies.folder" not in run("check", "--set", f"policies.folder={write_folder(GOOD)}").stdout


@pytest.mark.parametrize("name", ["nowhere", "file.yaml"])
def test_check_of_no_folder_is_a_finding(run: Run, folder: Path, name: str) -> None:
    """One line, exit 1."""
    (folder / "file.yaml").write_text(GOOD, encoding="utf-8")
    result = run("check", name, expected=1)
    assert ": no-folder: " in result.stdout
    assert len(result.stdout.splitlines()) == 1


def test_check_with_broken_schemas_tells_the_schema(run: Run, folder: Path) -> None:
    """Exit 2: it is the installation, not the policies."""
    (folder / "schemas").mkdir()
    assert "import-request.schema.json: unreadable: " in told(
        run("check", "--set", "schemas.folder=schemas", expected=2)
    )


@pytest.mark.parametrize(
    "options",
    [
        ["--set", "nonsense"],
        ["--set", "=x"],
        ["--nonsense"],
        ["one", "two"],
        ["--config"],
    ],
)
def test_misuse_of_the_command_line_exits_2(run: Run, options: list[str]) -> None:
    """With click's usage line on stderr."""
    result = run("check", *options, expected=2)
    assert result.stdout == ""
    assert "Error: " in result.stderr


@pytest.mark.parametrize(
    "options", [["--set", "server.prot=1"], ["--set", "server.port=x"], ["--config", "nowhere.toml"], ["--config", "."]]
)
def test_settings_that_cannot_be_used_exit_2(run: Run, options: list[str]) -> None:
    """Before anything else is looked at."""
    result = run("check", *options, expected=2)
    assert result.stdout == ""
    assert "\n" not in told(result)


def test_settings_that_are_no_toml_exit_2(run: Run, folder: Path) -> None:
    """File and line."""
    (folder / "usher.toml").write_bytes(b"[server]\nport = \xff")
    assert "usher.toml" in told(run("check", expected=2))
    (folder / "usher.toml").write_bytes(b"[server]\nport = \n")
    assert told(run("check", expected=2)).startswith("usher.toml:2")


def test_eval_prints_the_answer_on_stdout(run: Run, folder: Path, root: Path) -> None:
    """The guide's case, from a file and from standard input."""
    del folder
    case = root / "policies/testdata/george-alexander-smith.json"
    for result in (run("eval", case), run("eval", "-", stdin=case.read_bytes())):
        [command] = json.loads(result.stdout)["commands"]
        assert command["value"] == {"login": "george.alexander.smith@example.com"}
        assert result.stderr == ""


def test_eval_explains_on_stderr(run: Run, root: Path) -> None:
    """Data stays data."""
    result = run("eval", "--explain", root / "policies/testdata/george-alexander-smith.json")
    json.loads(result.stdout)
    assert "logins/free-login: fired" in result.stderr
    assert "because a login that nobody else has" in result.stderr


def test_eval_uses_the_folder_it_is_given(
    run: Run, write_folder: Write, payload: Callable[..., dict[str, Any]]
) -> None:
    """`--policies` wins."""
    body = json.dumps(payload(context={"conflicts": ["login"]})).encode()
    result = run("eval", "-", "--policies", write_folder(GOOD), stdin=body)
    assert json.loads(result.stdout)["debugContext"]["fired"] == ["p/a"]
    assert run("eval", "-", "--policies", write_folder(GOOD), stdin=json.dumps(payload()).encode()).stdout == "{}\n"


@pytest.mark.parametrize(
    ("stdin", "code"),
    [
        (b"", "not-json"),
        (bytes(range(256)) * 100, "not-utf8"),
        (b"\x7fELF\x02\x01\x01\x00", "not-json"),
        (b"{}", "required"),
        (b"[" * 10_000 + b"]" * 10_000, "too-deep"),
    ],
)
def test_eval_of_what_is_no_request_prints_the_error_and_exits_1(run: Run, stdin: bytes, code: str) -> None:
    """The very answer the service would give."""
    result = run("eval", "-", stdin=stdin, expected=1)
    assert code in [cause["reason"] for cause in json.loads(result.stdout)["error"]["errorCauses"]]


@pytest.mark.parametrize("name", ["nowhere.json", "a-folder"])
def test_eval_of_a_file_that_cannot_be_read_exits_2(run: Run, folder: Path, name: str) -> None:
    """One line with the name."""
    (folder / "a-folder").mkdir()
    result = run("eval", name, expected=2)
    assert told(result).startswith(f"{name}: cannot be read: ")
    assert result.stdout == ""


def test_eval_with_broken_policies_prints_their_errors_and_exits_1(run: Run, write_folder: Write) -> None:
    """On stderr: there is no answer."""
    result = run("eval", "-", "--policies", write_folder(BROKEN), stdin=b"{}", expected=1)
    assert result.stdout == ""
    assert [line.split(": ")[1] for line in result.stderr.splitlines()] == ["unknown-attribute", "unknown-name"]


def test_eval_of_a_policy_that_does_not_end_is_undecided(
    run: Run, write_folder: Write, payload: Callable[..., dict[str, Any]]
) -> None:
    """Exit 1, the answer on stdout, the reason on stderr."""
    loops = "true"
    for letter in "abcdef":
        loops = f"variables.l.all({letter}, {loops})"
    policy = (
        "policy: p\nvariables: {l: {value: [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]}}\n"
        f"rules:\n  - id: a\n    when: {loops}\n    set: {{user.title: {{value: x}}}}\n"
    )
    result = run("eval", "-", "--policies", write_folder(policy), stdin=json.dumps(payload()).encode(), expected=1)
    assert json.loads(result.stdout)["error"]["errorCauses"][0]["reason"] == "too-many-steps"
    assert result.stderr.startswith("undecided: ")


def test_eval_leaves_nothing_behind(run: Run, folder: Path, root: Path) -> None:
    """No decision log, no key, no state."""
    run("eval", root / "policies/testdata/george-alexander-smith.json")
    assert list(folder.iterdir()) == []


def test_what_init_writes_runs_as_it_is(run: Run, folder: Path) -> None:
    """`check` and `eval` in the written folder succeed."""
    run("init", "service")
    os.chdir(folder / "service")
    assert "0 errors" in run("check").stderr
    result = run("eval", "policies/testdata/george-alexander-smith.json")
    assert b"george.alexander.smith@example.com" in result.stdout_bytes
    settings = run("settings").stdout
    assert "usher.toml" in settings


def test_init_writes_everything_an_admin_edits(run: Run, folder: Path, root: Path) -> None:
    """The shipped data byte for byte, but for the editor's first line; no Python, a secret that git ignores."""
    run("init", "deep/er/service")
    made = folder / "deep" / "er" / "service"
    for kind in ("policies", "schemas"):
        shipped = {
            path.relative_to(root / kind)
            for path in (root / kind).rglob("*")
            if path.suffix in {".yaml", ".json", ".csv"} and path.name != "openapi.yaml"
        }
        assert {path.relative_to(made / kind) for path in (made / kind).rglob("*") if path.is_file()} == shipped
        changed = [
            path
            for path in shipped
            if not (made / kind / path).read_bytes().endswith((root / kind / path).read_bytes())
        ]
        assert changed == []
    assert "usher.secret" in (made / ".gitignore").read_text(encoding="utf-8").splitlines()


def test_the_secret_of_init_is_on_stdout_and_in_its_file_only(run: Run, folder: Path) -> None:
    """The line to paste into Okta; the file private where the system knows that; no two alike."""
    result = run("init", "service")
    header, _, secret = result.stdout.strip().partition(": ")
    assert header == "Authorization"
    assert len(secret) >= 32
    assert secret not in result.stderr
    holders = [
        path.name for path in (folder / "service").rglob("*") if path.is_file() and secret.encode() in path.read_bytes()
    ]
    assert holders == ["usher.secret"]
    file = folder / "service" / "usher.secret"
    assert file.read_bytes() == secret.encode() + b"\n"
    if os.name == "posix":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert run("init", "other").stdout != result.stdout


@pytest.mark.parametrize("inside", ["file.txt", ".hidden", "sub/"])
def test_init_refuses_a_folder_that_is_not_empty(run: Run, folder: Path, inside: str) -> None:
    """Nothing of it is touched."""
    (folder / "service").mkdir()
    if inside.endswith("/"):
        (folder / "service" / inside).mkdir()
    else:
        (folder / "service" / inside).write_text("mine", encoding="utf-8")
    assert "is not an empty folder" in told(run("init", "service", expected=2))
    assert [path.name for path in (folder / "service").iterdir()] == [inside.rstrip("/")]


def test_init_refuses_a_file_and_a_place_that_cannot_be_written(run: Run, folder: Path) -> None:
    """One line each; an empty folder is fine."""
    (folder / "file").write_text("mine", encoding="utf-8")
    assert "is not an empty folder" in told(run("init", "file", expected=2))
    assert "cannot be written" in told(run("init", "file/below", expected=2))
    (folder / "empty").mkdir()
    run("init", "empty")


def test_init_twice_refuses_the_second_time(run: Run, folder: Path) -> None:
    """A secret in use is not replaced."""
    run("init", "service")
    before = (folder / "service" / "usher.secret").read_bytes()
    run("init", "service", expected=2)
    assert (folder / "service" / "usher.secret").read_bytes() == before


def test_help_names_every_command(run: Run) -> None:
    """Each is imported for it, and each has help of its own."""
    result = run("--help")
    for name in ("cel", "check", "demo", "eval", "init", "serve", "settings"):
        assert f"\n  {name} " in result.stdout
        assert "Usage: " in run(name, "--help").stdout


def test_an_unknown_command_is_misuse(run: Run) -> None:
    """Exit 2."""
    assert "No such command" in run("decide", expected=2).stderr
