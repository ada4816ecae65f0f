"""The group of commands and the floor under all of them.

Owns how an exception ends: one clear line and an exit code. Commands are imported when they are called, so that
`usher --help` stays quick. Main thread only.
"""

import importlib
import io
import sys
import traceback
from types import TracebackType
from typing import Final

import click

from usher.cli.talk import nowhere, open_what_is_closed, say
from usher.errors import UsherError, fault_place

FINDINGS: Final = 1
MISUSE: Final = 2

_COMMANDS: Final = {
    "cel": ("usher.cli.cel", "cel_command"),
    "check": ("usher.cli.check", "check_command"),
    "decisions": ("usher.cli.decisions", "decisions_command"),
    "demo": ("usher.cli.demo", "demo_command"),
    "diff": ("usher.cli.diff", "diff_command"),
    "directory": ("usher.cli.directory", "directory_command"),
    "doctor": ("usher.cli.doctor", "doctor_command"),
    "eval": ("usher.cli.evaluate", "eval_command"),
    "init": ("usher.cli.init", "init_command"),
    "ledger": ("usher.cli.ledger", "ledger_command"),
    "okta": ("usher.cli.okta", "okta_command"),
    "reload": ("usher.cli.reload", "reload_command"),
    "serve": ("usher.cli.serve", "serve_command"),
    "settings": ("usher.cli.settings", "settings_command"),
    "test": ("usher.cli.test", "test_command"),
    "why": ("usher.cli.why", "why_command"),
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
    open_what_is_closed()
    _use_utf8(sys.stdout)
    _use_utf8(sys.stderr)
    try:
        usher.main(prog_name="usher")
    except UsherError as error:
        for line in str(error).splitlines():
            say(f"usher: {line}")
        sys.exit(MISUSE)
    except Exception as error:  # noqa: BLE001 - an admin gets a line, never a traceback
        if isinstance(error, OSError) and _was_printing(error.__traceback__):
            # Left in place, Python would try it once more at the end and make the exit code 120.
            sys.stdout = nowhere()
            say(f"usher: the output cannot be written: {error.strerror}")
        else:
            # APPSEC: type and place only; the text of an unexpected exception may quote a profile.
            say(f"usher: an internal fault, please report it: {type(error).__name__} at {fault_place(error)}")
        sys.exit(MISUSE)


def _was_printing(trace: TracebackType | None) -> bool:
    """Say whether an exception came out of what commands print with; a reader that has gone, click ends quietly."""
    return any(frame.f_code is click.echo.__code__ for frame, _ in traceback.walk_tb(trace))


def _use_utf8(stream: object) -> None:
    """Write UTF-8 wherever output goes: a Windows pipe would otherwise refuse names from other code pages."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")
