"""A first test for a policy, and the YAML it is written in."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usher.bootstrap.policies import world_of
from usher.bootstrap.schemas import Schemas
from usher.engine import LoadedPolicies, PolicySet, load_policies
from usher.engine.yaml_text import plain, read_yaml
from usher.proof.scaffold import NoSuchPolicyError, scaffold
from usher.proof.suite import passes
from usher.proof.world import World
from usher.proof.writing import yaml_text
from usher.settings import Settings

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=3)
    ),
    max_leaves=12,
)


@pytest.fixture(scope="module")
def world(schemas: Schemas) -> World:
    """Return the surroundings of a test run."""
    return world_of(Settings(), schemas)


@pytest.fixture(scope="module")
def shipped(root: Path, schemas: Schemas) -> LoadedPolicies:
    """Return the shipped policies."""
    return load_policies(root / "policies", shape=schemas.policy, profiles=schemas.profiles)


def test_every_shipped_policy_gets_a_first_test_that_passes(shipped: LoadedPolicies, world: World) -> None:
    """On trial or enforced, with a claim, a directory or tables."""
    assert shipped.policy_set is not None
    for policy in shipped.policy_set.policies:
        text = scaffold(shipped.policy_set, policy.name, world)
        assert passes(text, "x_test.yaml", shipped.policy_set, world), text


def test_the_person_has_every_attribute_the_policy_reads(policy_set: Callable[[str], PolicySet], world: World) -> None:
    """In conditions, variables, values, candidates and a ladder's own `when`; each value suits its schema."""
    policies = policy_set("""\
policy: p
match: get(user, 'city', '') != 'x'
variables: {a: "get(user, 'honorificPrefix', '')"}
rules:
  - id: ladder
    when: get(appuser, 'company', '') != ''
    first:
      - id: branch
        when: get(user, 'locale', '') != ''
        set: {user.title: "get(user, 'nickName', '')"}
  - id: claims
    claim:
      login:
        candidates: ["get(appuser, 'userName', '')"]
        except: "[get(user, 'secondEmail', '')]"
        exhausted: skip
    set: {user.login: claimed.login}
    because: "get(user, 'manager', '')"
""")
    text = scaffold(policies, "p", world)
    assert passes(text, "x_test.yaml", policies, world)
    node, _ = read_yaml(text, "x_test.yaml")
    assert node is not None
    document = json.loads(json.dumps(plain(node)))
    assert sorted(document["fixtures"]["ann"]["user"]) == [
        "city",
        "firstName",
        "honorificPrefix",
        "lastName",
        "locale",
        "login",
        "manager",
        "nickName",
        "secondEmail",
    ]
    assert sorted(document["fixtures"]["ann"]["appuser"]) == ["company", "externalId", "userName"]
    assert document["tests"][0]["expect"]["fired"] == ["p/claims", "p/ladder/branch"]
    assert [test.get("with") for test in document["tests"]] == [None, {"context.conflicts": ["login"]}]


def test_a_rule_that_fails_is_expected_to_fail(policy_set: Callable[[str], PolicySet], world: World) -> None:
    """What the policy does today is written down as it is, for its author to see."""
    text = scaffold(policy_set("policy: p\nrules:\n  - {id: a, set: {user.title: string(1 / 0)}}\n"), "p", world)
    assert "errors: [p/a]" in text


def test_a_policy_that_does_not_exist_is_said_with_the_one_that_is_meant(
    policy_set: Callable[[str], PolicySet], world: World
) -> None:
    """As everywhere."""
    policies = policy_set("policy: logins\nrules:\n  - {id: a, set: {user.title: {value: x}}}\n")
    with pytest.raises(NoSuchPolicyError, match=r"^there is no policy login in this folder; did you mean logins\?$"):
        scaffold(policies, "login", world)


@given(st.dictionaries(st.text(st.characters(codec="utf-8"), min_size=1), JSON, min_size=1, max_size=4))
def test_what_is_written_reads_back_as_it_was(document: dict[str, object]) -> None:
    """Whatever stands in a value: YAML's own words, numbers as text, colons, comments, blanks, line ends."""
    document.pop("<<", None)
    node, problems = read_yaml(yaml_text({"x": document}, comment="a comment\nin two lines"), "x.yaml")
    assert problems == ()
    assert node is not None
    assert plain(node) == {"x": document}
