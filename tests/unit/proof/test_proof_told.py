"""The account of one decision in words, and the same as data."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from usher.answer.record import DecisionRecord
from usher.bootstrap.evaluation import Evaluation
from usher.bootstrap.schemas import Schemas
from usher.cel import DEFAULT_LIMITS, Limits
from usher.domain.decision import ClaimTrace, Outcome, Remembered, Tried
from usher.engine import DEFAULT_NAMESPACES, MemoryDirectory, MemoryLedger, PolicySet, Rule, Stores, load_policies
from usher.proof.accounts import Accounts, Standing
from usher.proof.words import as_data, told, told_of_shadow
from usher.settings import HoldSettings

Payload = Callable[..., dict[str, Any]]
Explained = Callable[[str, object], list[str]]
ExplainedInARow = Callable[..., list[list[str]]]

POLICY = """\
policy: p
match: "!('closed' in context.conflicts)"
rules:
  - id: fires
    set:
      user.login: "'new-' + get(user, 'login', '')"
    because: "'the login ' + get(user, 'login', '') + ' is taken'"
  - id: never
    when: "'never' in context.conflicts"
    set: {user.title: {value: x}}
  - id: fails
    when: "'fail' in context.conflicts && 1 / 0 == 1"
    set: {user.title: {value: x}}
  - id: no-reason
    set: {user.city: {value: same}, user.email: {value: no-address}}
    because: user.nickName
  - id: other-city
    set: {user.city: {value: other}}
"""


@pytest.fixture
def in_a_row(policy_set: Callable[[str | Mapping[str, str]], PolicySet], schemas: Schemas) -> ExplainedInARow:
    """Return what is said about each of several requests on one ledger, with the folder's path taken off.

    The line of how long each stage took is looked at and left out.
    """

    def tell(files: str | Mapping[str, str], *bodies: object, users: Any = ()) -> list[list[str]]:
        policies = policy_set(files)
        folder = Path(policies.policies[0].place.file).parent.as_posix() + "/"
        evaluation = Evaluation(
            policies,
            schemas,
            lambda *_: None,
            stores=Stores(MemoryLedger(), MemoryDirectory(users), DEFAULT_NAMESPACES),
            hold=HoldSettings(),
        )
        said = []
        for body in bodies:
            evaluated = evaluation.evaluate(json.dumps(body).encode(), with_shadow=True)
            lines: list[str] = []
            for record, rules in evaluation.accounts(evaluated):
                lines += (told_of_shadow if record is evaluated.shadow else told)(record, rules)
            times = [line for line in lines if line.startswith("  time: parse ")]
            assert len(times) == 1
            lines.remove(times[0])
            said.append([line.replace(folder, "") for line in lines])
        return said

    return tell


@pytest.fixture
def explained(in_a_row: ExplainedInARow) -> Explained:
    """Return what is said about a request."""
    return lambda text, body: in_a_row(text, body)[0]


def test_every_rule_is_accounted_for_with_reason_and_place(explained: Explained, payload: Payload) -> None:
    """Fired with its own words, false where, failed where; conflicts, refused values and commands."""
    body = payload(user={"login": "ann@example.com"}, context={"conflicts": ["login", "fail"]})
    first, *rest = explained(POLICY, body)
    assert ": commands, the row is created (policies " in first
    assert rest == [
        "  p/fires: fired (policy.yaml:4:5)",
        "    because the login ann@example.com is taken",
        "  p/never: not fired, false at policy.yaml:9:12",
        '    \'never\' in context.conflicts is false: context.conflicts = ["login", "fail"]',
        "  p/fails: failed, division-by-zero at policy.yaml:12:47",
        "    1 / 0 failed, division-by-zero",
        "  p/no-reason: fired (policy.yaml:14:5)",
        "    because p/no-reason",
        "  p/other-city: fired (policy.yaml:17:5)",
        "  user.city: no command, these rules want different values: p/no-reason, p/other-city",
        "  user.email: no command, the value of p/no-reason breaks the profile schema",
        "  remembered: login new-ann@example.com",
        "  com.okta.user.profile.update: {'login': 'new-ann@example.com'}",
    ]


def test_an_error_in_a_match_is_told_at_its_place(explained: Explained, payload: Payload) -> None:
    """Under the policy's name; rules that were not asked for it are not told."""
    policy = POLICY.replace("!('closed' in context.conflicts)", "1 / size(context.conflicts) == 1")
    said = explained(policy, payload())
    assert said[1:] == [
        "  p: failed, division-by-zero at policy.yaml:2:13",
        (
            "    1 / size(context.conflicts) failed, division-by-zero: "
            "size(context.conflicts) = 0, context.conflicts = []"
        ),
    ]


