"""Policy folders with their tests, read and run."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from usher.bootstrap.schemas import Schemas
from usher.engine import load_policies
from usher.proof.running import CaseResult, run_files
from usher.proof.suite import Suite, load_suite
from usher.proof.world import World

Files = str | Mapping[str, str]


@pytest.fixture(scope="session")
def world(schemas: Schemas) -> World:
    """Return the usual surroundings of a run."""
    return World(schemas.request, schemas.response, schemas.policy_test)


@pytest.fixture(scope="session")
def suite_in(schemas: Schemas, world: World) -> Callable[..., Suite]:
    """Return a reader of policy folders whose policies are sound, for the usual surroundings or others."""

    def read(folder: Path, *, within: World = world) -> Suite:
        loaded = load_policies(
            folder, shape=schemas.policy, profiles=schemas.profiles, namespaces=within.namespaces, limits=within.limits
        )
        assert loaded.policy_set is not None, [str(problem) for problem in loaded.problems]
        return load_suite(loaded, loaded.policy_set, within)

    return read


@pytest.fixture(scope="session")
def suite(suite_in: Callable[..., Suite], write_folder: Callable[[Files], Path], world: World) -> Callable[..., Suite]:
    """Return a reader of policies and tests given as texts by file name."""
    return lambda files, *, within=world: suite_in(write_folder(files), within=within)


@pytest.fixture(scope="session")
def proved(suite: Callable[..., Suite], world: World) -> Callable[..., list[CaseResult]]:
    """Return a runner of a policy and tests that can be read."""

    def run(policy: str, tests: str, **more: str) -> list[CaseResult]:
        read = suite({"policy.yaml": policy, "policy_test.yaml": tests, **more})
        assert read.errors == (), [str(problem) for problem in read.errors]
        return list(run_files(read.files, world))

    return run
