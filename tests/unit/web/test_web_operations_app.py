"""The operations listener's paths."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pytest
from falcon import testing

if TYPE_CHECKING:
    from tests.unit.web.conftest import Operations

SECRET = {"Authorization": "the next secret"}
OPEN = ("/health/live", "/health/ready", "/status", "/metrics")


def test_live_and_ready_are_json(operations_client: testing.TestClient) -> None:
    """A probe reads the status, a person the reasons."""
    assert operations_client.simulate_get("/health/live").json == {"live": True}
    result = operations_client.simulate_get("/health/ready")
    assert result.status_code == 200
    assert result.json == {"ready": True, "checks": {"policies": "loaded", "ledger": True}}


def test_not_ready_is_503_with_the_reasons(operations: Operations, operations_client: testing.TestClient) -> None:
    """A load balancer reads the status, a person the checks; alive is another question."""
    operations.ready = False
    result = operations_client.simulate_get("/health/ready")
    assert result.status_code == 503
    assert result.json == {"ready": False, "checks": {"policies": "loaded", "ledger": False}}
    assert operations_client.simulate_get("/health/live").status_code == 200


@pytest.mark.parametrize("path", OPEN)
def test_what_only_reads_asks_for_no_credential(operations_client: testing.TestClient, path: str) -> None:
    """Probes, scrapers and people on this machine have no secret, and one they send is not judged."""
    assert operations_client.simulate_get(path).status_code == 200
    assert operations_client.simulate_get(path, headers={"Authorization": "x"}).status_code == 200
    assert operations_client.simulate_get(path, headers=SECRET).status_code == 200


def test_status_is_json_and_metrics_are_as_given(operations_client: testing.TestClient) -> None:
    """Both are the collaborator's, fresh each time."""
    status = operations_client.simulate_get("/status", headers=SECRET)
    assert status.json == {"revision": "abc", "policies": 3}
    assert status.headers["content-type"] == "application/json"
    metrics = operations_client.simulate_get("/metrics", headers=SECRET)
    assert metrics.text == "usher_up 1\n"
    assert metrics.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert status.headers["cache-control"] == metrics.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", OPEN)
def test_head_is_get_without_the_body_and_nothing_else_is_allowed(
    operations_client: testing.TestClient, path: str
) -> None:
    """Load balancers probe with HEAD; nobody posts here."""
    head = operations_client.simulate_head(path, headers=SECRET)
    assert (head.status_code, head.content) == (200, b"")
    for method in ("POST", "PUT", "OPTIONS", "DELETE"):
        refused = operations_client.simulate_request(method, path, headers=SECRET)
        assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")
        assert "errorSummary" in refused.json["error"]


@pytest.mark.parametrize("path", ["/okta/import", "/reload/", "/", "/health", "/health/live/"])
def test_nothing_else_is_served_here(operations_client: testing.TestClient, path: str) -> None:
    """The hook is not reachable on the operations listener, and a stranger learns nothing about paths."""
    assert operations_client.simulate_post(path).status_code == 401
    assert operations_client.simulate_post(path, headers=SECRET).status_code == 404


def test_a_reload_that_is_accepted_is_200_with_what_came_of_it(
    operations: Operations, operations_client: testing.TestClient
) -> None:
    """And so is one that finds nothing new; both are the collaborator's words, fresh each time."""
    made: list[Mapping[str, object]] = [{"result": "accepted", "changes": [{"name": "p/a"}]}, {"result": "unchanged"}]
    operations.reloads.extend(made)
    for expected in made:
        result = operations_client.simulate_post("/reload", headers=SECRET)
        assert (result.status_code, result.json) == (200, expected)
        assert result.headers["content-type"] == "application/json"
        assert result.headers["cache-control"] == "no-store"


def test_a_reload_that_is_rejected_is_422_with_the_problems(
    operations: Operations, operations_client: testing.TestClient
) -> None:
    """A script reads the status, a person the problems."""
    rejected = {"result": "rejected", "problems": [{"file": "a.yaml", "line": 3}]}
    operations.reloads.append(rejected)
    result = operations_client.simulate_post("/reload", headers=SECRET)
    assert (result.status_code, result.json) == (422, rejected)


def test_a_reload_while_another_look_is_under_way_is_503(
    operations: Operations, operations_client: testing.TestClient
) -> None:
    """With when to ask again, in Okta's shape as every refusal here."""
    operations.reloads.append(None)
    result = operations_client.simulate_post("/reload", headers=SECRET)
    assert (result.status_code, result.headers["retry-after"]) == (503, "1")
    assert "errorSummary" in result.json["error"]


@pytest.mark.parametrize(("headers", "status"), [({}, 401), ({"Authorization": "x"}, 403)])
def test_a_reload_wants_the_secret(
    operations: Operations, operations_client: testing.TestClient, headers: dict[str, str], status: int
) -> None:
    """What does something is not for everybody on this machine: nothing is looked at."""
    operations.reloads.append({"result": "accepted"})
    result = operations_client.simulate_post("/reload", headers=headers)
    assert result.status_code == status
    assert operations.reloads == [{"result": "accepted"}]


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "OPTIONS", "DELETE"])
def test_a_reload_is_posted(operations: Operations, operations_client: testing.TestClient, method: str) -> None:
    """A crawler or a probe that follows a link reloads nothing."""
    result = operations_client.simulate_request(method, "/reload", headers=SECRET)
    assert (result.status_code, result.headers["allow"]) == (405, "POST")
    assert operations.reloads == []


def test_a_bug_behind_a_reload_quotes_nothing(operations: Operations, operations_client: testing.TestClient) -> None:
    """500 in Okta's shape."""
    operations.fault = ValueError("Ann Lee")
    result = operations_client.simulate_post("/reload", headers=SECRET)
    assert result.status_code == 500
    assert "errorSummary" in result.json["error"]
    assert "Ann Lee" not in result.text


def test_a_bug_behind_readiness_is_not_ready(operations: Operations, operations_client: testing.TestClient) -> None:
    """A probe that cannot be answered must not pass, and its answer quotes nothing."""
    operations.fault = ValueError("Ann Lee")
    result = operations_client.simulate_get("/health/ready")
    assert result.status_code == 500
    assert "errorSummary" in result.json["error"]
    assert "Ann Lee" not in result.text
