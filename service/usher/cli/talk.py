"""What commands say to the person at the terminal, on standard error.

Owns that saying something never ends a command: a service runs on although nobody can read it. Main thread only.
"""

import os
import sys
from pathlib import Path
from typing import TextIO

import click


def say(text: str) -> None:
    """Print to standard error; when it cannot be written, be silent from now on."""
    try:
        click.echo(text, err=True)
    except (OSError, ValueError):
        # Left in place, Python would try it once more at the end and make the exit code 120.
        sys.stderr = nowhere()


def open_what_is_closed() -> None:
    """Give a process that was started without standard output or error ones that swallow everything.

    A file or socket opened later would otherwise get the number of the closed one, and with it whatever a library
    prints there.
    """
    sys.stdout = sys.stdout or nowhere()
    sys.stderr = sys.stderr or nowhere()


def nowhere() -> TextIO:
    """Return a stream that swallows everything, for the rest of the process."""
    return Path(os.devnull).open("w", encoding="utf-8")
