"""Desks with stores of their own."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.engine.engine_desk import Desk
from usher.engine import PolicySet


@pytest.fixture(scope="session")
def new_desk(policy_set: Callable[..., PolicySet], payload: Callable[..., dict[str, Any]]) -> Callable[..., Desk]:
    """Return a maker of desks."""
    return lambda **members: Desk(policy_set, payload, **members)


@pytest.fixture
def desk(new_desk: Callable[..., Desk]) -> Desk:
    """Return a desk where nothing is held and nobody known."""
    return new_desk()