def test_faults_of_an_invalid_request_are_told(explained: Explained, payload: Payload) -> None:
    """By path and code."""
    said = explained(POLICY, {**payload(), "eventId": 7})
    assert ": invalid (" in said[0]
    assert said[1:] == ["  request: $.eventId: type"]


def test_a_policy_that_does_not_apply_is_told_with_the_reason(explained: Explained, payload: Payload) -> None:
    """Once for all its rules."""
    said = explained(POLICY, payload(context={"conflicts": ["closed"]}))
    assert ": default, the row is created (" in said[0]
    assert said[1:] == [
        "  p: not asked, the policy's match is false at policy.yaml:2:11",
        "    'closed' in context.conflicts is true: context.conflicts = [\"closed\"]",
    ]


def test_a_decision_without_rules_is_one_line(policy_set: Any, payload: Payload) -> None:
    """Where no policy was asked, there is nothing to tell."""
    policies = policy_set("policy: p\nmode: shadow\nrules:\n  - id: a\n    set: {user.title: {value: x}}\n")
    record = DecisionRecord("id", "", "", {}, "", "", payload(), (), (), (), (), (), Outcome.DEFAULT, 1.0)
    lines = list(told(record, tuple(Accounts(policies, record, None).all())))
    assert lines == ["decision id: default (policies , 1.0 ms)"]


LOGINS = """\
policy: p
rules:
  - id: free
    claim:
      login:
        candidates: ["user.login", "'ann' + string(n) + '@example.com'"]
        counter: {from: 2, to: 40}
        except: [ann2]
    set: {user.login: claimed.login}
    because: "size(directory('employeeNumber', '7')) == 1 ? 'known' : 'new'"
  - id: twin
    when: "'twin' in context.conflicts"
    claim:
      login: {candidates: ["'twin@example.com'"]}
    set: {user.login: claimed.login}
  - id: only-linked
    only: link
    set: {user.title: {value: x}}
  - id: never-board
    when: 1 / size(context.matches) == 1
    veto: [action.link, user.title]
  - id: publishes
    debug: "{'n': 1}"
  - id: unclear
    when: "'hold' in context.conflicts"
    hold: "'ask about ' + user.lastName"
  - id: steps
    when: "'steps' in context.conflicts"
    first:
      - id: one
        when: taken('login', 'ann@example.com')
        set: {user.city: {value: y}}
"""
ANN = {"login": "ann@example.com", "department": "x"}


def test_a_claim_tells_what_it_tried_and_why_it_was_refused(in_a_row: ExplainedInARow, payload: Payload) -> None:
    """The second row finds the first one's login held, a reserved one, a known user's; a long search is cut."""
    bodies = [payload(user=ANN, appuser={"externalId": str(number)}) for number in range(12)]
    users = [{"id": "00u1", "login": "ann3@example.com", "employeeNumber": "7"}]
    said = in_a_row(LOGINS, *bodies, users=users)
    first, second, last = (lines[lines.index("  p/free claims:") + 1 :] for lines in (said[0], said[1], said[-1]))
    assert first[0] == "    login ann@example.com: granted"
    assert second[:4] == [
        "    login ann@example.com: held: the ledger has it for somebody else",
        "    login ann2@example.com: reserved: the policy never gives it out",
        "    login ann3@example.com: known: somebody else has it in the directory",
        "    login ann4@example.com: granted",
    ]
    assert last[10:12] == ["    and 3 more, all refused", "    login ann14@example.com: granted"]
    assert "    because known" in said[0]


def test_everything_a_decision_came_to_is_told(explained: Explained, payload: Payload) -> None:
    """Rules of another ending, ladders, vetoes that fail closed, look-ups, claims in conflict, what is published."""
    said = explained(LOGINS, payload(user={"login": "ann@example.com"}, context={"conflicts": ["twin", "steps"]}))
    assert "  p/only-linked: not applied, it is for rows that end otherwise" in said
    assert "  p/never-board: failed, division-by-zero at policy.yaml:20:15" in said
    assert "  p/never-board: applies because it could not be judged (division-by-zero)" in said
    assert "  p/steps/one: not fired, false at policy.yaml:31:15" in said
    assert "  taken('login', 'ann@example.com'): free" in said
    assert "  vetoed: action.link, user.title" in said
    assert "  claim.login: nothing is claimed, these rules want it: p/free, p/twin" in said
    assert "  debug: {'p/publishes': {'n': 1}}" in said
    assert "  remembered: login ann@example.com" in said


