"""One environment with the wheel in it for every process of a test run, and for the next run of an unchanged checkout.

Owns its folder, a lock between processes, and the key: a digest of every file that the distributions are made of.
Building and installing takes some fifteen seconds; three processes of one `make test` would each do it.
"""

import hashlib
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.integration.installations import (
    CHECKOUT,
    PATIENCE_SECONDS,
    Installation,
    copy_of_checkout,
    install,
    make_build,
)

_MADE_OF = ("service", "policies", "schemas", "setup.cfg", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE")
_STEP_SECONDS = 0.1
_KEPT_SECONDS = 6 * 3600.0


def shared_installation(folder: Path) -> Installation:
    """Return the environment in a folder that is kept between runs, made now unless it is that of this checkout."""
    kept = folder / _key()
    with _locked(folder / "lock"):
        if not (kept / "ready").exists():
            _forget_older(folder)
            shutil.rmtree(kept, ignore_errors=True)
            kept.mkdir()
            wheel, _ = make_build(copy_of_checkout(kept / "clone"))
            install(kept / "env", wheel)
            shutil.rmtree(kept / "clone")
        (kept / "ready").touch()
    return Installation(kept / "env")


def _forget_older(folder: Path) -> None:
    """Remove what nobody has begun to use for six hours: a run of before a file was changed may still be at it."""
    for ready in folder.glob("*/ready"):
        if time.time() - ready.stat().st_mtime > _KEPT_SECONDS:
            shutil.rmtree(ready.parent)


def _key() -> str:
    digest = hashlib.sha256(f"{sys.executable} {sys.version}".encode())
    for top in _MADE_OF:
        path = CHECKOUT / top
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and "__pycache__" not in file.parts and ".egg-info" not in str(file):
                digest.update(f"\0{file.relative_to(CHECKOUT).as_posix()}\0".encode())
                digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


@contextmanager
def _locked(lock: Path) -> Iterator[None]:
    """Wait for the one process that holds the lock; one that was killed is outwaited."""
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL))
            break
        except FileExistsError:
            if time.monotonic() > give_up_at:
                lock.unlink(missing_ok=True)
                give_up_at = time.monotonic() + PATIENCE_SECONDS
            time.sleep(_STEP_SECONDS)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
