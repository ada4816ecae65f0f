"""The installed `usher` as a process: exit codes, streams, and never a traceback."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

Completed = subprocess.CompletedProcess[bytes]
Usher = Callable[..., Completed]
PATIENCE_SECONDS = 120


def program() -> Path:
    """Return the console script beside the interpreter that runs the tests."""
    return Path(sys.executable).with_name("usher.exe" if os.name == "nt" else "usher")


@pytest.fixture
def usher(tmp_path: Path) -> Usher:
    """Return a caller of the command in an empty folder, with a bare environment."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("USHER_")}

    def call(*arguments: object, stdin: bytes = b"", more: Mapping[str, str] | None = None) -> Completed:
        result = subprocess.run(
            [program(), *map(str, arguments)],
            input=stdin,
            capture_output=True,
            cwd=tmp_path,
            env={**environment, **(more or {})},
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        assert b"Traceback" not in result.stdout + result.stderr
        return result

    return call


def test_the_sample_goes_through_the_installed_command(usher: Usher, root: Path) -> None:
    """Byte for byte, from standard input."""
    result = usher("eval", "-", stdin=(root / "tests/golden/okta-sample.json").read_bytes())
    assert (result.returncode, result.stderr) == (0, b"")
    assert isinstance(json.loads(result.stdout), dict)


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "said"),
    [
        (["eval", "nowhere.json"], b"", 2, b"usher: nowhere.json: cannot be read: "),
        (["eval", "."], b"", 2, b"usher: .: cannot be read: "),
        (["eval", "-"], b"\x00\xff\xfe\x01" * 1000, 1, b""),
        (["eval", "-", "--policies", "nowhere"], b"{}", 1, b"nowhere: no-folder: "),
        (["check", "nowhere"], b"", 1, b"0 policy files, 1 errors, 0 warnings"),
        (["check", "--config", "nowhere.toml"], b"", 2, b"usher: nowhere.toml: "),
        (["check", "--config", "."], b"", 2, b"usher: .: "),
        (["check", "--set", "server.prot=1"], b"", 2, b"usher: "),
        (["check", "--set", "nonsense"], b"", 2, b"Error: "),
        (["check", "--set", "schemas.folder=."], b"", 2, b"import-request.schema.json: unreadable: "),
        (["nonsense"], b"", 2, b"No such command"),
        ([], b"", 2, b"Usage: "),
        (["--version"], b"", 0, b""),
    ],
)
def test_bad_input_gives_one_clear_line_and_its_exit_code(
    usher: Usher, arguments: list[str], stdin: bytes, code: int, said: bytes
) -> None:
    """0 fine, 1 findings, 2 misuse; talk on stderr."""
    result = usher(*arguments, stdin=stdin)
    assert result.returncode == code, result.stderr
    assert said in result.stderr
    if code == 2:
        assert result.stdout == b""


def test_a_broken_policy_is_told_by_its_place(usher: Usher, tmp_path: Path) -> None:
    """On stdout, for editors and CI to read."""
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "p.yaml").write_bytes("policy: p\nrules:\n  - id: ä\n    when: [\n".encode())
    result = usher("check", "policies")
    assert result.returncode == 1
    assert result.stdout.startswith(b"policies/p.yaml:5:1: yaml-syntax: ")


def test_names_from_other_scripts_survive_a_pipe_of_any_code_page(usher: Usher, tmp_path: Path) -> None:
    """Output is UTF-8 wherever it goes."""
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "Żółć.yaml").write_bytes(b"policy: p\n")
    assert usher("check", "policies", more={"LC_ALL": "C", "PYTHONUTF8": "0"}).returncode == 1
    result = usher("check", "policies", more={"PYTHONIOENCODING": "ascii"})
    assert result.returncode == 1
    assert "Żółć.yaml:1:1: missing-key: rules is missing" in result.stdout.decode()


def test_what_init_writes_runs_as_it_is(usher: Usher, tmp_path: Path) -> None:
    """`usher init x`, then `usher check` and `usher eval` with the settings it wrote."""
    result = usher("init", "x")
    assert result.returncode == 0
    [header] = result.stdout.splitlines()
    assert header.startswith(b"Authorization: ")
    secret = header.removeprefix(b"Authorization: ")
    assert secret not in result.stderr
    assert usher("check", "--config", "x/usher.toml").returncode == 0
    case = tmp_path / "x" / "policies" / "testdata" / "george-alexander-smith.json"
    answer = usher("eval", case, "--config", "x/usher.toml")
    assert answer.returncode == 0
    assert json.loads(answer.stdout)["commands"][0]["value"] == {"login": "george.alexander.smith@example.com"}
    again = usher("init", "x")
    assert (again.returncode, again.stdout) == (2, b"")
    assert again.stderr.startswith(b"usher: x is not an empty folder")


def test_a_closed_standard_input_is_a_clear_line(root: Path, tmp_path: Path) -> None:
    """A service manager may start a command without any."""
    del root
    if os.name != "posix":
        command = [str(program()), "eval", "nowhere.json"]
    else:
        command = ["/bin/sh", "-c", f"'{program()}' eval - <&-"]
    result = subprocess.run(command, capture_output=True, cwd=tmp_path, timeout=PATIENCE_SECONDS, check=False)
    assert result.returncode == 2
    assert b"cannot be read" in result.stderr
    assert b"Traceback" not in result.stderr
