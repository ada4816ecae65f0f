"""A policy test from a decision on record: under pseudonyms, it passes as written or it is not written."""

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from usher.adapters.redaction import Redactor
from usher.answer.decision_line import account, in_clear
from usher.answer.record import DecisionRecord
from usher.answer.recorded_line import record_of
from usher.bootstrap.policies import world_of
from usher.bootstrap.schemas import Schemas
from usher.domain.decision import ClaimTrace, Conflict, Ending, Hold, Outcome, RuleFault, Tried, Verdict
from usher.engine import LoadedPolicies, MemoryDirectory, MemoryLedger, Owner, PolicySet, Stores, load_policies
from usher.proof.from_decision import NotReproducibleError, decision_as_test
from usher.proof.rehearsal import rehearse
from usher.proof.suite import load_suite, passes
from usher.proof.world import World
from usher.settings import Settings

NOW = 1_772_442_000_000_000_000
LEAST_REPRODUCED = 0.9
"""Of what the shipped tests decide: most of them are about what is unusual."""
Recorded = Callable[..., DecisionRecord]
Payload = Callable[..., dict[str, Any]]

POLICY = """\
policy: p
rules:
  - id: free
    only: create
    claim:
      login:
        candidates: ["get(user, 'login', '')", "slug(get(user, 'lastName', '')) + string(n) + '@example.com'"]
        counter: {from: 2, to: 30}
        exhausted: skip
    set: {user.login: claimed.login}
  - id: known
    when: "size(directory('employeeNumber', get(appuser, 'employeeNumber', '').trim())) == 1"
    action: {link: "directory('employeeNumber', get(appuser, 'employeeNumber', '').trim())[0].id"}
  - id: taken
    when: "taken('login', 'x' + get(user, 'lastName', '') + '@example.com')"
    set: {user.title: {value: taken}}
  - id: accents
    when: "get(user, 'lastName', '').matches('[^ -~]')"
    set: {user.displayName: "get(user, 'lastName', '')"}
  - id: held
    when: "get(user, 'department', '') == 'Board'"
    hold: "'ask somebody'"
"""


@pytest.fixture(scope="module")
def world(schemas: Schemas) -> World:
    """Return the surroundings of a test run."""
    return world_of(Settings(), schemas)


@pytest.fixture
def policies(policy_set: Callable[[str], PolicySet]) -> PolicySet:
    """Return the policies of this page."""
    return policy_set(POLICY)


def on_record(record: DecisionRecord, policies: PolicySet) -> DecisionRecord:
    """Return the record as it comes back from a redacted log."""
    public = policies.profiles
    redactor = Redactor(
        bytes(32),
        public_user=public.user.public,
        public_app_user=public.app_user.public,
        lookup_names=public.declared("user") | {"id", "status", "login"},
    )
    personal, dropped = redactor.redacted(record)
    assert dropped == ()
    return record_of(json.loads(json.dumps(account(record) | personal)))


@pytest.fixture
def recorded(policies: PolicySet, world: World) -> Recorded:
    """Return a decider of requests that gives back what the redacted log holds."""

    def decide(
        body: dict[str, Any], *, users: tuple[Mapping[str, object], ...] = (), held: tuple[str, ...] = ()
    ) -> DecisionRecord:
        login = world.namespaces["login"]
        ledger = MemoryLedger({("login", login.key(value)): (Owner("0oa1", "other"), value) for value in held})
        stores = Stores(ledger, MemoryDirectory(users), world.namespaces)
        return on_record(rehearse(policies, body, world, now=NOW, stores=stores).record, policies)

    return decide


def fired(record: DecisionRecord) -> set[str]:
    """Return the rules that fired."""
    return {entry.rule for entry in record.trace if entry.verdict is Verdict.FIRED}


def test_the_test_passes_and_names_nobody(
    policies: PolicySet, world: World, recorded: Recorded, payload: Payload
) -> None:
    """No personal value of the row stands in it; equal values stay equal; public ones stay as they are."""
    user = {"login": "jane.roe@example.com", "email": "jane.roe@example.com", "lastName": "Roe", "department": "Sales"}
    record = recorded(payload(user=user, appuser={"externalId": "9917"}))
    text = decision_as_test(record, policies, world)
    assert passes(text, "x_test.yaml", policies, world)
    assert not re.search("jane|roe|9917|h:[0-9a-f]{32}", text, re.IGNORECASE)
    login = re.search(r"login: (\S+@example\.com)", text)
    assert login is not None
    assert f"email: {login[1]}" in text
    assert "department: Sales" in text


def test_the_same_decision_always_gives_the_same_test(
    policies: PolicySet, world: World, recorded: Recorded, payload: Payload
) -> None:
    """A pseudonym is made from the hash alone, so two tests about one person speak of one person."""
    record = recorded(payload(user={"login": "jane.roe@example.com", "lastName": "Roe"}))
    assert decision_as_test(record, policies, world) == decision_as_test(record, policies, world)