def test_a_ladder_s_own_condition_has_its_place(explained: Explained, payload: Payload) -> None:
    """The gate is told under the ladder's name."""
    said = explained(LOGINS, payload(user=ANN))
    place = said.index("  p/steps: not fired, false at policy.yaml:28:12")
    assert said[place + 1] == "    'steps' in context.conflicts is false: context.conflicts = []"


def test_holds_are_told_with_their_texts(explained: Explained, payload: Payload) -> None:
    """The person at the terminal asked; where the text fails the rule's name stands in, and that is told, too."""
    body = payload(user={**ANN, "lastName": "Lee"}, context={"conflicts": ["hold"]})
    said = explained(LOGINS, body)
    assert ": hold, the row would be created (" in said[0]
    assert "  held by p/unclear: ask about Lee" in said
    said = explained(LOGINS, payload(user=ANN, context={"conflicts": ["hold"]}))
    assert "  held by p/unclear: p/unclear" in said
    assert "  p/unclear: its text or its debug failed (no-such-key), its name stands in" in said


def test_claims_that_come_to_nothing_say_so(policy_set: Any, payload: Payload) -> None:
    """A search without a find, and a find that was given back because of it."""
    record = DecisionRecord(
        "id", "", "", {}, "", "", payload(), (), (), (), (), (), Outcome.HOLD, 1.0,
        claims=(
            ClaimTrace("p/a", (Tried({"login": "ann@example.com"}, ""),), None),
            ClaimTrace("p/b", (Tried({"login": "bob@example.com", "alias": "bob"}, "unfit"),), None),
        ),
        remembered=(Remembered("login", "ann@example.com", collision=True),),
    )  # fmt: skip
    policies = policy_set("policy: p\nrules:\n  - id: a\n    set: {user.title: {value: x}}\n")
    assert list(told(record, tuple(Accounts(policies, record, None).all())))[1:] == [
        "  p/a claims:",
        "    login ann@example.com: free, and given back because another claim found none",
        "  p/b claims:",
        "    login bob@example.com, alias bob: unfit: a target's profile schema refuses it",
        "    none is free",
        "  remembered: login ann@example.com, which somebody else holds: a collision",
    ]


def test_shadow_policies_are_told_apart(in_a_row: ExplainedInARow, payload: Payload) -> None:
    """What they would have done stands under a line of its own, and is never called a command."""
    shadow = LOGINS.replace("policy: p", "policy: s\nmode: shadow").replace("ann' + string", "sue' + string")
    (said,) = in_a_row({"a.yaml": LOGINS, "s.yaml": shadow}, payload(user=ANN))
    place = said.index("shadow, not answered: default, the row is created")
    assert "  s/free: fired (s.yaml:4:5)" in said[place:]
    assert not any("s/free" in line for line in said[:place])
    (said,) = in_a_row({"a.yaml": LOGINS, "s.yaml": shadow}, payload(user={**ANN, "login": "no address"}))
    assert "  would send com.okta.user.profile.update: {'login': 'sue2@example.com'}" in said


# The same as data, and from the record alone.


@pytest.fixture
def accounted(policy_set: Callable[[str], PolicySet], evaluated: Callable[..., Any]) -> Callable[..., Any]:
    """Return what evaluates a request and gives the record with an account of its rules."""

    def account(text: str, body: object) -> Any:
        policies = policy_set(text)
        return policies, *evaluated(policies, body)

    return account


@pytest.fixture
def evaluated(schemas: Schemas) -> Callable[..., Any]:
    """Return what gives the record of a request and the account of its rules."""

    def evaluate(policies: PolicySet, body: object, **bounds: Limits) -> Any:
        evaluation = Evaluation(
            policies,
            schemas,
            lambda *_: None,
            stores=Stores(MemoryLedger(), MemoryDirectory(), DEFAULT_NAMESPACES),
            hold=HoldSettings(),
            **bounds,
        )
        ((record, rules),) = evaluation.accounts(evaluation.evaluate(json.dumps(body).encode()))
        return record, rules

    return evaluate


