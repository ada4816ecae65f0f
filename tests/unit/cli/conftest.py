"""Commands as a person calls them, in an empty folder, inside this process."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from usher.cli.group import usher
from usher.errors import UsherError


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Work in an empty folder: no settings file of somebody else is found."""
    before = Path.cwd()
    os.chdir(tmp_path)
    yield tmp_path
    os.chdir(before)


@pytest.fixture
def run(folder: Path, root: Path) -> Callable[..., Result]:
    """Return a caller of commands with the checkout's schemas; the process' own USHER_ variables do not reach them.

    What `main` turns into a line and exit code 2 counts as that exit code here.
    """
    del folder
    environ: dict[str, str | None] = {name: None for name in os.environ if name.startswith("USHER_")}
    environ["USHER_SCHEMAS_FOLDER"] = str(root / "schemas")

    def call(*arguments: object, stdin: bytes | None = None, expected: int = 0) -> Result:
        result = CliRunner(env=environ).invoke(usher, [str(argument) for argument in arguments], input=stdin)
        code = 2 if isinstance(result.exception, UsherError) else result.exit_code
        assert code == expected, (result.output, result.exception)
        return result

    return call
