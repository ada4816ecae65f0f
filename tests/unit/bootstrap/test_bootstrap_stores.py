"""What the settings say of holds and namespaces, as it reaches the line and the loading of policies."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from usher.adapters.decision_log import DecisionLog
from usher.adapters.metrics import Metrics
from usher.adapters.redaction import Redactor
from usher.answer.shadow import Shadow
from usher.bootstrap.evaluation import Evaluated, Evaluation
from usher.bootstrap.in_force import PoliciesInForce
from usher.bootstrap.policies import load_source
from usher.bootstrap.pulse import Pulse
from usher.bootstrap.schemas import Schemas
from usher.bootstrap.service import _line, _redactor, _report_fault
from usher.bootstrap.stores import memory_stores, namespaces_of
from usher.domain.decision import Ending, Outcome
from usher.engine import (
    DEFAULT_NAMESPACES,
    MemoryDirectory,
    MemoryLedger,
    Namespace,
    Owner,
    Patience,
    PolicySet,
    Stores,
)
from usher.settings import HoldSettings, LedgerSettings, LoadedSettings, Settings, SettingsError, load

Load = Callable[[str | Mapping[str, str]], PolicySet]
Payload = Callable[..., dict[str, Any]]

CLAIM = """\
policy: p
rules:
  - id: free
    claim:
      login:
        candidates: ["'ann@example.com'", "'ann' + string(n) + '@example.com'"]
        counter: {from: 2, to: 4}
    set: {user.login: claimed.login}
  - id: held
    when: "'hold' in context.conflicts"
    hold: "'wait for ' + user.firstName"
"""
SHADOW = """\
policy: s
mode: shadow
rules:
  - id: other
    claim:
      login:
        candidates: ["'shadow@example.com'"]
    set: {user.login: claimed.login}
  - id: held
    when: "'shadow' in context.conflicts"
    hold: "'a text'"
  - id: endless
    when: |-
      'endless' in context.conflicts
      && TEN.all(a, TEN.all(b, TEN.all(c, TEN.all(d, TEN.all(e, TEN.all(f, true))))))
    set: {user.title: {value: x}}
"""
SHADOW = SHADOW.replace("TEN", str(list(range(10))))
SETTINGS = """\
[hold]
answer = "quarantine"
quarantine = {userType = "held"}
[ledger.namespaces.alias]
ignoring = [".ext"]
compare = "local"
directory = ["nickName"]
"""


def settings_of(folder: Path, root: Path, text: str = "") -> LoadedSettings:
    """Return settings with the checkout's schemas."""
    (folder / "usher.toml").write_text(text, encoding="utf-8")
    return load(None, environ={}, overrides={"schemas.folder": str(root / "schemas")}, folder=folder)


def test_without_settings_the_namespaces_are_the_engine_s_own() -> None:
    """The default stands in one place for the admin and in one for the engine; they say the same."""
    assert namespaces_of(LedgerSettings()) == DEFAULT_NAMESPACES


def test_the_service_s_line_has_holds_and_namespaces(
    tmp_path: Path, root: Path, schemas: Schemas, policy_set: Load
) -> None:
    """What the file says is what the line answers held rows with, and what its ledger and directory compare."""
    loaded = settings_of(tmp_path, root, SETTINGS)
    policies = policy_set(CLAIM)
    metrics = Metrics(version="0", revision="r")
    log = DecisionLog(tmp_path / "d.jsonl", None, metrics.lost)
    in_force = PoliciesInForce(policies, datetime.now(UTC))
    stores = memory_stores(loaded.settings)
    shadow = Shadow(log, metrics.shadows, stores, _report_fault)
    line = _line(loaded.settings, schemas, in_force, log, Pulse(metrics), stores, shadow)
    assert line.shadow is shadow
    assert (line.options.hold, dict(line.options.quarantine)) == ("quarantine", {"userType": "held"})
    assert line.stores.namespaces["alias"] == Namespace("alias", (".ext",), "local", ("nickName",))
    assert set(line.stores.namespaces) == {"login", "alias"}
    redactor = _redactor(loaded, policies)
    assert isinstance(redactor, Redactor)
    assert {"employeeNumber", "id", "status", "login", "alias"} <= redactor._lookup_names


def test_policies_may_claim_what_the_settings_declare(
    tmp_path: Path, root: Path, write_folder: Callable[[str | Mapping[str, str]], Path]
) -> None:
    """A namespace is known to the loader exactly if the settings have it."""
    folder = write_folder(CLAIM.replace("login:", "alias:", 1).replace("claimed.login", "claimed.alias"))
    without = load_source(settings_of(tmp_path, root), folder).loaded
    assert "unknown-namespace" in {problem.code for problem in without.errors}
    assert load_source(settings_of(tmp_path, root, SETTINGS), folder).loaded.errors == ()


def test_settings_are_held_against_the_profile_schemas(tmp_path: Path, root: Path) -> None:
    """All at once, in file order; a namespace that merely is called like no attribute is fine."""
    text = (
        '[hold.quarantine]\nuserTyp = "x"\nemail = "no-address"\n'
        '[ledger.namespaces.token]\n[ledger.namespaces.b]\ndirectory = ["logn", "email"]\n'
    )
    with pytest.raises(SettingsError) as caught:
        load_source(settings_of(tmp_path, root, text))
    undeclared = "no profile schema declares user."
    assert str(caught.value).splitlines() == [
        f"usher.toml:2:1: unknown-attribute: hold.quarantine.userTyp: {undeclared}userTyp; did you mean userType?",
        "usher.toml:3:1: bad-value: hold.quarantine.email: the profile schema of user.email refuses this text",
        f"usher.toml:6:1: unknown-attribute: ledger.namespaces.b.directory: {undeclared}logn; did you mean login?",
    ]