def test_the_account_as_data_says_the_same(accounted: Callable[..., Any], payload: Payload) -> None:
    """Rules with standing, place, reasons and values; JSON can hold all of it."""
    _, record, rules = accounted(POLICY, payload(user={"login": "ann@example.com"}, context={"conflicts": ["fail"]}))
    data = json.loads(json.dumps(as_data(record, rules), allow_nan=False))
    standings = {rule["rule"]: rule["standing"] for rule in data["rules"]}
    assert standings == {
        "p/fires": "fired",
        "p/never": "false",
        "p/fails": "error",
        "p/no-reason": "fired",
        "p/other-city": "fired",
    }
    never, fails = data["rules"][1:3]
    assert (never["line"], never["column"], never["code"]) == (9, 12, "")
    (reason,) = never["reasons"]
    assert (reason["text"], reason["value"], reason["line"]) == ("'never' in context.conflicts", False, 9)
    assert reason["values"] == [{"text": "context.conflicts", "value": ["fail"], "note": ""}]
    assert fails["code"] == fails["reasons"][0]["code"] == "division-by-zero"
    assert data["rules"][0]["because"] == "the login ann@example.com is taken"
    assert [command["value"] for command in data["commands"]] == [{"login": "new-ann@example.com"}]
    assert data["remembered"] == [{"namespace": "login", "value": "new-ann@example.com", "collision": False}]


ODD = """\
policy: p
rules:
  - {id: time, when: now < timestamp('2020-01-01T00:00:00Z'), set: {user.title: {value: x}}}
  - {id: bytes, when: "b'\\xff' == bytes(get(user, 'city', ''))", set: {user.title: {value: x}}}
  - {id: number, when: "double('NaN') == double(get(user, 'city', 'NaN'))", set: {user.title: {value: x}}}
"""


def test_values_that_json_lacks_stand_as_text(accounted: Callable[..., Any], payload: Payload) -> None:
    """Moments, bytes and what is not a number; in the lines as in the data."""
    _, record, rules = accounted(ODD, payload())
    data = json.loads(json.dumps(as_data(record, rules), allow_nan=False))
    assert [rule["standing"] for rule in data["rules"]] == ["false"] * 3
    assert all(list(told(record, rules)))
    assert data["rules"][0]["reasons"][0]["values"][0]["text"] == "now"


def test_from_the_record_alone_it_is_told_what_was_read(accounted: Callable[..., Any], payload: Payload) -> None:
    """The part at the recorded place, and what the record holds of its attributes; no value is computed again."""
    policies, record, _ = accounted(POLICY, payload(user={"login": "ann@example.com"}))
    rules = {account.rule: account for account in Accounts(policies, record, None).all()}
    (placed,) = rules["p/never"].reasons
    assert placed.reason.text == "'never' in context.conflicts"
    assert [(sight.text, sight.value) for sight in placed.reason.sights] == [("context.conflicts", [])]
    assert rules["p/fires"].because == ""
    assert {rule: account.standing for rule, account in rules.items()} == {
        "p/fires": Standing.FIRED,
        "p/never": Standing.FALSE,
        "p/fails": Standing.FALSE,
        "p/no-reason": Standing.FIRED,
        "p/other-city": Standing.FIRED,
    }


def test_a_request_that_is_not_on_record_is_said_so_and_nothing_is_called_absent(
    accounted: Callable[..., Any], payload: Payload
) -> None:
    """A long body is decided and not recorded; of its application the record tells all the same."""
    policy = POLICY.replace("'never' in context.conflicts", "context.application.name == user.nickName")
    policies, record, _ = accounted(policy, payload(user={"nickName": "Ann"}))
    without = replace(record, input=None)
    rules = tuple(Accounts(policies, without, None).all())
    lines = list(told(without, rules))
    assert lines[1] == "  the request is not on record"
    assert not any("absent" in line for line in lines)
    (reason,) = rules[1].reasons
    assert [sight.text for sight in reason.reason.sights] == ["context.application.name"]
    data = as_data(without, rules)
    assert data["request_on_record"] is False
    assert as_data(record, rules)["request_on_record"] is True


def test_what_the_log_hides_is_not_called_absent(accounted: Callable[..., Any], payload: Payload) -> None:
    """Names within a value are hashes on record; an attribute of the profile that is not there is absent for sure."""
    policy = """\
policy: p
rules:
  - id: a
    when: "get(get(appuser, 'manager', {}), 'name', '') == 'b' || get(appuser, 'department', '') == 'c'"
    set: {user.title: {value: x}}
"""
    policies, record, _ = accounted(policy, payload())
    profile = {f"h:{'0' * 32}": f"h:{'1' * 32}", "manager": {f"h:{'2' * 32}": f"h:{'3' * 32}"}}
    body = {**record.input, "data": {**record.input["data"], "appUser": {"profile": profile}}}
    (rule,) = Accounts(policies, replace(record, input=body), None).all()
    (placed,) = rule.reasons
    sights = [(sight.text, sight.value, sight.note) for sight in placed.reason.sights]
    assert sights == [("appuser.department", None, "absent")]


