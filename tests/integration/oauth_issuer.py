"""A real OAuth 2.0 issuer that this project did not write, npm's oauth2-mock-server, run for tests.

Owns its installation, once per environment, and its process; what it issues is `tests/oauth2/issuer.mjs`'s business. It
ends with its standard input, so it never outlives the tests.
"""

import hashlib
import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NoReturn, Self
from urllib.parse import urlencode, urlsplit

import pytest

from tests.integration.installations import clean_environ

MISSING: Final = "node or npm is missing: install them (Debian: apt-get install nodejs npm)"
SOURCE: Final = Path(__file__).resolve().parents[1] / "oauth2"
CLIENT_ID: Final = "0oa-usher"
SCOPE: Final = "usher.call"
AUDIENCE: Final = "api://default"
# Far beyond what anything here takes: only a hang gets there.
PATIENCE_SECONDS: Final = 120.0
_FILES: Final = ("package.json", "package-lock.json", "issuer.mjs")


def tell_absence(environ: Mapping[str, str]) -> NoReturn:
    """Skip what needs the issuer; fail instead where everything must be there (`CI`)."""
    if environ.get("CI"):
        pytest.fail(MISSING, pytrace=False)
    pytest.skip(MISSING)


def installed(programs: Mapping[str, str | None]) -> Path:
    """Return the folder the issuer runs in; made beside this environment when its files have changed.

    Two processes may do so at once: each makes a folder of its own, and one of them is taken.
    """
    digest = hashlib.sha256(b"\0".join((SOURCE / name).read_bytes() for name in _FILES)).hexdigest()[:16]
    folder = Path(sys.prefix) / f"oauth2-issuer-{digest}"
    if not folder.is_dir():
        making = Path(tempfile.mkdtemp(prefix="oauth2-issuer-", dir=sys.prefix))
        try:
            for name in _FILES:
                shutil.copy(SOURCE / name, making)
            command = [str(programs["npm"]), "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
            made = subprocess.run(
                command, cwd=making, env=clean_environ(), capture_output=True, timeout=PATIENCE_SECONDS, check=False
            )
            assert made.returncode == 0, made.stderr.decode("utf-8", "replace")
            with suppress(OSError):
                making.rename(folder)
        finally:
            shutil.rmtree(making, ignore_errors=True)
    return folder


class Issuer:
    """The running issuer."""

    def __init__(self) -> None:
        programs = {name: shutil.which(name) for name in ("node", "npm")}
        if None in programs.values():
            tell_absence(os.environ)
        self.process = subprocess.Popen(
            [str(programs["node"]), "issuer.mjs"],
            cwd=installed(programs),
            env=clean_environ(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._asking = threading.Lock()
        self.url = str(self._said())

    def _said(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the issuer has ended"
        return json.loads(line)

    def _ask(self, command: str, argument: object = None) -> Any:
        assert self.process.stdin is not None
        with self._asking:
            self.process.stdin.write(json.dumps([command, argument]).encode() + b"\n")
            self.process.stdin.flush()
            return self._said()

    def generate(self, algorithm: str = "RS256") -> str:
        """Have it make a key of its own; return the key's id. It signs with all its keys in turn."""
        return str(self._ask("generate", algorithm))

    def add(self, jwk: Mapping[str, object]) -> None:
        """Give it a private key."""
        self._ask("add", dict(jwk))

    @property
    def fetches(self) -> int:
        """How often its keys have been asked for."""
        return int(self._ask("fetches"))

    def token(self, *, client_id: str = CLIENT_ID, scope: str = SCOPE) -> str:
        """Get a token as Okta does: client credentials, posted as a form (RFC 6749, section 4.4)."""
        form = {
            "grant_type": "client_credentials",
            "client_id": client_id,
            "client_secret": "known to the issuer",
            "scope": scope,
        }
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=PATIENCE_SECONDS)
        try:
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            connection.request("POST", "/v1/token", urlencode(form), headers)
            return str(json.load(connection.getresponse())["access_token"])
        finally:
            connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End it; a second time does nothing."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        try:
            self.process.wait(PATIENCE_SECONDS)
        finally:
            self.process.kill()
            self.process.stdout.close()
