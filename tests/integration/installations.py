"""Usher built and installed as its users do it: in fresh environments, from a copy of this checkout.

Owns builds and environments; what runs in them is the tests' business. Every environment is a real one, with the
dependencies that the distribution names and no others: a dependency that is missing in setup.cfg shows here and nowhere
else. That costs some five seconds for each, most of it pip's; sharing packages between environments through a .pth file
would save half of that and could hide just such a fault.
"""

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
# Far beyond what an installation takes: only a hang gets there.
PATIENCE_SECONDS = 300
_LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", "build", "dist", "*.egg-info", "__pycache__", ".*_cache", ".hypothesis", ".coverage", "state"
)
_SCRIPTS = "Scripts" if os.name == "nt" else "bin"


@dataclass(frozen=True, slots=True)
class Ran:
    """What a program left behind."""

    code: int
    out: str
    err: str


def clean_environ(**more: str) -> dict[str, str]:
    """Return this process' environment without what could lead to another Usher, or to a developer's settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("USHER_", "PYTHON", "VIRTUAL_"))}
    # make would take flags of an outer `make test` for its own.
    for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS"):
        kept.pop(name, None)
    return {**kept, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1", "PIP_ROOT_USER_ACTION": "ignore", **more}


def run(command: Sequence[str | Path], folder: Path, *, stdin: bytes = b"", **environ: str) -> Ran:
    """Run a program in a folder and wait for its end."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=clean_environ(**environ),
        input=stdin,
        capture_output=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    return Ran(done.returncode, done.stdout.decode("utf-8"), done.stderr.decode("utf-8"))


def must_run(command: Sequence[str | Path], folder: Path, **environ: str) -> Ran:
    """Run a program that has to succeed."""
    ran = run(command, folder, stdin=b"", **environ)
    assert ran.code == 0, f"{' '.join(map(str, command))}\n{ran.out}\n{ran.err}"
    return ran


def copy_of_checkout(folder: Path) -> Path:
    """Return a copy of this checkout as a clone would have it: without what is made in it."""
    shutil.copytree(CHECKOUT, folder, ignore=_LEFT_OUT)
    return folder


def make_build(checkout: Path) -> tuple[Path, Path]:
    """Build with the Makefile's own commands, in the environment the tests run in; return wheel and sdist."""
    # `-o`: the environment counts as made; without it make would make one, and install into the one we run in.
    must_run(["make", "-o", ".venv/can-develop.stamp", f"BIN={Path(sys.executable).parent}", "build"], checkout)
    (wheel,) = (checkout / "dist").glob("*.whl")
    (sdist,) = (checkout / "dist").glob("*.tar.gz")
    return wheel, sdist


@dataclass(frozen=True, slots=True)
class Distributions:
    """Wheel and sdist of a second build in a copy of the checkout; at the first one there was a policy more."""

    checkout: Path
    wheel: Path
    sdist: Path
    deleted_policy: str
    first_wheel_names: frozenset[str]


def build_twice(checkout: Path) -> Distributions:
    """Build with one policy more, delete it, build again in the same folder."""
    extra = checkout / "policies" / "deleted.yaml"
    extra.write_text("policy: deleted\nrules: []\n", encoding="utf-8")
    wheel, _ = make_build(checkout)
    with zipfile.ZipFile(wheel) as archive:
        first = frozenset(archive.namelist())
    extra.unlink()
    return Distributions(checkout, *make_build(checkout), "usher/policies/deleted.yaml", first)


@dataclass(frozen=True, slots=True)
class Installation:
    """A virtual environment with Usher in it."""

    folder: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / _SCRIPTS / "python"

    @property
    def usher(self) -> Path:
        """Its `usher` command."""
        return self.folder / _SCRIPTS / "usher"


def install(folder: Path, *what: str | Path) -> Installation:
    """Make a fresh environment and `pip install` into it; pip works from outside, which saves installing pip."""
    must_run([sys.executable, "-m", "venv", "--without-pip", folder], folder.parent)
    installation = Installation(folder)
    must_run([sys.executable, "-m", "pip", "--python", installation.python, "install", "--quiet", *what], folder.parent)
    return installation
