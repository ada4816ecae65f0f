"""The nginx configuration that ships, in a real nginx, with TLS, in front of a real listener."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING

import pytest

from tests.integration.fronts import HEADERS, PATIENCE_SECONDS, Front, nginx_before
from tests.integration.listening import listener_options
from usher.web.refusals import refusal_body
from usher.web.serving import Listener

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.conftest import BreakingUpstream, HookService


@pytest.fixture
def hook_address(hook_service: HookService) -> tuple[str, int]:
    """Return where the hook listens that nginx is to stand in front of."""
    return hook_service.listener.address


@pytest.fixture
def nginx(nginx_program: str, certificates: Path, tmp_path: Path, hook_address: tuple[str, int]) -> Iterator[Front]:
    """Return nginx in front of the hook."""
    with nginx_before(hook_address, nginx_program, certificates, tmp_path) as front:
        yield front


def test_a_call_goes_through_over_tls(nginx: Front, hook_service: HookService) -> None:
    """What Okta posts over HTTPS reaches the hook byte for byte, credential included, and the answer comes back."""
    assert nginx.call("POST", "/okta/import", b'{"a": 1}') == (200, hook_service.expected(b'{"a": 1}'))
    assert [body for body, _ in hook_service.line.calls] == [b'{"a": 1}']


def test_another_name_than_the_certificates_is_not_trusted(nginx: Front) -> None:
    """The test's client would notice a wrong certificate, so that the test above proves what it says."""
    plain = socket.create_connection(("127.0.0.1", nginx.port), timeout=PATIENCE_SECONDS)
    with plain, pytest.raises(ssl.SSLCertVerificationError):
        nginx.trust.wrap_socket(plain, server_hostname="other.example.com")


def test_connections_are_kept_on_both_sides(nginx: Front, hook_service: HookService) -> None:
    """Ten calls on one TLS connection use one connection to the hook."""
    connection = nginx.connect()
    for number in range(10):
        body = f"[{number}]".encode()
        assert nginx.call_on(connection, "POST", "/okta/import", body) == (200, hook_service.expected(body))
    connection.close()
    (server,) = hook_service.listener._loop._servers  # type: ignore[union-attr]  # it runs
    assert len(server.active_channels) == 1


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/status",
        "/metrics",
        "/health/live",
        "/health/ready",
        "/reload",
        "/okta/import/",
        "/okta/import/../../status",
    ],
)
def test_nothing_but_the_hook_is_reachable(nginx: Front, hook_service: HookService, path: str) -> None:
    """Operations never answers through nginx; what is not the hook does not even reach Usher."""
    for method in ("GET", "POST"):
        status, body = nginx.call(method, path)
        assert status == 404
        assert b"errorSummary" not in body
    assert hook_service.refusals.seen == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_no_other_method_reaches_usher(nginx: Front, hook_service: HookService, method: str) -> None:
    """Only POST goes through, as the file says."""
    status, body = nginx.call(method, "/okta/import")
    assert (status, b"errorSummary" in body) == (403, False)
    assert (hook_service.refusals.seen, hook_service.line.calls) == ([], [])


def test_usher_itself_refuses_and_says_so(nginx: Front, hook_service: HookService) -> None:
    """A refusal by Usher comes through in Okta's shape."""
    connection = nginx.connect()
    connection.request("POST", "/okta/import", b"{}", {**HEADERS, "Content-Type": "text/plain"})
    response = connection.getresponse()
    assert (response.status, b"errorSummary" in response.read()) == (415, True)
    connection.close()
    assert hook_service.refusals.seen == [415]


def test_a_long_header_goes_through(nginx: Front, hook_service: HookService) -> None:
    """A token of 12 KiB fits into what Usher grants; only what is beyond that is refused."""
    for size, status in ((12 * 1024, 200), (17 * 1024, 400)):
        connection = nginx.connect()
        connection.request("POST", "/okta/import", b"{}", {**HEADERS, "X-Long": "x" * size})
        assert connection.getresponse().status == status
        connection.close()
    assert len(hook_service.line.calls) == 1


def test_the_limits_agree(nginx: Front, hook_service: HookService) -> None:
    """1 MiB goes through both; one byte more is refused by nginx already, with the very body Usher would send."""
    largest = b"x" * 1_048_576
    assert nginx.call("POST", "/okta/import", largest) == (200, hook_service.expected(largest))
    assert nginx.call("POST", "/okta/import", largest + b"x") == (413, refusal_body(413))
    assert hook_service.refusals.seen == []


def test_without_usher_the_caller_learns_it_at_once(nginx: Front, hook_service: HookService) -> None:
    """A refused connection is a 502, on which Okta tries once more; no upstream is ever set aside for a while."""
    hook_service.listener.stop()
    for _ in range(3):
        assert nginx.call("POST", "/okta/import", b"{}")[0] == 502
    restart(hook_service)
    assert nginx.call("POST", "/okta/import", b"{}")[0] == 200


def test_a_hook_that_hangs_ends_in_a_5xx_and_is_not_called_again(nginx: Front, hook_service: HookService) -> None:
    """An answer that does not come is a 504, and the call was made once only."""
    hook_service.line.may_answer.clear()
    status, _ = nginx.call("POST", "/okta/import", b"{}")
    hook_service.line.may_answer.set()
    assert status == 504
    assert len(hook_service.line.calls) == 1


def test_after_a_restart_of_usher_the_next_call_is_served(nginx: Front, hook_service: HookService) -> None:
    """A connection kept to the old process does not fail the first call to the new one."""
    for number in range(5):
        body = f"[{number}]".encode()
        assert nginx.call("POST", "/okta/import", body) == (200, hook_service.expected(body))
        hook_service.listener.stop()
        restart(hook_service)
    assert len(hook_service.line.calls) == 5


def test_a_call_whose_connection_breaks_is_made_once_more(
    breaking_upstream: BreakingUpstream, nginx_program: str, certificates: Path, tmp_path: Path
) -> None:
    """A kept connection that breaks under a call costs a retry on a new one, not a person; it is the same call."""
    with nginx_before(breaking_upstream.address, nginx_program, certificates, tmp_path) as front:
        assert front.call("POST", "/okta/import", b"[1]") == (200, b"{}")
        assert front.call("POST", "/okta/import", b"[2]") == (200, b"{}")
    assert breaking_upstream.bodies == [b"[1]", b"[2]", b"[2]"]


def restart(service: HookService) -> None:
    """Start the hook anew on the port it had, as another process would."""
    old = service.listener
    service.listener = Listener(old._app, listener_options(port=old.address.port))
    service.listener.start()