def test_what_was_held_is_held_again(policies: PolicySet, world: World, recorded: Recorded, payload: Payload) -> None:
    """The claim takes the same turn: as many candidates are refused as were on record."""
    user = {"login": "jane.roe@example.com", "lastName": "Roe"}
    record = recorded(payload(user=user), held=("jane.roe@example.com", "roe2@example.com"))
    assert [tried.refused for tried in record.claims[0].tried] == ["held", "held", ""]
    text = decision_as_test(record, policies, world)
    assert passes(text, "x_test.yaml", policies, world)
    assert re.search(r"claims: \{login: [a-z]+3@example\.com\}", text)
    assert text.count("subject: somebody-else") == 2


LONG = """\
policy: p
rules:
  - id: free
    claim:
      login:
        candidates: ["slug(get(user, 'lastName', '')) + string(n) + '@example.com'"]
        counter: {from: 1, to: 9999}
    set: {user.login: claimed.login}
"""


@pytest.mark.parametrize("refused", [50, 51, 130, 1200])
def test_a_claim_that_tried_more_than_the_log_keeps_takes_the_same_turn(
    policy_set: Callable[[str], PolicySet], world: World, payload: Payload, refused: int
) -> None:
    """The log tells fifty and how many more; all of them are given away, as far as an account counts. In time."""
    policies = policy_set(LONG)
    login = world.namespaces["login"]
    values = [f"roe{number}@example.com" for number in range(1, refused + 1)]
    ledger = MemoryLedger({("login", login.key(value)): (Owner("0oa1", "other"), value) for value in values})
    stores = Stores(ledger, MemoryDirectory(), world.namespaces)
    body = payload(user={"lastName": "Roe"})
    record = on_record(rehearse(policies, body, world, now=NOW, stores=stores).record, policies)
    assert len(record.claims[0].tried) == 50
    began = time.process_time()
    text = decision_as_test(record, policies, world)
    assert time.process_time() - began < 1
    counted = min(refused, 1000)
    assert text.count("subject: somebody-else") == counted
    assert re.search(rf"claims: {{login: [a-z]+{counted + 1}@example\.com}}", text)
    assert passes(text, "x_test.yaml", policies, world)


def test_an_exhausted_claim_is_exhausted_for_the_same_cause(
    policy_set: Callable[[str], PolicySet], world: World, payload: Payload
) -> None:
    """All its candidates are held again: a name that only has no candidates would be another decision."""
    policies = policy_set(LONG.replace("9999", "60"))
    login = world.namespaces["login"]
    values = [f"roe{number}@example.com" for number in range(1, 61)]
    ledger = MemoryLedger({("login", login.key(value)): (Owner("0oa1", "other"), value) for value in values})
    stores = Stores(ledger, MemoryDirectory(), world.namespaces)
    made = rehearse(policies, payload(user={"lastName": "Roe"}), world, now=NOW, stores=stores).record
    record = on_record(made, policies)
    assert record.outcome is Outcome.HOLD
    text = decision_as_test(record, policies, world)
    assert text.count("subject: somebody-else") == 60
    assert passes(text, "x_test.yaml", policies, world)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"outcome": Outcome.HOLD}, "only on record: outcome hold; only now: outcome commands"),
        ({"ending": Ending.LINK}, "only on record: ending link; only now: ending create"),
        ({"holds": (Hold("p/held", ""),)}, "only on record: held by p/held"),
        ({"errors": (RuleFault("p/held", "no-such-key"),)}, "only on record: p/held failed with no-such-key"),
        ({"errors": (RuleFault("p/a", "unfit", "user.city"),)}, "only on record: p/a failed with unfit for user.city"),
        ({"vetoed": ("user.title",)}, "only on record: user.title vetoed"),
        ({"conflicts": (Conflict("user.title", ("p/a", "p/b")),)}, "only on record: user.title in conflict"),
        ({"claims": ()}, "only now: p/free tried 1, granted"),
        (
            {"claims": (ClaimTrace("p/free", (Tried({"login": "h:0"}, ""),), None),)},
            "only on record: p/free tried 1, granted none; only now: p/free tried 1, granted",
        ),
    ],
)
def test_what_a_decision_came_to_must_be_the_same(
    policies: PolicySet, world: World, recorded: Recorded, payload: Payload, change: dict[str, Any], said: str
) -> None:
    """Not the rules that fired alone: else a test would be written about another decision."""
    record = recorded(payload(user={"lastName": "Roe", "department": "Sales"}))
    assert record.outcome is Outcome.COMMANDS
    with pytest.raises(NotReproducibleError) as refused:
        decision_as_test(replace(record, **change), policies, world)
    assert f"it comes out otherwise ({said}); " in str(refused.value)


def test_who_was_known_is_known_again(policies: PolicySet, world: World, recorded: Recorded, payload: Payload) -> None:
    """Look-ups become the directory, also where the value looked up was computed; ids are numbered."""
    users = ({"id": "00uabcdefg", "employeeNumber": "4711"},)
    record = recorded(payload(appuser={"employeeNumber": " 4711 "}), users=users)
    text = decision_as_test(record, policies, world)
    assert passes(text, "x_test.yaml", policies, world)
    assert 'action: {link: "00u1"}' in text
    assert "00uabcdefg" not in text


