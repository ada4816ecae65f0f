"""GET /metrics of a real service after all kinds of calls, as Prometheus sees it."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.integration.payloads import GUIDE_CASE
from tests.integration.usher_process import SECRET, UsherProcess
from tests.promtool import promtool

USHER = Path(sys.executable).parent / "usher"
# Every text a caller can choose holds it.
MARK = "zyzzyva"
POLICY = """
policy: odd
rules:
  - id: fails
    when: user.nickName == ''
    set: {user.title: {value: x}}
  - id: holds
    when: get(user, 'title', '') == 'hold'
    hold: "'wait'"
  - id: one
    when: get(user, 'title', '') == 'two'
    set: {user.locale: {value: de_DE}}
  - id: two
    when: get(user, 'title', '') == 'two'
    set: {user.locale: {value: en_US}}
"""


@pytest.fixture(scope="module")
def exposition(tmp_path_factory: pytest.TempPathFactory) -> Iterator[bytes]:
    """Return the metrics after calls that were decided, held, in conflict, failed, invalid, refused and repeated."""
    folder = tmp_path_factory.mktemp("metrics")
    (folder / "policies").mkdir()
    (folder / "policies" / "odd.yaml").write_text(POLICY, encoding="utf-8")
    settings = {"USHER_POLICIES_FOLDER": "policies", "USHER_POLICIES_GATE": "off"}
    usher = UsherProcess([USHER, "serve"], folder, USHER_SECRET=SECRET, **settings)
    try:
        usher.wait_until_ready()
        for title in ("", "hold", "two", MARK):
            assert usher.post(row(title)).status == 200
        assert usher.post(row(MARK)).status == 200
        for body in ({"eventType": MARK, "data": {MARK: {MARK: 1}}}, {MARK: MARK}):
            assert "error" in usher.post(json.dumps(body).encode()).json
        assert usher.post(f'{{"{MARK}"'.encode()).status == 400
        assert usher.post(b"{}", Authorization=f"Bearer {MARK}").status == 403
        assert usher.post(b"{}", Authorization="").status == 401
        assert usher.post(b"{}", Content_Type=MARK).status == 415
        yield usher.get("/metrics").body
    finally:
        usher.clear_away()


def row(title: str) -> bytes:
    """Return a call in which all that is free to choose is the mark."""
    body = json.loads(GUIDE_CASE.read_bytes())
    body["eventId"] = body["source"] = f"{MARK}-{title}"
    body["data"]["user"]["profile"] |= {"title": title, MARK: MARK, "lastName": MARK}
    body["data"]["appUser"]["profile"] |= {MARK: MARK, "externalId": MARK}
    body["data"]["context"]["application"] = dict.fromkeys(("name", "id", "label", "status"), MARK)
    body["data"]["context"]["conflicts"] = [MARK]
    return json.dumps(body).encode()


def test_promtool_finds_nothing(exposition: bytes, tmp_path: Path) -> None:
    """Names, units, types and help texts follow Prometheus' conventions, those of the process included."""
    code, said = promtool("check", "metrics", folder=tmp_path, stdin=exposition)
    assert (code, said) == (0, "")


def test_promtool_would_find_something(exposition: bytes, tmp_path: Path) -> None:
    """The check is one that can fail."""
    bad = exposition + b"# TYPE usher_odd_milliseconds counter\nusher_odd_milliseconds 1\n"
    code, said = promtool("check", "metrics", folder=tmp_path, stdin=bad)
    assert code != 0
    assert "usher_odd_milliseconds" in said


def test_all_kinds_of_calls_are_counted(exposition: bytes) -> None:
    """What the calls came to stands under the names of rules, targets, outcomes, keywords, reasons and statuses."""
    text = exposition.decode()
    for sample in (
        'usher_requests_total{outcome="hold"} 1.0',
        'usher_requests_total{outcome="invalid"} 2.0',
        'usher_rules_fired_total{rule="odd/one"} 1.0',
        'usher_rule_errors_total{rule="odd/fails"} 4.0',
        'usher_conflicts_total{target="user.locale"} 1.0',
        'usher_holds_total{rule="odd/holds"} 1.0',
        'usher_schema_rejections_total{keyword="required"} 2.0',
        'usher_undecided_total{reason="queue"} 0.0',
        'usher_refusals_total{status="415"} 1.0',
        'usher_authentication_failures_total{reason="wrong"} 1.0',
        "usher_replays_total 1.0",
        "usher_log_losses_total 0.0",
    ):
        assert f"\n{sample}\n" in text, sample
    assert re.search(r"^usher_queue_seconds_count 6\.0$", text, re.MULTILINE)


def test_no_caller_can_make_a_series(exposition: bytes) -> None:
    """APPSEC: a label that a caller chose would fill Prometheus' memory, and tell a person's name to everybody."""
    assert MARK not in exposition.decode().lower()
    values: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(exposition.decode()):
        for sample in family.samples:
            for label, value in sample.labels.items():
                values.setdefault(label, set()).add(value)
    assert values.keys() - {"le"} == {
        *("outcome", "rule", "target", "result", "status", "reason", "keyword", "store", "version", "revision")
    }
    assert values["rule"] == {"odd/fails", "odd/holds", "odd/one", "odd/two"}
    assert values["target"] == {"user.locale"}
    assert values["status"] <= {"400", "401", "403", "415"}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="read from /proc")
def test_the_process_is_told_of(exposition: bytes) -> None:
    """Memory, start and descriptors are those of the service."""
    found = dict(re.findall(r"^(process_\w+) (\S+)$", exposition.decode(), re.MULTILINE))
    assert float(found["process_resident_memory_bytes"]) > 10_000_000
    assert float(found["process_start_time_seconds"]) > 1_700_000_000
    assert 5 < float(found["process_open_fds"]) < float(found["process_max_fds"])