FAILING = """\
policy: p
variables:
  link: user.honorificPrefix
rules:
  - id: sets
    set: {user.title: "'a' + user.nickName"}
  - id: links
    action: {link: variables.link}
  - id: divides
    when: size(context.conflicts) / size(context.matches) == 1
    set: {user.city: {value: x}}
"""


@pytest.mark.parametrize("source", ["request", "record"])
def test_what_failed_is_told_wherever_in_a_rule_it_stands(
    accounted: Callable[..., Any], payload: Payload, source: str
) -> None:
    """In a condition, a value, a link or a claim; with the request at hand as from the record alone."""
    policies, record, rules = accounted(FAILING, payload(user={"login": "x"}, context={"conflicts": ["login"]}))
    if source == "record":
        rules = tuple(Accounts(policies, record, None).all())
    told_of = {account.rule: [placed.reason.text for placed in account.reasons] for account in rules}
    assert told_of["p/sets"] == ["user.nickName"]
    assert told_of["p/links"][-1] == "user.honorificPrefix"
    assert told_of["p/divides"] == ["size(context.conflicts) / size(context.matches)"]
    places = {account.rule: (account.place.line, account.place.column) for account in rules}
    assert places["p/links"] == (3, 14)


@pytest.mark.parametrize("source", ["request", "record"])
@pytest.mark.parametrize(
    ("candidates", "expected"),
    [
        (["user.middleName + string(n)"], ["user.middleName"]),
        (["'x' + string(n)", "size(context.conflicts)"], ["size(context.conflicts)"]),
        (["string(n / size(context.matches))"], ["n / size(context.matches)"]),
    ],
)
def test_what_failed_in_a_claim_is_told(
    accounted: Callable[..., Any], payload: Payload, source: str, candidates: list[str], expected: list[str]
) -> None:
    """A candidate that fails, and one that is no text, at their places."""
    policy = f"""\
policy: p
rules:
  - id: claims
    claim: {{login: {{candidates: {json.dumps(candidates)}, counter: {{from: 2, to: 3}}}}}}
    set: {{user.login: claimed.login}}
"""
    policies, record, rules = accounted(policy, payload())
    if source == "record":
        rules = tuple(Accounts(policies, record, None).all())
    (account,) = rules
    assert account.standing is Standing.ERROR
    assert [placed.reason.text for placed in account.reasons] == expected
    (placed,) = account.reasons
    assert (placed.line, placed.column) == (account.place.line, account.place.column)


def test_from_the_record_alone_a_match_is_told_as_a_whole(accounted: Callable[..., Any], payload: Payload) -> None:
    """No trace says which part of it was false; the attributes it reads are on record."""
    policy = POLICY.replace(
        "\"!('closed' in context.conflicts)\"",
        "\"size(context.matches) == 0 && !('closed' in context.conflicts) // why\"",
    )
    policies, record, _ = accounted(policy, payload(context={"conflicts": ["closed"]}))
    (unmatched,) = Accounts(policies, record, None).all()
    assert unmatched.standing is Standing.UNMATCHED
    (placed,) = unmatched.reasons
    assert placed.reason.text == "size(context.matches) == 0 && !('closed' in context.conflicts)"
    assert [(sight.text, sight.value) for sight in placed.reason.sights] == [
        ("context.matches", []),
        ("context.conflicts", ["closed"]),
    ]
    assert (unmatched.place.line, unmatched.place.column) == (placed.line, placed.column) == (2, 9)


