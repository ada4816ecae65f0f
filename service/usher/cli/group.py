"""The group of commands and the floor under all of them.

Owns how an exception ends: one clear line and an exit code. Commands are imported when they are called, so that
`usher --help`
stays quick. Main thread only.
"""

import importlib
import io
import sys
import traceback
from typing import Final

import click

from usher.errors import UsherError

FINDINGS: Final = 1
MISUSE: Final = 2

_COMMANDS: Final = {
    "cel": ("usher.cli.cel", "cel_command"),
    "check": ("usher.cli.check", "check_command"),
    "demo": ("usher.cli.demo", "demo_command"),
    "eval": ("usher.cli.evaluate", "eval_command"),
    "init": ("usher.cli.init", "init_command"),
    "serve": ("usher.cli.serve", "serve_command"),
    "settings": ("usher.cli.settings", "settings_command"),
}


class LazyGroup(click.Group):
    """A group that imports a command's module when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, sorted."""
        del ctx
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command, or None."""
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        module, attribute = _COMMANDS[cmd_name]
        command = getattr(importlib.import_module(module), attribute)
        return command if isinstance(command, click.Command) else None


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="okta-usher", prog_name="usher")
def usher() -> None:
    """Decide, by policy, what becomes of each person imported into Okta."""


def main() -> None:
    """Run the command line; the only place where the process exits."""
    _use_utf8(sys.stdout)
    _use_utf8(sys.stderr)
    try:
        usher.main(prog_name="usher")
    except UsherError as error:
        for line in str(error).splitlines():
            click.echo(f"usher: {line}", err=True)
        sys.exit(MISUSE)
    except Exception as error:  # noqa: BLE001 - an admin gets a line, never a traceback
        # APPSEC: type and place only; the text of an unexpected exception may quote a profile.
        frame = traceback.extract_tb(error.__traceback__)[-1]
        click.echo(
            f"usher: an internal fault, please report it: {type(error).__name__} in {frame.name}, line {frame.lineno}",
            err=True,
        )
        sys.exit(MISUSE)


def _use_utf8(stream: object) -> None:
    """Write UTF-8 wherever output goes: a Windows pipe would otherwise refuse names from other code pages."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")