def test_stores_in_memory_begin_empty() -> None:
    """And two of them share nothing."""
    first, second = memory_stores(Settings()), memory_stores(Settings())
    namespace = first.namespaces["login"]
    with first.ledger.claims(Owner("a", "1"), Patience()) as claims:
        assert claims.take([(namespace, "ann@example.com")], "")
    assert first.ledger.holder(namespace, "ANN@example.com", Patience()) == Owner("a", "1")
    assert second.ledger.holder(namespace, "ann@example.com", Patience()) is None


@pytest.fixture
def evaluated(policy_set: Load, schemas: Schemas) -> Callable[..., list[Evaluated]]:
    """Return what policies answer to requests in a row."""

    def make(files: Any, *bodies: object, users: Any = (), hold: HoldSettings | None = None) -> list[Evaluated]:
        evaluation = Evaluation(
            policy_set(files),
            schemas,
            lambda *_: None,
            stores=Stores(MemoryLedger(), MemoryDirectory(users), DEFAULT_NAMESPACES),
            hold=hold or HoldSettings(),
        )
        return [evaluation.evaluate(json.dumps(body).encode(), with_shadow=True) for body in bodies]

    return make


def commands_of(evaluated: Evaluated) -> Any:
    """Return the commands of an answer."""
    return json.loads(evaluated.reply.body).get("commands")


def test_calls_in_a_row_share_one_ledger(evaluated: Callable[..., list[Evaluated]], payload: Payload) -> None:
    """The second person finds the login of the first taken, the first gets her own again, a known one is not free."""
    first, second = (payload(appuser={"externalId": subject}) for subject in "12")
    users = [{"id": "00u1", "login": "ann2@example.com"}]
    logins = [
        commands_of(answer)[0]["value"]["login"] for answer in evaluated(CLAIM, first, second, first, users=users)
    ]
    assert logins == ["ann@example.com", "ann3@example.com", "ann@example.com"]


def test_a_held_row_is_answered_as_the_settings_say(
    evaluated: Callable[..., list[Evaluated]], payload: Payload
) -> None:
    """An error with the text, or a user who is created apart; nothing that policies set, and nothing claimed."""
    body = payload(user={"firstName": "Ann"}, context={"conflicts": ["hold"]}, action="LINK_USER")
    (error,) = evaluated(CLAIM, body)
    assert json.loads(error.reply.body)["error"]["errorCauses"][0]["errorSummary"] == "wait for Ann"
    (apart,) = evaluated(CLAIM, body, hold=HoldSettings("quarantine", {"userType": "held"}))
    assert commands_of(apart) == [
        {"type": "com.okta.action.update", "value": {"result": "CREATE_USER"}},
        {"type": "com.okta.user.profile.update", "value": {"userType": "held"}},
    ]
    assert apart.record is not None
    assert (apart.record.outcome, [hold.rule for hold in apart.record.holds]) == (Outcome.HOLD, ["p/held"])
    assert apart.record.claims == ()


def test_shadow_policies_leave_no_trace(evaluated: Callable[..., list[Evaluated]], payload: Payload) -> None:
    """They see the ledger as the answer left it, and what they claim is gone: the next row could have it."""
    files = {"a.yaml": CLAIM, "s.yaml": SHADOW}
    first, second = evaluated(files, payload(appuser={"externalId": "1"}), payload(appuser={"externalId": "2"}))
    for answer in (first, second):
        assert answer.shadow is not None
        assert answer.shadow.outcome is Outcome.COMMANDS
        assert [command.value for command in answer.shadow.commands] == [{"login": "shadow@example.com"}]
        assert b"shadow" not in answer.reply.body
        assert answer.record is not None
        assert {trace.rule for trace in answer.record.trace} == {"p/free", "p/held"}
        assert answer.record.ending is Ending.CREATE


def test_a_shadow_that_holds_or_runs_away_costs_its_account_only(
    evaluated: Callable[..., list[Evaluated]], payload: Payload
) -> None:
    """The answer has left: nothing of the shadow changes it."""
    files = {"a.yaml": CLAIM, "s.yaml": SHADOW}
    held, endless = evaluated(
        files, payload(context={"conflicts": ["shadow"]}), payload(context={"conflicts": ["endless"]})
    )
    assert held.shadow is not None
    assert (held.shadow.outcome, held.shadow.commands) == (Outcome.HOLD, ())
    assert endless.shadow is not None
    assert (endless.shadow.outcome, endless.shadow.trace, endless.shadow.commands) == (Outcome.UNDECIDED, (), ())
    assert [answer.reply.outcome for answer in (held, endless)] == [Outcome.COMMANDS, Outcome.COMMANDS]


def test_what_was_not_decided_has_no_shadow(evaluated: Callable[..., list[Evaluated]], payload: Payload) -> None:
    """Neither a request that breaks its schema, nor what is no JSON, nor a set without shadow policies."""
    files = {"a.yaml": CLAIM, "s.yaml": SHADOW}
    (invalid,) = evaluated(files, {**payload(), "eventId": 7})
    assert invalid.record is not None
    assert (invalid.record.outcome, invalid.record.ending, invalid.shadow) == (Outcome.INVALID, None, None)
    (plain,) = evaluated(CLAIM, payload())
    assert plain.shadow is None
    (half,) = evaluated(files, "\udc00")
    assert (half.reply.status, half.record, half.shadow) == (400, None, None)
