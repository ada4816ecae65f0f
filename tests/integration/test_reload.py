"""The installed `usher serve` and `usher reload`: which policies answer after a save or a start, and who is told."""

import json
import shutil
import time
import zipfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import StartUsher
from tests.integration.installations import CHECKOUT, Installation, Ran, run
from tests.integration.marked_policies import (
    MARKS_FILE,
    TABLE_FILE,
    Files,
    marked,
    slow_tests,
    write_all,
)
from tests.integration.payloads import like_the_guide
from tests.integration.usher_process import PATIENCE_SECONDS, SECRET, Answer, Caller, UsherProcess

GOOD, BETTER = marked("good"), marked("better")
BROKEN: Files = GOOD | {MARKS_FILE: GOOD[MARKS_FILE].replace("constants.mark}", "'constants.mark +'}")}
FAILING: Files = GOOD | {TABLE_FILE: BETTER[TABLE_FILE]}
BROKEN_TEST: Files = GOOD | {"marks_test.yaml": GOOD["marks_test.yaml"].replace("marks/title", "marks/titel")}
ARCHIVE = Path("state") / "last-good-policies.zip"
TRIAL = """\
policy: trial
description: On trial. Everybody would get the login of department D2, and live elsewhere.
mode: shadow
rules:
  - id: shared
    only: create
    claim:
      login:
        candidates: ["'shared@example.com'", "'shared' + string(n) + '@example.com'"]
        counter: {from: 2, to: 9}
    set: {user.login: claimed.login, user.city: {value: elsewhere}}
"""
LOGINS = """\
policy: logins
description: Department D2 shares a login, as far as it goes.
rules:
  - id: shared
    only: create
    when: get(appuser, 'department', '') == 'D2'
    claim: {login: {candidates: ["'shared@example.com'"]}}
    set: {user.login: claimed.login}
"""
USUAL_STOP_SECONDS = 10
"""Far from the minute that the tests may take."""
BY_HAND = {"USHER_POLICIES_RELOAD": "false"}
QUICK = {"USHER_POLICIES_RESCAN_SECONDS": "0.1", "USHER_POLICIES_SETTLE_SECONDS": "0.05"}
"""Looks are the more frequent, and so are wrong ones."""
Start = Callable[..., UsherProcess]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a policy folder with a good set in it."""
    write_all(tmp_path / "policies", GOOD)
    return tmp_path / "policies"


@pytest.fixture
def start(start_usher: StartUsher, folder: Path) -> Start:
    """Start a service with that folder and wait until it is ready."""

    def ready(**environ: str) -> UsherProcess:
        process = start_usher("serve", USHER_SECRET=SECRET, USHER_POLICIES_FOLDER=str(folder), **environ)
        process.wait_until_ready()
        return process

    return ready


def policies(usher: UsherProcess) -> dict[str, Any]:
    """Return what the service says about its policies."""
    told = usher.get("/status").json["policies"]
    assert isinstance(told, dict)
    return told


def wait_until(usher: UsherProcess, is_so: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """Wait until the service says something about its policies; return all it says then."""
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while not is_so(told := policies(usher)):
        assert time.monotonic() < give_up_at, told
        time.sleep(0.02)
    return told


def is_rejected(told: dict[str, Any]) -> bool:
    """Say whether the newest set is rejected."""
    return told["rejected"] is not None


def mark(usher: UsherProcess) -> str:
    """Return the mark that answers bear right now."""
    answer: dict[str, Any] = usher.post(like_the_guide(0, event_id=f"mark-{time.monotonic_ns()}")).json
    (command,) = answer["commands"]
    assert command["value"]["title"] == command["value"]["city"]
    return str(command["value"]["title"])


def post_reload(usher: UsherProcess, *, secret: str = SECRET, method: str = "POST") -> Answer:
    """Ask the operations listener to look at the policies."""
    with Caller(usher.operations) as caller:
        return caller.ask(method, "/reload", b"", {"Authorization": secret} if secret else {})


def usher_reload(installation: Installation, usher: UsherProcess, *, secret: str = SECRET) -> Ran:
    """Run `usher reload` with the settings of a service."""
    port = str(usher.operations[1])
    return run([installation.usher, "reload"], usher.folder, USHER_SECRET=secret, USHER_SERVER_OPERATIONS_PORT=port)


def test_a_start_with_broken_policies_serves_the_last_good_set(start: Start, folder: Path) -> None:
    """Said loudly, on record in status and readiness as set, over until the folder is mended, however often started."""
    first = start()
    revision = policies(first)["revision"]
    assert policies(first)["source"] == "folder"
    assert first.stop() == 0
    write_all(folder, BROKEN)

    second = start()
    said = second.err.until("ready ")
    assert f"WARNING: the policies in {folder} are rejected: the last good set, {revision}, answers instead" in said
    assert f"error: {folder}/{MARKS_FILE}:6:40: cel-syntax: " in said
    told = policies(second)
    assert (mark(second), told["source"], told["revision"]) == ("good", "last good", revision)
    assert [(problem["code"], problem["line"]) for problem in told["rejected"]["problems"]] == [("cel-syntax", 6)]
    assert second.get("/health/ready").status == 200
    write_all(folder, BETTER)
    told = wait_until(second, lambda told: told["source"] == "folder")
    assert (mark(second), told["rejected"]) == ("better", None)
    assert second.stop() == 0
    shutil.rmtree(folder)

    third = start(USHER_POLICIES_READY_ON_LAST_GOOD="false")
    assert (mark(third), policies(third)["source"]) == ("better", "last good")
    ready = third.get("/health/ready")
    checks = ready.json["checks"]
    assert isinstance(checks, dict)
    assert (ready.status, [name for name, is_fine in checks.items() if not is_fine]) == (503, ["policies"])
    write_all(folder, BETTER)
    assert wait_until(third, lambda told: told["source"] == "folder")["rejected"] is None
    assert third.get("/health/ready").status == 200


def test_without_a_last_good_set_broken_policies_stop_the_start(start_usher: StartUsher, folder: Path) -> None:
    """Every problem with its place, what to do, exit code 1."""
    write_all(folder, BROKEN)
    (folder / "cities.yaml").write_text("policy: cities\nrules: 7\n", encoding="utf-8")
    usher = start_usher("serve", USHER_SECRET=SECRET, USHER_POLICIES_FOLDER=str(folder))
    assert usher.end() == 1
    first, second, hint = usher.err.whole().splitlines()
    assert first == f"{folder}/cities.yaml:2:1: wrong-type: rules: must be a list"
    assert second.startswith(f"{folder}/{MARKS_FILE}:6:40: cel-syntax: ")
    assert hint == "the policies have errors: mend them, `usher check` and `usher test` show them all"


def test_a_damaged_last_good_set_is_told_and_written_anew(start_usher: StartUsher, start: Start, folder: Path) -> None:
    """It stops a start that needs it, with one clear line; a start that does not replaces it."""
    first = start()
    archive = first.folder / ARCHIVE
    assert first.stop() == 0
    whole = archive.read_bytes()
    archive.write_bytes(whole[: len(whole) // 2])
    write_all(folder, BROKEN)
    second = start_usher("serve", USHER_SECRET=SECRET, USHER_POLICIES_FOLDER=str(folder))
    assert second.end() == 1
    (line,) = [line for line in second.err.whole().splitlines() if ARCHIVE.name in line]
    assert line == f"{archive}: the last good policy set is damaged"
    write_all(folder, GOOD)
    assert start().stop() == 0
    assert zipfile.ZipFile(archive).testzip() is None


def test_usher_reload_says_what_came_of_it(start: Start, folder: Path, wheel_installation: Installation) -> None:
    """Unchanged and accepted exit 0, rejected 1; whoever cannot be asked, or refuses, 2. Nothing happens unasked."""
    usher = start(**BY_HAND, **QUICK)
    first = policies(usher)["revision"]
    ran = usher_reload(wheel_installation, usher)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(f"unchanged: revision {first} is in force (")

    write_all(folder, BETTER)
    time.sleep(0.5)  # twice as long as a service that watches takes with these settings
    assert mark(usher) == "good"
    ran = usher_reload(wheel_installation, usher)
    second = policies(usher)["revision"]
    assert (ran.code, ran.err, mark(usher)) == (0, "", "better")
    said, *changes = ran.out.splitlines()
    assert said.startswith(f"accepted: revision {second} is in force (")
    assert changes == ["  changed: policy marks", "  changed: table marks"]

    write_all(folder, BROKEN)
    ran = usher_reload(wheel_installation, usher)
    assert (ran.code, ran.err, mark(usher)) == (1, "", "better")
    said, problem = ran.out.splitlines()
    assert said.startswith(f"rejected: revision {second} is in force (")
    assert problem.startswith(f"{folder}/{MARKS_FILE}:6:40: cel-syntax: ")

    ran = usher_reload(wheel_installation, usher, secret="another secret that is long enough")
    where = f"127.0.0.1:{usher.operations[1]}"
    refused = f"usher: the service on {where} takes another secret than these settings name\n"
    assert (ran.code, ran.out, ran.err) == (2, "", refused)
    assert usher.stop() == 0
    ran = usher_reload(wheel_installation, usher)
    nobody = f"usher: no service answers on {where} (Connection refused); is it running with these settings?\n"
    assert (ran.code, ran.out, ran.err) == (2, "", nobody)


def test_only_who_knows_the_secret_reloads_and_one_at_a_time(
    start: Start, folder: Path, wheel_installation: Installation
) -> None:
    """401 and 403 tell a stranger nothing; 405 for whoever reads; 503 while tests of another look are still running."""
    usher = start(**BY_HAND, USHER_POLICIES_GATE_SECONDS="3")
    assert [post_reload(usher, secret=secret).status for secret in ("", "another secret")] == [401, 403]
    get = post_reload(usher, method="GET")
    assert (get.status, get.headers["allow"]) == (405, "POST")
    write_all(folder, slow_tests(100))
    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(post_reload, usher) for _ in range(2)]
        busy = next(as_completed(asked)).result()
        ran = usher_reload(wheel_installation, usher)
        assert usher.get("/health/ready").status == 200
        assert mark(usher) == "good"
    assert (busy.status, busy.headers["retry-after"]) == (503, "1")
    assert (ran.code, ran.out) == (2, "")
    assert "is looking at its policies already; ask again in a moment" in ran.err
    (rejected,) = [answer for one in asked if (answer := one.result()) is not busy]
    assert (rejected.status, codes(rejected.json)) == (422, ["tests-too-slow"])


@pytest.mark.parametrize(
    ("gate", "passing"),
    [("off", ["failing", "broken test"]), ("check", ["failing"]), ("tests", [])],
)
def test_the_gate_is_as_high_as_set(start: Start, folder: Path, gate: str, passing: list[str]) -> None:
    """`off` asks for policies that load, `check` for tests that could run, `tests` for tests that pass."""
    usher = start(**BY_HAND, USHER_POLICIES_GATE=gate)
    found = {}
    for what, files in {"failing": FAILING, "broken test": BROKEN_TEST, "broken": BROKEN}.items():
        write_all(folder, files)
        found[what] = post_reload(usher)
    assert [what for what, answer in found.items() if answer.json["result"] == "accepted"] == passing
    assert all(answer.status == (200 if what in passing else 422) for what, answer in found.items())
    told = {"failing": ["policy-test"], "broken test": ["unknown-rule"], "broken": ["cel-syntax"]}
    for what in found.keys() - passing:
        assert codes(found[what].json) == told[what]


def test_polling_finds_what_nobody_tells(start: Start, folder: Path) -> None:
    """Without a single event a save is in force after the interval."""
    usher = start(USHER_POLICIES_WATCH="polling", **QUICK)
    first = policies(usher)["revision"]
    write_all(folder, BETTER)
    wait_until(usher, lambda told: told["revision"] != first)


def test_a_rejected_set_is_over_when_the_change_is_taken_back(start: Start, folder: Path) -> None:
    """Status, metric and log tell of it as long as it lasts; `unready_seconds` later the service is not ready."""
    usher = start(USHER_POLICIES_UNREADY_SECONDS="1", **QUICK)
    first = policies(usher)["revision"]
    began = time.monotonic()
    write_all(folder, BROKEN)
    told = wait_until(usher, is_rejected)
    assert (told["revision"], told["source"]) == (first, "folder")
    assert told["rejected"]["revision"] != first
    assert "usher_policy_rejected 1.0" in usher.get("/metrics").body.decode()
    while usher.get("/health/ready").status == 200:
        assert time.monotonic() - began < PATIENCE_SECONDS
        time.sleep(0.02)
    assert time.monotonic() - began > 1
    assert mark(usher) == "good"
    write_all(folder, GOOD)
    assert wait_until(usher, lambda told: not is_rejected(told))["revision"] == first
    assert usher.get("/health/ready").status == 200
    metrics = usher.get("/metrics").body.decode()
    assert "usher_policy_rejected 0.0" in metrics
    assert 'usher_policy_reloads_total{result="accepted"} 0.0' in metrics
    assert 'usher_policy_reloads_total{result="rejected"} 1.0' in metrics
    assert usher.stop() == 0
    said = usher.err.whole()
    assert (said.count("policies_rejected"), said.count("policies_restored")) == (1, 1)


def test_an_attribute_made_personal_is_hashed_from_then_on(start: Start, tmp_path: Path) -> None:
    """The decision log follows the profile schemas in force: the title stands there in plain, and then no more."""
    schemas = tmp_path / "schemas"
    shutil.copytree(CHECKOUT / "schemas", schemas)
    say_sensitivity(schemas, "title", {"x-sensitivity": "none"})
    usher = start(USHER_SCHEMAS_FOLDER=str(schemas), **QUICK)
    first = policies(usher)["revision"]
    assert mark(usher) == "good"
    say_sensitivity(schemas, "title", {})
    wait_until(usher, lambda told: told["revision"] != first)
    assert mark(usher) == "good"
    before, after = (title_on_record(line) for line in on_record(usher))
    assert before == "good"
    assert str(after).startswith("h:")
    assert "changed='profile schema okta-user' " in usher.err.until("policies_reloaded")


def test_a_shadow_policy_is_put_on_record_and_never_answered(start: Start, folder: Path) -> None:
    """It claims nothing that counts, its line has the answer's id, and metrics tell what it would have changed."""
    write_all(folder, {"trial.yaml": TRIAL, "logins.yaml": LOGINS})
    usher = start(USHER_DECISIONS_REDACTION="false")
    answers = []
    for number, department in enumerate(("A", "D2", "A"), start=1):
        answers.append(usher.post(row(number, department)))
        lines = shadow_lines(usher, number)
    assert [answer.login for answer in answers] == [None, "shared@example.com", None]
    assert [line["decision_id"] for line in lines] == [answer.decision_id for answer in answers]
    wanted = [line["claims"][0]["granted"]["login"] for line in lines]
    assert wanted == ["shared@example.com", "shared@example.com", "shared2@example.com"]
    assert [line["commands"][0]["value"]["city"] for line in lines] == ["elsewhere"] * 3
    assert [(line["outcome"], line.get("input"), line["event_id"]) for line in lines] == [
        ("commands", None, f"row-{number}") for number in range(1, 4)
    ]
    assert mark(usher) == "good"
    shadow_lines(usher, 4)
    metrics = usher.get("/metrics").body.decode()
    assert 'usher_shadow_requests_total{outcome="commands"} 4.0' in metrics
    assert 'usher_shadow_changes_total{target="user.city"} 4.0' in metrics
    # The second row has what the policy on trial would have given it.
    assert 'usher_shadow_changes_total{target="user.login"} 3.0' in metrics
    assert 'usher_claims_total{result="granted"} 1.0' in metrics


