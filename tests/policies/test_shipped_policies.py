"""The policies that come with Usher: sound, explained, none of them dead, and safe for rows as they really come."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.policies.asking import POINTS, Desk, Json, Point
from usher.bootstrap.schemas import Schemas
from usher.cel import Budget
from usher.domain.decision import Decision, Ending, Outcome, Verdict
from usher.domain.fold import fold
from usher.domain.request import ImportRequest
from usher.engine import (
    DEFAULT_NAMESPACES,
    Circumstances,
    LoadedPolicies,
    MemoryDirectory,
    MemoryLedger,
    PolicySet,
    Stores,
    decide,
)

Payload = Callable[..., Json]
NOW = 1_772_442_000_000_000_000
GEORGE = {"login": "george.smith@example.org", "firstName": "George", "lastName": "Smith"}
KNOWN = ({"id": "00u1", "status": "ACTIVE", "login": "g.smith@example.org", "employeeNumber": "1042"},)


def decided(
    policies: PolicySet, request: Json, *, directory: tuple[Mapping[str, object], ...] = (), shadow: bool = False
) -> Decision:
    """Return what the shipped policies decide, on an empty ledger."""
    stores = Stores(MemoryLedger(), MemoryDirectory(directory), DEFAULT_NAMESPACES)
    return decide(policies, ImportRequest.from_wire(request), Circumstances(NOW, Budget(), stores), shadow=shadow)


def test_check_strict_finds_nothing(loaded: LoadedPolicies) -> None:
    """No error and no warning: neither an unguarded attribute nor two rules that compete for one target."""
    assert [str(problem) for problem in loaded.problems] == []


def test_every_policy_says_what_it_is_for_and_whose_it_is(shipped: PolicySet) -> None:
    """A description and an owner stand in each file."""
    assert [policy.name for policy in shipped.policies if not (policy.description and policy.owner)] == []


def test_every_rule_says_what_it_does_and_why(shipped: PolicySet) -> None:
    """Each rule and each branch has a description for its reader and a `because` for who asks about a person."""
    assert [rule.name for rule in shipped.rules if not rule.description or rule.because is None] == []


def board_row(payload: Payload, **appuser: object) -> Json:
    """Return a board member's row that Okta would link by name."""
    row = payload(user=GEORGE, appuser={"department": "Board", **appuser}, action="LINK_USER")
    row["data"]["user"]["id"] = "00u2"
    return row


def test_the_board_is_not_linked_by_okta(shipped: PolicySet, payload: Payload) -> None:
    """What Okta matched by name is vetoed, so the row is created with a login of its own."""
    made = decided(shipped, board_row(payload))
    assert (made.ending, made.holds, made.vetoed) == (Ending.CREATE, (), ("action.link",))
    assert "links/board" in made.fired


def test_a_known_board_member_waits_for_a_person(shipped: PolicySet, payload: Payload) -> None:
    """Vetoing the link must not create the same board member twice."""
    made = decided(shipped, board_row(payload, employeeNumber="1042"), directory=KNOWN)
    assert [hold.rule for hold in made.holds] == ["links/board-known"]
    assert made.conflicts == ()


@pytest.mark.parametrize("user", [{}, {"login": None, "email": ""}, {"firstName": "George", "lastName": "Smith"}])
def test_a_row_without_anything_to_go_by_waits(shipped: PolicySet, payload: Payload, user: dict[str, object]) -> None:
    """Without an address no login is made up: the row is held, and says what is missing."""
    made = decided(shipped, payload(user=user))
    assert [hold.rule for hold in made.holds] == ["logins/no-login"]
    assert made.faults == ()


def test_a_login_of_names_needs_no_number(shipped: PolicySet, payload: Payload) -> None:
    """A name in other letters and no employee number: what Okta proposes stays while it is free, else the row waits."""
    user = {"login": "yamada@example.org", "firstName": "太郎", "lastName": "山田"}
    assert decided(shipped, payload(user=user)).holds == ()
    made = decided(shipped, payload(user=user, context={"conflicts": ["login"]}))
    assert [hold.rule for hold in made.holds] == ["logins/free-login"]


