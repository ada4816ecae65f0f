"""`usher doctor` on a service that takes tokens, with an issuer this project did not write."""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.installations import Ran, run
from tests.integration.oauth_issuer import CLIENT_ID, SCOPE, Issuer
from tests.integration.usher_process import PATIENCE_SECONDS, UsherProcess

USHER = Path(sys.executable).with_name("usher")


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    """Return an issuer with a key."""
    with Issuer() as running:
        running.generate()
        yield running


@pytest.fixture
def service(issuer: Issuer, tmp_path: Path) -> Iterator[UsherProcess]:
    """Return a service that knows the issuer's keys."""
    auth = {"mode": "oauth2", "issuer": issuer.url, "client_ids": [CLIENT_ID], "scopes": [SCOPE]}
    lines = [f"{name} = {json.dumps(value)}\n" for name, value in auth.items()]
    (tmp_path / "usher.toml").write_text("[auth]\n" + "".join(lines), encoding="utf-8")
    process = UsherProcess([USHER, "serve"], tmp_path)
    try:
        process.wait_until_ready()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while process.get("/health/ready").status != 200:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield process
    finally:
        process.clear_away()


def examined(service: UsherProcess, token: str = "") -> Ran:
    """Return what is said of the running service."""
    ports = {"server.port": service.hook[1], "server.operations_port": service.operations[1]}
    options = [text for name, port in ports.items() for text in ("--set", f"{name}={port}")]
    return run([USHER, "doctor", *options], service.folder, USHER_DOCTOR_TOKEN=token)


def test_a_token_as_okta_brings_it(service: UsherProcess, issuer: Issuer) -> None:
    """With one the decision is asked for, with another's it is refused, without one it is skipped; none is printed."""
    good, other = issuer.token(), issuer.token(scope="another")
    told = examined(service, good)
    assert (told.code, good in told.out) == (0, False), told.out
    assert "ok       decision: answered with 200" in told.out
    assert "ok       issuer's keys: " in told.out
    told = examined(service, other)
    assert (told.code, other in told.out) == (1, False)
    assert "fault    credential: it is refused (403); is it fresh?" in told.out
    assert "skipped  decision: give a token by" in examined(service).out