def test_a_shadow_is_looked_at_although_the_client_has_gone(start: Start, folder: Path) -> None:
    """Whoever hangs up before the answer has been decided about all the same, by both."""
    write_all(folder, {"trial.yaml": TRIAL})
    usher = start()
    with Caller(usher.hook) as caller:
        caller.begin(row(1, "A") + b" ", held_back=1)
        caller.connection.sock.sendall(b" ")
    (line,) = shadow_lines(usher, 1)
    assert line["event_id"] == "row-1"


@pytest.mark.parametrize("by_hand", [{}, BY_HAND], ids=["by the watcher", "by hand"])
def test_a_stop_does_not_wait_for_tests_that_run(start: Start, folder: Path, by_hand: Mapping[str, str]) -> None:
    """SIGTERM while the gate's tests run: calls are answered to the end, then it exits as always."""
    usher = start(**by_hand, USHER_POLICIES_GATE_SECONDS="60", USHER_SERVER_DRAIN_SECONDS="0.5")
    write_all(folder, slow_tests(1000))
    if not by_hand:
        time.sleep(1)  # until the watcher is at it; one who asks has to wait for it, two are too many
    with ThreadPoolExecutor(2) as pool:
        asking = [pool.submit(post_reload, usher) for _ in range(2)]
        assert next(as_completed(asking)).result().status == 503
        assert mark(usher) == "good"
        began = time.monotonic()
        assert usher.stop() == 0
        assert time.monotonic() - began < USUAL_STOP_SECONDS
    assert usher.err.whole().splitlines()[-1] == "stopped"