def test_a_value_somebody_else_had_is_taken_again(
    policies: PolicySet, world: World, recorded: Recorded, payload: Payload
) -> None:
    """`taken()` of a value no one can know from its hash."""
    record = recorded(payload(user={"lastName": "Roe"}), held=("xRoe@example.com",))
    assert "p/taken" in fired(record)
    assert passes(decision_as_test(record, policies, world), "x_test.yaml", policies, world)


def test_a_name_is_spelled_so_that_the_same_rules_fire(
    policies: PolicySet, world: World, recorded: Recorded, payload: Payload
) -> None:
    """A hash does not tell that there were accents; that a rule fired does."""
    record = recorded(payload(user={"lastName": "Groß"}))
    assert "p/accents" in fired(record)
    text = decision_as_test(record, policies, world)
    assert passes(text, "x_test.yaml", policies, world)
    assert re.search(r"lastName: \"[^\"]*[áéíóú]", text)


def test_a_held_row_stays_held(policies: PolicySet, world: World, recorded: Recorded, payload: Payload) -> None:
    """The hold's text, which is not on record, comes from the policy that decides again."""
    text = decision_as_test(recorded(payload(user={"department": "Board"})), policies, world)
    assert "hold: ask somebody" in text


def test_other_rules_are_refused_by_name(
    policies: PolicySet, policy_set: Callable[[str], PolicySet], world: World, recorded: Recorded, payload: Payload
) -> None:
    """After a change of policy the test would prove something that never happened."""
    record = recorded(payload(user={"department": "Board"}))
    changed = policy_set(POLICY.replace("== 'Board'", "== 'Sales'"))
    only_on_record = "only on record: held by p/held, outcome hold, p/held fired"
    with pytest.raises(NotReproducibleError, match=rf"otherwise \({only_on_record}; only now: outcome commands, "):
        decision_as_test(record, changed, world)
    assert decision_as_test(record, policies, world)


@pytest.mark.parametrize("change", [{"outcome": Outcome.UNDECIDED}, {"outcome": Outcome.INVALID}, {"input": None}])
def test_without_a_decision_there_is_no_test(
    policies: PolicySet, world: World, recorded: Recorded, payload: Payload, change: dict[str, Any]
) -> None:
    """What was not decided, or is not on record, cannot be decided again."""
    with pytest.raises(NotReproducibleError, match=r"there is nothing to decide again$"):
        decision_as_test(replace(recorded(payload()), **change), policies, world)


def test_a_log_in_clear_gives_pseudonyms_too(policies: PolicySet, world: World, payload: Payload) -> None:
    """Who switched redaction off did not mean people to stand in a repository."""
    stores = Stores(MemoryLedger(), MemoryDirectory(), world.namespaces)
    body = payload(user={"login": "jane.roe@example.com", "lastName": "Roe"})
    record = rehearse(policies, body, world, now=NOW, stores=stores).record
    text = decision_as_test(record_of(json.loads(json.dumps(account(record) | in_clear(record)))), policies, world)
    assert passes(text, "x_test.yaml", policies, world)
    assert not re.search("jane|roe", text, re.IGNORECASE)


def shipped_decisions(loaded: LoadedPolicies, policies: PolicySet, world: World) -> Iterator[DecisionRecord]:
    """Yield what the shipped policies decide about every request of their tests, from the redacted log."""
    for file in load_suite(loaded, policies, world).files:
        for case in file.cases:
            stores = Stores(MemoryLedger(file.held), MemoryDirectory(file.directory), world.namespaces)
            for step in case.steps:
                body = json.loads(step.body)
                yield on_record(rehearse(policies, body, world, now=file.now, stores=stores).record, policies)


def test_most_decisions_of_the_shipped_policies_become_tests(root: Path, schemas: Schemas, world: World) -> None:
    """Each is written and passes, or is refused; what is refused is the exception."""
    loaded = load_policies(root / "policies", shape=schemas.policy, profiles=schemas.profiles)
    assert loaded.policy_set is not None
    written: list[bool] = []
    for record in shipped_decisions(loaded, loaded.policy_set, world):
        try:
            text = decision_as_test(record, loaded.policy_set, world)
        except NotReproducibleError:
            written.append(False)
            continue
        assert passes(text, "x_test.yaml", loaded.policy_set, world), text
        written.append(True)
    assert len(written) > 200
    print(f"{sum(written)} of {len(written)} decisions of the shipped tests became tests")
    assert sum(written) / len(written) > LEAST_REPRODUCED


def test_what_the_service_would_not_read_is_refused_with_a_reason(
    recorded: Recorded, payload: Payload, policies: PolicySet, world: World
) -> None:
    """A line that somebody wrote by hand can hold what no request can, such as NaN."""
    record = recorded(payload(user={"login": "ann@example.com"}))
    assert isinstance(record.input, dict)
    record.input["data"]["appUser"]["profile"]["department"] = float("nan")
    with pytest.raises(NotReproducibleError, match="no JSON that the service would read"):
        decision_as_test(record, policies, world)
