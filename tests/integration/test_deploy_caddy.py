"""The Caddyfile that ships, in a real Caddy, with TLS, in front of a real listener."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.integration.fronts import CADDYFILE, Front, caddy_before, program
from tests.integration.listening import listener_options
from usher.settings import ServerSettings
from usher.web.refusals import refusal_body
from usher.web.serving import Listener

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.conftest import HookService

SETTINGS = ServerSettings()
OKTA_WAITS_SECONDS = 3.0
TEXT = CADDYFILE.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def caddy_program() -> str:
    """Return Caddy."""
    return program("caddy", "caddy")


@pytest.fixture
def caddy(caddy_program: str, certificates: Path, tmp_path: Path, hook_service: HookService) -> Iterator[Front]:
    """Return Caddy in front of the hook."""
    with caddy_before(hook_service.listener.address, caddy_program, certificates, tmp_path) as front:
        yield front


def test_a_call_goes_through_over_tls_and_connections_are_kept(caddy: Front, hook_service: HookService) -> None:
    """What Okta posts reaches the hook byte for byte, credential included; ten calls take one connection there."""
    connection = caddy.connect()
    for number in range(10):
        body = f"[{number}]".encode()
        assert caddy.call_on(connection, "POST", "/okta/import", body) == (200, hook_service.expected(body))
    connection.close()
    assert len(hook_service.line.calls) == 10
    (server,) = hook_service.listener._loop._servers  # type: ignore[union-attr]  # it runs
    assert len(server.active_channels) == 1


@pytest.mark.parametrize("path", ["/", "/status", "/metrics", "/health/ready", "/reload", "/okta/import/", "/okta/x"])
def test_nothing_but_the_hook_is_reachable(caddy: Front, hook_service: HookService, path: str) -> None:
    """Operations never answers through Caddy; what is not the hook does not even reach Usher."""
    for method in ("GET", "POST"):
        assert caddy.call(method, path) == (404, b"")
    assert caddy.call("GET", "/okta/import") == (404, b"")
    assert hook_service.refusals.seen == []


def test_the_limits_agree(caddy: Front, hook_service: HookService) -> None:
    """1 MiB goes through both; one byte more is refused by Caddy already, with the very body Usher would send."""
    largest = b"x" * SETTINGS.body_limit_bytes
    assert caddy.call("POST", "/okta/import", largest) == (200, hook_service.expected(largest))
    connection = caddy.connect()
    connection.putrequest("POST", "/okta/import")
    connection.putheader("Content-Length", str(len(largest) + 1))
    connection.endheaders()
    # Nobody reads the body of a call that is refused by its length: one that is sent could meet a closed connection.
    response = connection.getresponse()
    assert (response.status, response.read()) == (413, refusal_body(413))
    connection.close()
    assert len(hook_service.line.calls) == 1


def test_without_usher_the_caller_learns_it_at_once_and_is_served_again(
    caddy: Front, hook_service: HookService
) -> None:
    """A refused connection is a 502, on which Okta tries once more; after a restart the next call is served."""
    assert caddy.call("POST", "/okta/import", b"{}")[0] == 200
    hook_service.listener.stop()
    for _ in range(3):
        assert caddy.call("POST", "/okta/import", b"{}") == (502, b"")
    old = hook_service.listener
    hook_service.listener = Listener(old._app, listener_options(port=old.address.port))
    hook_service.listener.start()
    assert caddy.call("POST", "/okta/import", b"{}")[0] == 200


def test_a_hook_that_hangs_ends_in_a_5xx_and_is_not_called_again(caddy: Front, hook_service: HookService) -> None:
    """An answer that does not come is a 504, and the call was made once only."""
    hook_service.line.may_answer.clear()
    status, _ = caddy.call("POST", "/okta/import", b"{}")
    hook_service.line.may_answer.set()
    assert (status, len(hook_service.line.calls)) == (504, 1)


def test_the_file_is_in_caddys_own_form(caddy_program: str) -> None:
    """Caddy would warn at each start otherwise."""
    done = subprocess.run([caddy_program, "fmt", CADDYFILE], capture_output=True, text=True, check=False)
    assert done.stdout == TEXT


def test_the_numbers_fit_the_settings() -> None:
    """All waiting ends before Okta gives up; Caddy is the one to close a kept connection, and its comments are true."""
    dial, answer = (
        int(re.findall(rf"\b{name} (\d+)ms", TEXT)[0]) / 1000 for name in ("dial_timeout", "response_header_timeout")
    )
    kept, places = (
        int(re.findall(rf"\b{name} (\d+)", TEXT)[0]) for name in ("keepalive", "keepalive_idle_conns_per_host")
    )
    assert SETTINGS.deadline_seconds < answer < dial + answer < OKTA_WAITS_SECONDS
    assert kept <= SETTINGS.channel_timeout_seconds - 5
    assert places < SETTINGS.connection_limit
    assert f"closes idle connections ({SETTINGS.channel_timeout_seconds} s)" in TEXT
    assert f"answers within {SETTINGS.deadline_seconds} s of having the body" in TEXT
    assert f"reverse_proxy {SETTINGS.host}:{SETTINGS.port} {{" in TEXT