def values(made: Decision) -> dict[str, object]:
    """Return what each target receives."""
    return {target: given.value for target, given in made.assignments.items()}


def test_a_placeholder_is_no_name(shipped: PolicySet, payload: Payload) -> None:
    """`N/A` as preferred, middle or last name goes into no login and no display name."""
    conflict = {"conflicts": ["login"]}
    made = decided(shipped, payload(user=GEORGE, appuser={"preferredName": "N/A", "middleName": "-"}, context=conflict))
    assert values(made) == {"user.login": "george.smith2@example.org"}
    user = {"login": "jürgen@example.org", "firstName": "Jürgen", "lastName": "-"}
    assert values(decided(shipped, payload(user=user))) == {"user.login": "jurgen@example.org"}


def test_a_placeholder_is_no_kind_of_contract(shipped: PolicySet, payload: Payload) -> None:
    """A contractor whose next row says `N/A` is linked and stays a contractor; an intern becomes one."""
    known = ({**KNOWN[0], "userType": "Contractor"},)
    for kind, expected in {"N/A": {}, "Contractor": {}, "Intern": {"user.userType": "Intern"}}.items():
        made = decided(
            shipped, payload(user=GEORGE, appuser={"employeeNumber": "1042", "employeeType": kind}), directory=known
        )
        assert (made.link_id, values(made)) == ("00u1", expected), kind


def test_a_placeholder_is_no_other_number(shipped: PolicySet, payload: Payload) -> None:
    """Where Okta's match has `N/A` for a number, nothing speaks against the match."""
    row = payload(user=GEORGE, appuser={"employeeNumber": "1042"}, action="LINK_USER")
    row["data"]["user"]["id"] = "00u1"
    made = decided(shipped, row, directory=({**KNOWN[0], "employeeNumber": "N/A"},))
    assert (made.ending, made.link_id) == (Ending.LINK, "00u1")


def test_a_placeholder_is_no_other_name(shipped: PolicySet, payload: Payload) -> None:
    """A row whose names are placeholders is linked by its number; one with two other names waits for a person."""
    known = ({**KNOWN[0], "firstName": "George", "lastName": "Smith"},)
    row = payload(user={"firstName": "N/A", "lastName": "-"}, appuser={"employeeNumber": "1042"})
    assert decided(shipped, row, directory=known).link_id == "00u1"
    other = payload(user={**GEORGE, "firstName": "Ann", "lastName": "Lee"}, appuser={"employeeNumber": "1042"})
    assert [hold.rule for hold in decided(shipped, other, directory=known).holds] == ["links/known/other-name"]


def test_locales_are_on_trial(shipped: PolicySet, payload: Payload) -> None:
    """The shadow policy is evaluated on request and never in a decision."""
    request = payload(user={**GEORGE, "countryCode": "DE"})
    made = decided(shipped, request, shadow=True)
    assert values(made) == {"user.locale": "de_DE"}
    assert made.fired == ("locales/locale",)
    assert "user.locale" not in decided(shipped, request).assignments


def test_a_row_without_a_name_gets_no_account_name(shipped: PolicySet, payload: Payload) -> None:
    """Where accounts have short names, a row that yields none is held: its user name would go out as it came."""
    user = {"login": "a-login-of-more-than-twenty-characters@example.com", "firstName": "太郎", "lastName": "山田"}
    short = payload(user=user, context={"application": {"name": "example_ad", "id": "0oa1"}})
    assert [hold.rule for hold in decided(shipped, short).holds] == ["logins/no-short-name"]
    assert decided(shipped, payload(user=user)).holds == ()


# Rules that no golden point fires, and the test above that fires them.
FIRED_ABOVE = {"links/board", "links/board-known", "logins/no-login", "logins/no-short-name", "locales/locale"}


