"""`usher init DIR`: everything an admin edits, written out, with a fresh secret; it runs as it is."""

import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from usher.bootstrap.shipped import shipped_policies, shipped_schemas
from usher.errors import UsherError

_SETTINGS: Final = """\
# Usher's settings. `usher settings` prints all of them; what is not named here has its default.
# Relative paths start at this file's folder.

[auth]
secret_files = ["usher.secret"]

[policies]
folder = "policies"

[schemas]
folder = "schemas"
"""
_IGNORED: Final = "usher.secret\nstate/\ndecisions*.jsonl\nusher.db*\ndirectory.db*\n"
_SECRET_BYTES: Final = 32
_MODELINE: Final = "# yaml-language-server: $schema="
"""The comment by which an editor with a YAML language server finds a file's schema."""


class InitError(UsherError):
    """The folder cannot be filled."""


@click.command("init")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
def init_command(folder: Path) -> None:
    """Write policies, schemas, settings and a fresh secret into DIR.

    Prints the header line to paste into Okta (Workflow → Inline Hooks). DIR must not exist or be empty.
    """
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise InitError(f"{folder} is not an empty folder; name a new one")
        header = _write(folder)
    except OSError as error:
        raise InitError(f"{folder} cannot be written: {error.strerror or type(error).__name__}") from None
    click.echo(header)
    click.echo(
        f"Wrote {folder}. The line above authenticates the hook: in Okta, field `Authorization`, then its secret.",
        err=True,
    )
    click.echo(f"Next: cd {folder} && usher check && usher serve", err=True)


def _write(folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    # The description of the listeners is nothing to edit: no service reads it.
    skipped = shutil.ignore_patterns("__init__.py", "__pycache__", ".*", "openapi.yaml")
    shutil.copytree(shipped_policies(), folder / "policies", ignore=skipped)
    shutil.copytree(shipped_schemas(), folder / "schemas", ignore=skipped)
    for path, schema in _described(folder / "policies"):
        _add_modeline(path, folder / "schemas" / schema)
    (folder / "usher.toml").write_text(_SETTINGS, encoding="utf-8", newline="\n")
    (folder / ".gitignore").write_text(_IGNORED, encoding="utf-8", newline="\n")
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    _write_private(folder / "usher.secret", secret)
    return f"Authorization: {secret}"


def _described(policies: Path) -> Iterator[tuple[Path, str]]:
    """Yield every policy and policy test with its schema's name; tables and test data have none."""
    for path in sorted(policies.rglob("*")):
        folders = path.relative_to(policies).parts[:-1]
        if (
            path.suffix in {".yaml", ".yml"}
            and path.is_file()
            and folders[:1] != ("tables",)
            and "testdata" not in folders
        ):
            yield path, "policy-test.schema.json" if path.stem.endswith("_test") else "policy.schema.json"


def _add_modeline(path: Path, schema: Path) -> None:
    """Put the schema's path, relative to the file as editors read it, above everything else."""
    text = path.read_text(encoding="utf-8")
    if not text.startswith(_MODELINE):
        relative = Path(os.path.relpath(schema, path.parent)).as_posix()
        path.write_text(f"{_MODELINE}{relative}\n{text}", encoding="utf-8", newline="\n")


def _write_private(path: Path, text: str) -> None:
    # APPSEC: created unreadable to others rather than changed afterwards; Windows inherits the folder's rights.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii", newline="\n") as file:
        file.write(text + "\n")
