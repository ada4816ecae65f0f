"""`usher settings`, as a person calls it."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

from usher.settings.options import options

SOURCE = Path(__file__).parents[3] / "service"


def usher_settings(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a folder, with no USHER_* variables but those given."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("USHER_")}
    environ |= {"PYTHONPATH": str(SOURCE), **variables}
    command = [sys.executable, "-c", "from usher.cli.group import main; main()", "settings", *arguments]
    return subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, encoding="utf-8", check=False, timeout=60
    )


def test_it_prints_toml_with_origins(tmp_path: Path) -> None:
    """All settings stand on stdout as TOML; warnings go to stderr."""
    (tmp_path / "usher.toml").write_text("[server]\nport = 9000\n", encoding="utf-8")
    result = usher_settings(tmp_path, "--set", "logging.level=debug", USHER_SECRET="short")
    assert result.returncode == 0, result.stderr
    tables = tomllib.loads(result.stdout)
    assert {f"{section}.{key}" for section, table in tables.items() for key in table} == {
        option.path for option in options()
    }
    assert "server.port = 9000  # usher.toml:2\n" in result.stdout
    assert 'logging.level = "debug"  # command line\n' in result.stdout
    assert result.stderr.startswith("warning: USHER_SECRET: weak-secret: ")


def test_it_explains_on_request(tmp_path: Path) -> None:
    """`--explain` adds unit, range and reason as comments: it stays TOML."""
    result = usher_settings(tmp_path, "--explain")
    assert "# TCP port, 0 to 65535: The proxy's upstream; 0 takes any free port.\nserver.port = 8080" in result.stdout
    assert tomllib.loads(result.stdout)["server"]["port"] == 8080


def test_bad_settings_are_told_and_nothing_is_printed(tmp_path: Path) -> None:
    """Every problem has its line on stderr, stdout stays empty, the exit code says misuse; there is no traceback."""
    (tmp_path / "usher.toml").write_text("[server]\nport = 'x'\nprot = 1\n", encoding="utf-8")
    result = usher_settings(tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert "usher.toml:2:1: bad-value: server.port must be a whole number\n" in result.stderr
    assert "usher.toml:3:1: unknown-setting: server.prot is not a setting; did you mean port?\n" in result.stderr
    assert "Traceback" not in result.stderr