def test_no_rule_is_dead(shipped: PolicySet, schemas: Schemas) -> None:
    """Every rule fires in a golden point or in a test above."""
    fired: set[str] = set()
    for folder in POINTS.iterdir():
        desk = Desk.for_point(point := Point.read(folder), shipped, schemas)
        for request in point.requests:
            desk.ask(request)
        traces = (trace for record in desk.kept.records for trace in record.trace)
        fired |= {trace.rule for trace in traces if trace.verdict is Verdict.FIRED}
    assert {rule.name for rule in shipped.rules} - fired == FIRED_ABOVE


def test_oktas_sample_gets_a_login(root: Path, shipped: PolicySet, schemas: Schemas) -> None:
    """Okta's own sample has a conflict, nulls, a list and no middle name; only its login changes, and nothing fails."""
    desk = Desk(shipped, schemas)
    answer = desk.ask(json.loads((root / "tests/golden/okta-sample.json").read_text(encoding="utf-8")))
    value = {"login": "sally2.admin2@clouditude.net"}
    assert answer == {"commands": [{"type": "com.okta.user.profile.update", "value": value}]}
    assert (desk.kept.records[0].errors, desk.kept.records[0].conflicts) == ((), ())


def test_an_ordinary_row_is_left_alone(shipped: PolicySet, schemas: Schemas, payload: Payload) -> None:
    """Where the tables know neither domain nor department, a clean row keeps everything Okta proposes."""
    desk = Desk(shipped, schemas)
    appuser = {"department": "Research", "employeeNumber": "7", "company": "Example", "country": "France"}
    user = {**GEORGE, "countryCode": "FR", "mobilePhone": "+33123456789", "city": "Lyon", "displayName": "George"}
    assert desk.ask(payload(user=user, appuser=appuser)) == {}
    assert desk.kept.records[0].outcome is Outcome.DEFAULT


def test_a_long_counter_is_walked_within_the_budget(shipped: PolicySet, schemas: Schemas, payload: Payload) -> None:
    """The two-hundredth of one name still gets a login, and gets it again."""
    desk = Desk(shipped, schemas)
    rows = [payload(user=GEORGE, appuser={"externalId": str(number)}) for number in range(200)]
    first = [desk.ask(row) for row in rows]
    assert first[-1]["commands"][0]["value"] == {"login": "george.smith200@example.org"}
    assert desk.ask({**rows[-1], "eventId": "again"}) == first[-1]
    assert desk.undecided == []


def table(shipped: PolicySet, name: str) -> Any:
    """Return a shipped table."""
    return shipped.tables[name]


def test_tables_are_keyed_as_policies_ask(shipped: PolicySet) -> None:
    """Policies ask for folded names of countries and domains and for codes in capitals; other keys are never found."""
    assert [name for name in (*table(shipped, "countries"), *table(shipped, "domains")) if name != fold(name)] == []
    assert [code for code in table(shipped, "departments") if code != code.upper()] == []
    codes = {row["code"] for row in table(shipped, "countries").values()}
    assert all(len(code) == 2 and code.isupper() for code in codes)
    assert set(table(shipped, "locales")) <= codes
    used = {code for row in table(shipped, "domains").values() for code in row.get("countries", {})}
    assert used <= codes


def test_values_of_tables_fit_their_targets(shipped: PolicySet) -> None:
    """Whatever a table can put into a profile is accepted by the profile's schema."""
    fits = shipped.profiles.accepts
    assert all(fits("user.locale", row["locale"], {}) for row in table(shipped, "locales").values())
    assert all(fits("user.countryCode", row["code"], {}) for row in table(shipped, "countries").values())
    for row in table(shipped, "departments").values():
        assert fits("user.costCenter", row["cost_center"], {})
        assert fits("user.division", row["division"], {})


def test_nobodys_name_is_a_placeholder(shipped: PolicySet) -> None:
    """There are people called Null, None and Na; a placeholder holds no three letters in a row."""
    assert [text for text in table(shipped, "placeholders") if sum(map(str.isalpha, text)) > 2] == []