def codes(told: Mapping[str, Any]) -> list[str]:
    """Return the codes of all problems in an answer of the operations listener."""
    return [problem["code"] for problem in told["problems"]]


def say_sensitivity(schemas: Path, attribute: str, said: Mapping[str, str]) -> None:
    """Have the Okta profile's schema say how sensitive an attribute is, or nothing about it."""
    file = schemas / "profiles" / "okta-user.schema.json"
    schema = json.loads(file.read_text(encoding="utf-8"))
    schema["properties"][attribute].pop("x-sensitivity", None)
    schema["properties"][attribute].update(said)
    file.write_text(json.dumps(schema), encoding="utf-8")


def on_record(usher: UsherProcess) -> list[dict[str, Any]]:
    """Return every line of the decision log."""
    return [json.loads(line) for line in usher.decision_log_text().splitlines()]


def title_on_record(line: Mapping[str, Any]) -> object:
    """Return the title that a line of the decision log says was set."""
    (command,) = line["commands"]
    return command["value"]["title"]


def row(number: int, department: str) -> bytes:
    """Return a row of its own that is about to be created in a department."""
    request = json.loads(like_the_guide(number, event_id=f"row-{number}", conflicts=()))
    request["data"]["appUser"]["profile"]["department"] = department
    return json.dumps(request).encode()


def shadow_lines(usher: UsherProcess, count: int) -> list[dict[str, Any]]:
    """Wait until so many shadow decisions are on record; return them."""
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while len(lines := [line for line in on_record(usher) if line["shadow"]]) < count:
        assert time.monotonic() < give_up_at
        time.sleep(0.02)
    assert len(lines) == count
    return lines
