"""The policies that come with Usher, loaded once."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.policies.asking import Desk
from usher.bootstrap.schemas import Schemas
from usher.engine import LoadedPolicies, PolicySet, load_policies


@pytest.fixture(scope="session")
def loaded(root: Path, schemas: Schemas) -> LoadedPolicies:
    """Return what `policies/` of the checkout loads to."""
    return load_policies(root / "policies", shape=schemas.policy, profiles=schemas.profiles)


@pytest.fixture(scope="session")
def shipped(loaded: LoadedPolicies) -> PolicySet:
    """Return the set in force with the shipped policies."""
    assert loaded.policy_set is not None, [str(problem) for problem in loaded.problems]
    return loaded.policy_set


@pytest.fixture(scope="session")
def desk_for(shipped: PolicySet, schemas: Schemas) -> Callable[..., Desk]:
    """Return a maker of desks; unlike a policy set, hypothesis can print it."""

    def make(users: tuple[Mapping[str, object], ...] = ()) -> Desk:
        return Desk(shipped, schemas, users)

    return make