def test_a_long_expression_is_told_like_any_other(
    tmp_path: Path, schemas: Schemas, payload: Payload, evaluated: Callable[..., Any]
) -> None:
    """Its parts are read with the bounds it was compiled with, which settings may have raised."""
    limits = replace(DEFAULT_LIMITS, length_chars=DEFAULT_LIMITS.length_chars * 3)
    long = "user.city == '" + "x" * DEFAULT_LIMITS.length_chars + "'"
    text = POLICY.replace("'never' in context.conflicts", f"has(user.city) && {long}")
    (tmp_path / "p.yaml").write_text(text, encoding="utf-8")
    loaded = load_policies(tmp_path, shape=schemas.policy, profiles=schemas.profiles, limits=limits)
    assert loaded.policy_set is not None, loaded.problems
    record, _ = evaluated(loaded.policy_set, payload(user={"city": "Ulm"}), limits=limits)
    rules = {account.rule: account for account in Accounts(loaded.policy_set, record, None).all()}
    (placed,) = rules["p/never"].reasons
    assert [(sight.text, sight.value) for sight in placed.reason.sights] == [("user.city", "Ulm")]
    # With bounds that are lower by now there are no values, and no end with an error either.
    now = replace(DEFAULT_LIMITS, length_chars=10)
    policy = loaded.policy_set.policies[0]
    lowered = replace(policy, items=tuple(map(partial(_with_limits, limits=now), policy.rules)))
    rules = {
        account.rule: account
        for account in Accounts(replace(loaded.policy_set, policies=(lowered,)), record, None).all()
    }
    assert rules["p/never"].reasons == ()


def _with_limits(rule: Rule, limits: Limits) -> Rule:
    if rule.when is None:
        return rule
    expression = rule.when.expression
    basis = replace(expression.basis, limits=limits)
    return replace(rule, when=replace(rule.when, expression=replace(expression, basis=basis)))


def test_changed_policies_add_nothing_to_the_trace(
    accounted: Callable[..., Any], policy_set: Callable[[str], PolicySet], payload: Payload
) -> None:
    """No rule that was not asked then, no file or place of today, no empty brackets."""
    steps = "  - id: steps\n    first:\n      - {id: one, set: {user.title: {value: y}}}\n"
    _, record, _ = accounted(POLICY + steps, payload(user={"login": "ann@example.com"}))
    changed = policy_set(
        "policy: p\nmatch: \"'x' in context.conflicts\"\nrules:\n"
        "  - {id: fires, only: link, set: {user.title: {value: x}}}\n"
        "  - {id: new, set: {user.city: {value: x}}}\n"
    )
    rules = tuple(Accounts(changed, record, None).all())
    assert [account.rule for account in rules] == [entry.rule for entry in record.trace]
    assert {account.place.file for account in rules} == {""}
    lines = list(told(record, rules))
    assert "  p/fires: fired" in lines
    assert "  p/never: not fired, false at 9:12" in lines
    assert not any("()" in line or ".yaml" in line or "match" in line for line in lines)
    assert Accounts(changed, record, None).of("p/new").standing is Standing.UNREACHED
    assert Accounts(changed, record, None).of("p/fires").place.file == ""


def test_policies_that_have_changed_since_give_places_and_no_reasons(
    accounted: Callable[..., Any], policy_set: Callable[[str], PolicySet], payload: Payload
) -> None:
    """Their text at the recorded place may be another; a rule that is gone is told by its name."""
    _, record, _ = accounted(POLICY, payload(user={"login": "ann@example.com"}))
    changed = policy_set(POLICY.replace("'never'", "'ever'").replace("other-city", "third-city"))
    rules = {account.rule: account for account in Accounts(changed, record, None).all()}
    assert rules["p/never"].reasons == ()
    assert (rules["p/never"].place.line, rules["p/never"].place.column) == (9, 12)
    assert rules["p/other-city"].standing is Standing.FIRED
    assert rules["p/other-city"].place.file == ""


def test_every_standing_has_words(explained: Explained, payload: Payload) -> None:
    """No rule is passed over in silence, but one that a ladder did not reach."""
    policy = """\
policy: p
rules:
  - {id: fired, set: {user.title: {value: x}}}
  - {id: "false", when: "false", set: {user.title: {value: x}}}
  - {id: error, when: 1 / 0 == 1, set: {user.title: {value: x}}}
  - {id: unfit, only: link, set: {user.title: {value: x}}}
  - id: exhausted
    claim: {login: {candidates: [user.email], exhausted: skip}}
    set: {user.login: claimed.login}
  - id: ladder
    first:
      - {id: first, set: {user.title: {value: x}}}
"""
    lines = explained(policy, payload(user={"login": "ann@example.com", "email": ""}))
    starts = [line.partition(" (")[0] for line in lines if line.startswith("  p/")]
    assert starts == [
        "  p/fired: fired",
        "  p/false: not fired, false at policy.yaml:4:26",
        "  p/error: failed, division-by-zero at policy.yaml:5:27",
        "  p/unfit: not applied, it is for rows that end otherwise",
        "  p/exhausted: not fired, no candidate of its claim is free",
        "  p/ladder/first: fired",
        "  p/exhausted claims:",
    ]
