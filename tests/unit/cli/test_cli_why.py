"""`usher why`, and the tests `usher test` writes: from what the service has put on record."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from usher.adapters.decision_log import DecisionLog
from usher.adapters.keys import redaction_key
from usher.adapters.redaction import Redactor
from usher.answer.shadow import Shadow
from usher.bootstrap.policies import world_of
from usher.bootstrap.schemas import Schemas
from usher.domain.decision import Hold
from usher.domain.request import ImportRequest
from usher.engine import MemoryDirectory, MemoryLedger, PolicySet, Stores, load_policies
from usher.proof.rehearsal import rehearse
from usher.settings import Settings

Run = Callable[..., Result]
Write = Callable[[str | Mapping[str, str]], Path]
Payload = Callable[..., dict[str, Any]]
Put = Callable[..., str]
NOW = 1_772_442_000_000_000_000

POLICY = """\
policy: p
variables:
  staff: get(appuser, 'employeeType', '') == 'staff'
rules:
  - id: fires
    set: {user.title: {value: x}}
  - id: german
    when: |-
      get(user, 'countryCode', '') != ''
      && get(user, 'countryCode', '') == 'DE'  // only there
    set: {user.locale: {value: de_DE}}
  - id: staff
    when: "!blank(user.lastName) && variables.staff"
    set: {user.userType: {value: staff}}
  - id: fails
    when: user.nickName == 'x'
    set: {user.city: {value: x}}
  - id: board
    when: get(user, 'department', '') == 'Board'
    hold: "'ask ' + get(user, 'lastName', '')"
"""


@pytest.fixture
def put(folder: Path, schemas: Schemas) -> Put:
    """Return what decides a request with the policies in `policies/`, records it there, and returns its id."""

    def decide(body: dict[str, Any]) -> str:
        loaded = load_policies(Path("policies"), shape=schemas.policy, profiles=schemas.profiles)
        policies: PolicySet | None = loaded.policy_set
        assert policies is not None, loaded.problems
        world = world_of(Settings(), schemas)
        stores = Stores(MemoryLedger(), MemoryDirectory(), world.namespaces)
        record = rehearse(policies, body, world, now=NOW, stores=stores).record
        public = policies.profiles
        redactor = Redactor(bytes(32), public_user=public.user.public, public_app_user=public.app_user.public)
        log = DecisionLog(folder / "decisions.jsonl", redactor, lambda: None)
        log.append(record)
        log.close()
        return record.decision_id

    return decide


@pytest.fixture
def policies(folder: Path) -> Path:
    """Return the folder of the policy of this page, which the settings name."""
    (folder / "policies").mkdir()
    (folder / "policies" / "p.yaml").write_text(POLICY, encoding="utf-8", newline="")
    (folder / "usher.toml").write_text('[policies]\nfolder = "policies"\n', encoding="utf-8")
    return folder / "policies"


def told(result: Result, folder: Path) -> list[str]:
    """Return the lines of an account, without what differs from run to run."""
    lines = result.stdout.replace(f"{folder.as_posix()}/", "").splitlines()
    return [line for line in lines if not line.startswith(("decision ", "  time: "))]


def test_the_account_names_the_part_that_was_false_and_what_is_on_record_of_it(
    run: Run, policies: Path, folder: Path, put: Put, payload: Payload
) -> None:
    """Public values as they are, personal ones as hashes, variables by what they read; comments are no part."""
    assert policies.is_dir()
    decision_id = put(payload(user={"countryCode": "FR", "lastName": "Roe"}, appuser={"employeeType": "intern"}))
    lines = told(run("why", decision_id), folder)
    assert lines[:-1] == [
        "  p/fires: fired (policies/p.yaml:5:5)",
        "  p/german: not fired, false at policies/p.yaml:10:10",
        "    get(user, 'countryCode', '') == 'DE' is false: user.countryCode = \"FR\"",
        "  p/staff: not fired, false at policies/p.yaml:13:37",
        '    variables.staff is false: appuser.employeeType = "intern"',
        "  p/fails: failed, no-such-key at policies/p.yaml:16:16",
        "    user.nickName failed, no-such-key: user.nickName is absent",
        "  p/board: not fired, false at policies/p.yaml:19:11",
        "    get(user, 'department', '') == 'Board' is false: user.department is absent",
    ]
    assert re.fullmatch(r"  com\.okta\.user\.profile\.update: \{'title': 'h:[0-9a-f]{32}'\}", lines[-1])
    assert "Roe" not in "".join(lines)


def test_the_stages_of_the_decision_are_told(run: Run, policies: Path, put: Put, payload: Payload) -> None:
    """What took the time, in milliseconds."""
    assert policies.is_dir()
    (line,) = [line for line in run("why", put(payload())).stdout.splitlines() if line.startswith("  time: ")]
    assert [part.split()[0] for part in line.removeprefix("  time: ").split(", ")] == [
        "parse",
        "validate",
        "decide",
        "claim",
        "render",
        "check",
    ]


def test_a_hold_is_told_by_its_rule(run: Run, policies: Path, folder: Path, put: Put, payload: Payload) -> None:
    """Its text was for Okta's console and is not on record."""
    assert policies.is_dir()
    lines = told(run("why", put(payload(user={"department": "Board", "lastName": "Roe"}))), folder)
    assert "  held by p/board" in lines
    assert str(Hold("p/board", "").text) == ""


