"""Prometheus' own checker, for what the service tells Prometheus and for the files in deploy/prometheus."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

MISSING: Final = "promtool is missing: install it (Debian: apt-get install --no-install-recommends prometheus)"
PATIENCE_SECONDS: Final = 60


def promtool(*arguments: str, folder: Path, stdin: bytes = b"") -> tuple[int, str]:
    """Return exit code and all that it says. Skips where it is missing; fails where everything must be there (`CI`).

    Windows has no package of it.
    """
    program = shutil.which("promtool")
    if program is None:
        if os.environ.get("CI") and os.name == "posix":
            pytest.fail(MISSING, pytrace=False)
        pytest.skip(MISSING)
    done = subprocess.run(
        [program, *arguments],
        cwd=folder,
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    return done.returncode, done.stdout.decode("utf-8")
