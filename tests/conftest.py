"""What every test may ask for: the shipped schemas, requests, policy folders, decisions, databases."""

import itertools
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.postgresql import Cluster, find_programs, running_cluster, tell_absence
from usher.bootstrap.schemas import Schemas, load_schemas
from usher.cel import Budget
from usher.domain.decision import Decision
from usher.domain.request import ImportRequest
from usher.engine import (
    DEFAULT_NAMESPACES,
    Circumstances,
    LoadedPolicies,
    MemoryDirectory,
    MemoryLedger,
    Namespace,
    PolicySet,
    Stores,
    decide,
    load_policies,
)

ROOT = Path(__file__).parents[1]
# Golden files are read by tests; the policy tests among them are broken on purpose.
collect_ignore = ["golden"]
NOW = 1_772_442_000_000_000_000  # 2026-03-02T09:00:00Z in nanoseconds

# A loaded machine must not fail a law: examples are counted, never timed.
settings.register_profile("usual", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=60)
settings.register_profile("long", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=1000)
settings.load_profile("long" if os.environ.get("USHER_LONG_TESTS") else "usual")


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def schemas() -> Schemas:
    """Return the schemas of the checkout, compiled."""
    return load_schemas(ROOT / "schemas")


@pytest.fixture(scope="session")
def payload() -> Callable[..., dict[str, Any]]:
    """Return a maker of import requests; what is not said is as in a row without a conflict."""

    def make(
        *,
        user: Mapping[str, object] | None = None,
        appuser: Mapping[str, object] | None = None,
        context: Mapping[str, object] | None = None,
        action: str = "CREATE_USER",
        event_id: str = "event-1",
    ) -> dict[str, Any]:
        return {
            "eventId": event_id,
            "eventType": "com.okta.import.transform",
            "data": {
                "context": {"conflicts": [], "application": {"name": "test_app", "id": "0oa1"}, **(context or {})},
                "action": {"result": action},
                "appUser": {"profile": {"externalId": "1042", **(appuser or {})}},
                "user": {"profile": dict(user or {})},
            },
        }

    return make


@pytest.fixture(scope="session")
def write_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str | Mapping[str, str]], Path]:
    """Return a maker of policy folders: from one policy's text, or from texts by file name."""
    numbers = itertools.count()
    base = tmp_path_factory.mktemp("folders")

    def write(files: str | Mapping[str, str]) -> Path:
        folder = base / str(next(numbers))
        folder.mkdir()
        for name, text in ({"policy.yaml": files} if isinstance(files, str) else files).items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="")
        return folder

    return write


@pytest.fixture(scope="session")
def load(schemas: Schemas, write_folder: Callable[[str | Mapping[str, str]], Path]) -> Callable[..., LoadedPolicies]:
    """Return a loader of policies given as text, under the usual namespaces or others."""

    def load_texts(
        files: str | Mapping[str, str], *, namespaces: Mapping[str, Namespace] = DEFAULT_NAMESPACES
    ) -> LoadedPolicies:
        return load_policies(
            write_folder(files), shape=schemas.policy, profiles=schemas.profiles, namespaces=namespaces
        )

    return load_texts


@pytest.fixture(scope="session")
def policy_set(load: Callable[..., LoadedPolicies]) -> Callable[..., PolicySet]:
    """Return a loader of policies that have no error."""

    def load_sound(
        files: str | Mapping[str, str], *, namespaces: Mapping[str, Namespace] = DEFAULT_NAMESPACES
    ) -> PolicySet:
        loaded = load(files, namespaces=namespaces)
        assert loaded.policy_set is not None, [str(problem) for problem in loaded.problems]
        return loaded.policy_set

    return load_sound


@pytest.fixture(scope="session")
def decided(policy_set: Callable[..., PolicySet]) -> Callable[..., Decision]:
    """Return what policies given as text decide about a request; without stores, nothing is held and nobody known."""

    def make(
        files: str | Mapping[str, str],
        request: Mapping[str, Any],
        *,
        budget: Budget | None = None,
        stores: Stores | None = None,
        shadow: bool = False,
    ) -> Decision:
        stores = stores or Stores(MemoryLedger(), MemoryDirectory(), DEFAULT_NAMESPACES)
        policies = policy_set(files, namespaces=stores.namespaces)
        circumstances = Circumstances(NOW, budget or Budget(), stores)
        return decide(policies, ImportRequest.from_wire(request), circumstances, shadow=shadow)

    return make


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Cluster]:
    """Return a PostgreSQL of this process' own; a test that stops or freezes it need not put that right."""
    programs = find_programs()
    if programs is None:
        tell_absence(os.environ)
    with running_cluster(programs) as cluster:
        yield cluster


@pytest.fixture
def postgresql_url(postgresql: Cluster) -> Iterator[str]:
    """Return the URL of an empty PostgreSQL database."""
    with postgresql.database() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of a database that is empty or not there yet; the test runs once for each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{(tmp_path / 'store.db').as_posix()}"
    url: str = request.getfixturevalue("postgresql_url")
    return url