def test_after_a_change_only_places_are_told(
    run: Run, policies: Path, folder: Path, put: Put, payload: Payload
) -> None:
    """Text that has moved must not be shown as the reason; rules that are gone are told as far as the record goes."""
    decision_id = put(payload(user={"countryCode": "FR"}))
    (policies / "p.yaml").write_text(POLICY.replace("id: german", "id: germany"), encoding="utf-8", newline="")
    result = run("why", decision_id)
    assert "the policies have changed since: places are those of revision" in result.stderr
    assert "  p/german: not fired, false at 10:10" in told(result, folder)
    assert "p/germany" not in result.stdout
    assert "is false" not in result.stdout


def test_policies_with_errors_do_not_keep_the_record_from_being_told(
    run: Run, policies: Path, put: Put, payload: Payload
) -> None:
    """An admin asks why most urgently when something is broken."""
    decision_id = put(payload())
    (policies / "p.yaml").write_text("policy: [", encoding="utf-8")
    assert "p/fires: fired" in run("why", decision_id).stdout


def test_the_account_is_data_too(run: Run, policies: Path, put: Put, payload: Payload) -> None:
    """The same facts under the names of the decision log, with one entry per rule."""
    assert policies.is_dir()
    data = json.loads(run("why", put(payload(user={"countryCode": "FR"})), "--format", "json").stdout)
    by_rule = {rule["rule"]: rule for rule in data["rules"]}
    assert by_rule["p/german"]["standing"] == "false"
    assert by_rule["p/german"]["line"] == 10
    (reason,) = by_rule["p/german"]["reasons"]
    assert reason["text"] == "get(user, 'countryCode', '') == 'DE'"
    assert reason["values"] == [{"text": "user.countryCode", "value": "FR", "note": ""}]
    assert by_rule["p/fails"]["code"] == "no-such-key"
    assert data["outcome"] == "commands"
    assert data["stages"].keys() == {"parse", "validate", "decide", "claim", "render", "check"}


SHADOW = """\
policy: s
mode: shadow
rules:
  - id: titled
    when: get(user, 'countryCode', '') == 'DE'
    set: {user.title: {value: shade}}
  - id: staff
    when: get(appuser, 'employeeType', '') == 'staff'
    set: {user.city: {value: x}}
"""


@pytest.fixture
def put_shadow(policies: Path, folder: Path, schemas: Schemas, payload: Payload) -> Callable[..., str]:
    """Return what decides a request with a shadow policy beside the others, as the service does, and its id."""

    def decide(**parts: Any) -> str:
        (policies / "s.yaml").write_text(SHADOW, encoding="utf-8", newline="")
        loaded = load_policies(Path("policies"), shape=schemas.policy, profiles=schemas.profiles)
        policy_set = loaded.policy_set
        assert policy_set is not None, loaded.problems
        world = world_of(Settings(), schemas)
        stores = Stores(MemoryLedger(), MemoryDirectory(), world.namespaces)
        record = rehearse(policy_set, payload(**parts), world, now=NOW, stores=stores).record
        public = policy_set.profiles
        redactor = Redactor(bytes(32), public_user=public.user.public, public_app_user=public.app_user.public)
        log = DecisionLog(folder / "decisions.jsonl", redactor, lambda: None)
        log.append(record)
        faults: list[Exception] = []
        shadow = Shadow(log, Uncounted(), stores, lambda _, error: faults.append(error))
        look = shadow.after(policy_set, ImportRequest.from_wire(payload(**parts)), record, NOW)
        assert look is not None
        look()
        log.close()
        assert faults == []
        return record.decision_id

    return decide


class Uncounted:
    """Counts nothing."""

    def shadowed(self, record: object, targets: tuple[str, ...]) -> None:
        """Let it go."""


