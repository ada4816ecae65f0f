"""A first test for a policy: somebody with every attribute it reads, and what it makes of them today.

Owns the person of such a test. The policy decides; what it decides is the expectation, for its author to look at. One
thread.
"""

from collections.abc import Mapping
from typing import Final

from usher.domain.suggestions import did_you_mean
from usher.engine import MemoryDirectory, MemoryLedger, Policy, PolicySet, Profiles
from usher.engine.expressions import expressions_of
from usher.errors import UsherError
from usher.proof.fixtures import inline_request
from usher.proof.found import Found, expectation_of
from usher.proof.moments import nanoseconds
from usher.proof.pseudonyms import Pseudonyms, digest_of
from usher.proof.rehearsal import rehearse
from usher.proof.subject import Subject
from usher.proof.world import World
from usher.proof.writing import yaml_text

_NOW: Final = "2026-03-02T09:00:00Z"
_LIKELY: Final[Mapping[str, object]] = {
    "login": "ann.lee@example.com",
    "email": "ann.lee@example.com",
    "userName": "ann.lee@example.com",
    "secondEmail": "ann@example.org",
    "firstName": "Ann",
    "middleName": "Marie",
    "lastName": "Lee",
    "preferredName": "Annie",
    "displayName": "Ann Lee",
    "externalId": "1042",
    "employeeNumber": "1042",
    "personId": "1042",
    "countryCode": "DE",
    "country": "DE",
    "locale": "en_US",
    "mobilePhone": "030 123456",
    "primaryPhone": "030 123456",
    "department": "Sales",
    "userType": "Employee",
    "employeeType": "Employee",
}
_ALWAYS: Final = (("user", "login"), ("user", "firstName"), ("user", "lastName"), ("appuser", "externalId"))
_DEPTH: Final = 2


class NoSuchPolicyError(UsherError):
    """There is no policy of that name."""


def scaffold(policy_set: PolicySet, name: str, world: World) -> str:
    """Return a test file for one policy; raises `NoSuchPolicyError`."""
    policy = next((policy for policy in policy_set.policies if policy.name == name), None)
    subject = Subject.of(policy_set, name)
    if policy is None or subject is None:
        known = [policy.name for policy in policy_set.policies]
        raise NoSuchPolicyError(f"there is no policy {name} in this folder{did_you_mean(name, known)}")
    reads = _reads(policy)
    person = _person(reads, policy_set.profiles)
    decides = subject.policy_set(policy_set, constants={}, tables={})
    tests = [_test("somebody with every attribute the policy reads", person, {}, decides, world)]
    if ("context", "conflicts") in reads or any(rule.claim for rule in policy.rules):
        taken = {"context.conflicts": ["login"]}
        tests.append(_test("the same with a login that Okta reports as taken", person, taken, decides, world))
    document = {"tests_for": name, "now": _NOW, "fixtures": {"ann": person}, "tests": tests}
    comment = (
        f"Written by `usher test --scaffold {name}`: what the policy does today. Look at it, name the tests\n"
        "after what must hold, and add those who are treated otherwise; `usher test --coverage` says what is missing."
    )
    return yaml_text(document, comment=comment)


def _test(
    name: str, person: Mapping[str, object], changes: Mapping[str, object], decides: PolicySet, world: World
) -> dict[str, object]:
    fixture = {**person, **({"context": {"conflicts": ["login"]}} if changes else {})}
    stores = world.declared.over(MemoryLedger(), MemoryDirectory())
    found: Found = rehearse(decides, inline_request(fixture), world, now=nanoseconds(_NOW) or 0, stores=stores).found
    test: dict[str, object] = {"name": name, "given": "ann"}
    if changes:
        test["with"] = dict(changes)
    return {**test, "expect": expectation_of(found)}


def _person(reads: set[tuple[str, str]], profiles: Profiles) -> dict[str, object]:
    """Return a fixture with a likely value for each attribute."""
    person: dict[str, dict[str, object]] = {"user": {}, "appuser": {}}
    for root, name in sorted({*reads, *_ALWAYS}):
        if root in person and name in profiles.declared(root):
            person[root][name] = _likely(root, name, profiles)
    return {root: members for root, members in person.items() if members}


def _likely(root: str, name: str, profiles: Profiles) -> object:
    """Return a value that the attribute's schema takes."""
    profile = profiles.user if root == "user" else profiles.app_user
    shape = profile.attributes.get(name)
    likely = _LIKELY.get(name, f"a {name}")
    if shape is None or shape.accepts(likely):
        return likely
    pseudonyms = Pseudonyms(profiles)
    pseudonyms.met(digest_of(name), (root, name))
    return pseudonyms.of(digest_of(name))


def _reads(policy: Policy) -> set[tuple[str, str]]:
    """Return every field of the request a policy reads, as root and name."""
    return {
        (read.path[0], read.path[1])
        for placed in expressions_of(policy)
        for read in placed.expression.reads
        if len(read.path) >= _DEPTH
    }