def test_what_the_shadow_policies_would_have_done_is_told_below(
    run: Run, put_shadow: Callable[..., str], folder: Path
) -> None:
    """Of shadow rules alone, with what they would have sent; values come from the input, which stands there once."""
    lines = told(run("why", put_shadow(user={"countryCode": "DE"}, appuser={"employeeType": "intern"})), folder)
    at = lines.index("shadow, not answered: commands, the row is created")
    assert not [line for line in lines[:at] if line.startswith("  s/")]
    below = lines[at + 1 :]
    assert below[:3] == [
        "  s/titled: fired (policies/s.yaml:4:5)",
        "  s/staff: not fired, false at policies/s.yaml:8:11",
        "    get(appuser, 'employeeType', '') == 'staff' is false: appuser.employeeType = \"intern\"",
    ]
    assert re.fullmatch(r"  would send com\.okta\.user\.profile\.update: \{'title': 'h:[0-9a-f]{32}'\}", below[3])
    assert len(below) == 4


def test_a_shadow_is_data_too(run: Run, put_shadow: Callable[..., str], put: Put, payload: Payload) -> None:
    """An account of its own under `shadow`, null where there is none."""
    data = json.loads(run("why", put_shadow(user={"countryCode": "DE"}), "--format", "json").stdout)
    assert data["shadow"]["decision_id"] == data["decision_id"]
    assert [rule["rule"] for rule in data["shadow"]["rules"]] == ["s/titled", "s/staff"]
    assert "s/titled" not in {rule["rule"] for rule in data["rules"]}
    assert data["shadow"]["outcome"] == "commands"
    assert "shadow" not in data["shadow"]
    plain = json.loads(run("why", put(payload()), "--format", "json").stdout)
    assert plain["shadow"] is None


def test_a_test_is_written_from_what_was_answered(run: Run, put_shadow: Callable[..., str], policies: Path) -> None:
    """Not from what the shadow policies would have done."""
    decision_id = put_shadow(user={"countryCode": "DE", "lastName": "Roe"})
    run("test", "--from-decision", decision_id)
    text = (policies / f"decision-{decision_id}_test.yaml").read_text(encoding="utf-8")
    assert "s/titled" not in text
    assert "p/fires" in text or "fires" in text


def test_a_decision_nobody_knows_is_one_clear_line(run: Run, policies: Path, put: Put, payload: Payload) -> None:
    """Misuse, exit code 2: with and without a log."""
    assert policies.is_dir()
    assert "there is no decision log yet" in str(run("why", "0199", expected=2).exception)
    put(payload())
    assert "none of 1 files of the decision log holds the decision 0199" in str(
        run("why", "0199", expected=2).exception
    )


def test_a_test_is_written_from_a_decision_and_runs(run: Run, policies: Path, put: Put, payload: Payload) -> None:
    """Beside the policies, where `usher test` finds it; a second time nothing is replaced."""
    decision_id = put(payload(user={"countryCode": "DE", "lastName": "Roe"}))
    said = run("test", "--from-decision", decision_id).stderr
    path = policies / f"decision-{decision_id}_test.yaml"
    assert f"{path.name}; `usher test` runs it" in said
    assert "1 case, 0 failed" in run("test").stderr
    before = path.read_bytes()
    error = run("test", "--from-decision", decision_id, expected=2).exception
    assert "there is such a file already; name another with --output" in str(error)
    assert path.read_bytes() == before


def test_a_decision_that_no_longer_comes_out_so_is_refused(
    run: Run, policies: Path, put: Put, payload: Payload
) -> None:
    """A finding, exit code 1, and no file."""
    decision_id = put(payload(user={"department": "Board"}))
    (policies / "p.yaml").write_text(POLICY.replace("'Board'", "'Sales'"), encoding="utf-8", newline="")
    assert "only on record: held by p/board, " in run("test", "--from-decision", decision_id, expected=1).stderr
    assert list(policies.glob("*_test.yaml")) == []


SECRET = "planted"
IN_CLEAR = """\
[policies]
folder = "policies"

[decisions]
redaction = false
"""


@pytest.fixture
def put_in_clear(put: Put, folder: Path, schemas: Schemas, policies: Path) -> Put:
    """Return what puts a decision on record twice: redacted by the service's key, and in clear."""
    assert put is not None

    def decide(body: dict[str, Any]) -> str:
        loaded = load_policies(policies, shape=schemas.policy, profiles=schemas.profiles)
        assert loaded.policy_set is not None
        world = world_of(Settings(), schemas)
        stores = Stores(MemoryLedger(), MemoryDirectory(), world.namespaces)
        record = rehearse(loaded.policy_set, body, world, now=NOW, stores=stores).record
        public = loaded.policy_set.profiles
        redactor = Redactor(
            redaction_key(folder / "state"), public_user=public.user.public, public_app_user=public.app_user.public
        )
        for kind, name in ((redactor, "hashed"), (None, "decisions")):
            log = DecisionLog(folder / f"{name}.jsonl", kind, lambda: None)
            log.append(record)
            log.close()
        (folder / "usher.toml").write_text(IN_CLEAR, encoding="utf-8")
        return record.decision_id

    return decide


def planted(body: dict[str, Any]) -> dict[str, Any]:
    """Return a request with a secret in every place a sender can reach."""
    numbers = iter(range(100))

    def secret() -> str:
        return f"{SECRET}{next(numbers)}"

    data = body["data"]
    data["user"]["profile"] |= {
        "lastName": secret(),
        "city": secret(),
        secret(): "x",
        f"{SECRET}@example.com": "x",
        "nickName": [secret(), {secret(): secret()}],
        "userType": {"nested": [secret()], secret(): secret()},
        "timezone": [{"in": secret()}],
    }
    data["appUser"]["profile"] |= {"externalId": secret(), secret(): secret(), "department": {"a": {"b": secret()}}}
    data["context"] |= {
        "conflicts": ["login", secret(), f"{SECRET} {secret()}"],
        "policy": [secret(), "two words " + secret()],
        "job": {"id": secret(), "type": secret(), secret(): secret()},
        "matches": [{"user": {"id": secret(), "profile": {"login": secret()}}}, secret()],
        secret(): secret(),
    }
    data["context"]["application"] |= {secret(): secret()}
    data[secret()] = {secret(): [secret()]}
    return {**body, secret(): secret(), "source": secret(), "eventId": secret()}


def test_nothing_of_a_person_gets_from_a_log_in_clear_into_a_test(
    run: Run, put_in_clear: Put, folder: Path, payload: Payload
) -> None:
    """Neither a value nor a name nobody knows, wherever it stood; and no hash of the log."""
    decision_id = put_in_clear(planted(payload(user={"countryCode": "DE"})))
    assert SECRET in next(folder.glob("decisions.*.jsonl")).read_text(encoding="utf-8")
    text = run("test", "--from-decision", decision_id, "--output", "-").stdout
    assert SECRET not in text.lower()
    assert not re.search(r"h:[0-9a-f]{32}", text)
    assert "countryCode: DE" in text
    assert "conflicts: [login, attribute-1, attribute-2]" in text
    assert "policy: [policy-1, policy-2]" in text


def test_a_log_in_clear_gives_the_pseudonyms_of_a_redacted_one(
    run: Run, put_in_clear: Put, folder: Path, payload: Payload
) -> None:
    """The key of the state folder makes them, so nobody without it can tell whether a test is about a name."""
    decision_id = put_in_clear(payload(user={"lastName": "Roe", "login": "roe@example.com"}))
    clear = run("test", "--from-decision", decision_id, "--output", "-").stdout
    hashed = ("--set", "decisions.file=hashed.jsonl")
    assert run("test", "--from-decision", decision_id, "--output", "-", *hashed).stdout == clear
    (folder / "state" / "redaction.key").unlink()
    assert run("test", "--from-decision", decision_id, "--output", "-").stdout != clear


def test_a_first_test_is_written_beside_its_policy_and_runs(run: Run, policies: Path) -> None:
    """`p.yaml` gets `p_test.yaml`; `-` prints it instead."""
    printed = run("test", "--scaffold", "p", "--output", "-").stdout
    assert list(policies.glob("*_test.yaml")) == []
    run("test", "--scaffold", "p")
    assert (policies / "p_test.yaml").read_bytes().decode() == printed
    assert "1 case, 0 failed" in run("test").stderr


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--scaffold", "q"), "there is no policy q in this folder"),
        (("--scaffold", "p", "--output", "no/such/folder.yaml"), "cannot be written: No such file or directory"),
    ],
)
def test_what_cannot_be_written_is_one_clear_line(
    run: Run, policies: Path, arguments: tuple[str, ...], expected: str
) -> None:
    """Misuse, exit code 2."""
    assert policies.is_dir()
    assert expected in str(run("test", *arguments, expected=2).exception)


def test_one_test_is_written_at_a_time(run: Run, policies: Path) -> None:
    """Two sources for one file would leave it open which one counts."""
    assert policies.is_dir()
    run("test", "--scaffold", "p", "--from-decision", "1", expected=2)


def test_nothing_is_written_for_policies_with_errors(run: Run, policies: Path) -> None:
    """Their problems are said instead."""
    (policies / "p.yaml").write_text("policy: p\n", encoding="utf-8")
    assert "p.yaml:1:1: missing-key" in run("test", "--scaffold", "p", expected=1).stderr
