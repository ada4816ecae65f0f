"""What the service counts, and that the documentation lists it."""

import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from usher.adapters.metrics import Metrics
from usher.answer.record import DecisionRecord
from usher.domain.decision import ClaimTrace, Outcome

PAGE = Path(__file__).parents[3] / "docs" / "operations.md"


def counted(metrics: Metrics) -> dict[str, float]:
    """Return every sample as `name{label=value}`."""
    body, content_type = metrics.exposition()
    assert content_type == "text/plain; version=0.0.4; charset=utf-8"
    return {
        sample.name + "".join(f"{{{label}={value}}}" for label, value in sample.labels.items()): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


def test_a_decision_counts_its_parts(record: DecisionRecord) -> None:
    """Outcome, time, rules that fired, errors and conflicts are counted; rules that did not fire are not."""
    metrics = Metrics(version="1.2.3", revision="3f2a")
    metrics.decided(record)
    nothing = replace(record, trace=(), errors=(), conflicts=(), holds=(), claims=(), remembered=())
    metrics.decided(replace(nothing, milliseconds=2600.0, outcome=Outcome.UNDECIDED))
    found = counted(metrics)
    assert found["usher_requests_total{outcome=commands}"] == 1
    assert found["usher_requests_total{outcome=undecided}"] == 1
    assert found["usher_rules_fired_total{rule=logins/infix}"] == 1
    assert found["usher_rule_errors_total{rule=locale/german}"] == 1
    assert found["usher_rule_errors_total{rule=clean/phone}"] == 1
    assert found["usher_conflicts_total{target=user.locale}"] == 1
    assert found["usher_holds_total{rule=links/ambiguous}"] == 1
    assert found["usher_restrictions_failed_closed_total{rule=links/board}"] == 1
    assert "usher_restrictions_failed_closed_total{rule=locale/german}" not in found
    assert found["usher_collisions_total"] == 1
    assert "usher_rules_fired_total{rule=logins/number}" not in found
    assert found["usher_decision_seconds_count"] == 2
    assert found["usher_decision_seconds_bucket{le=0.002}"] == 1
    assert found["usher_decision_seconds_bucket{le=2.5}"] == 1
    assert found["usher_decision_seconds_bucket{le=3.0}"] == 2
    assert round(found["usher_decision_seconds_sum"], 6) == 2.601234


def test_a_claim_that_was_rolled_back_is_neither(record: DecisionRecord) -> None:
    """One was granted, one found none free, one was given back because of that; both results start at zero."""
    metrics = Metrics(version="1.2.3", revision="3f2a")
    zero = counted(metrics)
    metrics.decided(record)
    metrics.decided(replace(record, claims=(ClaimTrace("a/b", (), None),), remembered=()))
    found = counted(metrics)
    results = [f"usher_claims_total{{result={result}}}" for result in ("granted", "exhausted")]
    assert [zero[result] for result in results] == [0, 0]
    assert [found[result] for result in results] == [1, 2]
    assert found["usher_collisions_total"] == 1


def test_refusals_replays_and_losses_are_counted() -> None:
    """Each has its own counter; what was never counted reads zero where an alert needs it."""
    metrics = Metrics(version="1.2.3", revision="3f2a")
    for status in (401, 413, 401):
        metrics.refused(status)
    metrics.replayed("0199a1b2c3d4e5f60718293a4b")
    found = counted(metrics)
    assert found["usher_refusals_total{status=401}"] == 2
    assert found["usher_refusals_total{status=413}"] == 1
    assert found["usher_replays_total"] == 1
    assert found["usher_decision_log_losses_total"] == 0
    assert {found[f"usher_requests_total{{outcome={outcome}}}"] for outcome in Outcome} == {0.0}
    metrics.lost()
    metrics.log_lost()
    metrics.log_lost()
    found = counted(metrics)
    assert (found["usher_decision_log_losses_total"], found["usher_log_losses_total"]) == (1, 2)
    assert "0199a1b2c3d4e5f60718293a4b" not in str(found)


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        ("deadline", "deadline"),
        ("queue", "queue"),
        ("too-many-steps", "budget"),
        ("too-large", "budget"),
        ("internal-fault", "fault"),
        ("", "fault"),
    ],
)
def test_an_undecided_call_is_counted_with_its_reason(record: DecisionRecord, cause: str, reason: str) -> None:
    """All four reasons are there from the start; what was decided counts for none."""
    metrics = Metrics(version="1.2.3", revision="3f2a")
    metrics.decided(record)
    metrics.decided(replace(record, outcome=Outcome.UNDECIDED, cause=cause))
    found = {name: value for name, value in counted(metrics).items() if name.startswith("usher_undecided_total")}
    reasons = ("deadline", "queue", "budget", "fault")
    assert found == {f"usher_undecided_total{{reason={known}}}": float(known == reason) for known in reasons}


def test_a_broken_schema_is_counted_by_keyword_and_never_by_path(record: DecisionRecord) -> None:
    """APPSEC: the path is the sender's; a keyword counts once a call, and one that nobody knows is `other`."""
    metrics = Metrics(version="1.2.3", revision="3f2a")
    faults = ("$.data: required", "$.data['a: sally: type']: type", "$.user: type", "$: sally.admin", "sally")
    metrics.decided(replace(record, outcome=Outcome.INVALID, faults=faults))
    metrics.decided(replace(record, outcome=Outcome.INVALID, faults=("$: type",)))
    found = {name: value for name, value in counted(metrics).items() if "schema_rejections" in name}
    assert found == {
        "usher_schema_rejections_total{keyword=required}": 1,
        "usher_schema_rejections_total{keyword=type}": 2,
        "usher_schema_rejections_total{keyword=other}": 1,
    }


def test_the_wait_for_a_worker_is_counted(record: DecisionRecord) -> None:
    """In seconds, apart from the time of the decision that it is part of."""
    metrics = Metrics(version="1.2.3", revision="3f2a")
    metrics.decided(replace(record, waited_seconds=0.7))
    found = counted(metrics)
    assert found["usher_queue_seconds_bucket{le=0.5}"] == 0
    assert found["usher_queue_seconds_bucket{le=1.0}"] == 1
    assert found["usher_queue_seconds_sum"] == 0.7


def test_version_and_revision_can_be_read() -> None:
    """Both are labels of a constant 1, as Prometheus has it."""
    found = counted(Metrics(version="1.2.3", revision="3f2a"))
    assert found["usher_build_info{version=1.2.3}"] == 1
    assert found["usher_policy_revision_info{revision=3f2a}"] == 1


def test_what_shadow_policies_would_do_is_counted_apart(record: DecisionRecord) -> None:
    """By outcome and by the targets they would have changed; what is answered counts none of it."""
    metrics = Metrics(version="1.2.3", revision="3f2a")
    metrics.shadows.shadowed(record, ("user.login", "action"))
    metrics.shadows.shadowed(replace(record, outcome=Outcome.UNDECIDED), ())
    metrics.shadows.shadowed(record, ("user.login",))
    found = counted(metrics)
    assert found["usher_shadow_requests_total{outcome=commands}"] == 2
    assert found["usher_shadow_requests_total{outcome=undecided}"] == 1
    assert found["usher_shadow_changes_total{target=user.login}"] == 2
    assert found["usher_shadow_changes_total{target=action}"] == 1
    assert found["usher_requests_total{outcome=commands}"] == 0
    assert "usher_rules_fired_total{rule=logins/infix}" not in found
    assert found["usher_decision_seconds_count"] == 0


def test_a_set_that_goes_into_force_replaces_the_revision() -> None:
    """One revision at a time: the old one is no longer told."""
    metrics = Metrics(version="1.2.3", revision="3f2a")
    zero = counted(metrics)
    assert [zero[f"usher_policy_reloads_total{{result={result}}}"] for result in ("accepted", "rejected")] == [0, 0]
    metrics.reloads.accepted("77aa")
    found = counted(metrics)
    assert found["usher_policy_reloads_total{result=accepted}"] == 1
    assert [name for name in found if name.startswith("usher_policy_revision_info")] == [
        "usher_policy_revision_info{revision=77aa}"
    ]


def test_a_rejected_set_shows_until_the_folder_is_sound_again() -> None:
    """An alert reads one gauge; mending counts as no reload of its own, and the revision in force stays told."""
    metrics = Metrics(version="1.2.3", revision="3f2a")
    gauges = [counted(metrics)["usher_policy_rejected"]]
    for step in (metrics.reloads.rejected, metrics.reloads.rejected, metrics.reloads.settled, metrics.reloads.rejected):
        step()
        gauges.append(counted(metrics)["usher_policy_rejected"])
    metrics.reloads.accepted("77aa")
    found = counted(metrics)
    assert [*gauges, found["usher_policy_rejected"]] == [0, 1, 1, 0, 1, 0]
    assert found["usher_policy_reloads_total{result=rejected}"] == 3
    assert found["usher_policy_reloads_total{result=accepted}"] == 1


def test_the_age_of_the_set_counts_from_the_last_time_the_folder_was_good() -> None:
    """A rejection does not make it young."""
    metrics = Metrics(version="1.2.3", revision="3f2a")
    metrics.reloads._accepted_at -= 100
    metrics.reloads.rejected()
    old = counted(metrics)["usher_policy_accepted_age_seconds"]
    metrics.reloads.settled()
    young = counted(metrics)["usher_policy_accepted_age_seconds"]
    assert young < 100 <= old


def test_two_services_in_one_process_count_apart(record: DecisionRecord) -> None:
    """The registry is the service's own: a second one starts at zero."""
    first, second = Metrics(version="1", revision="a"), Metrics(version="1", revision="a")
    first.decided(record)
    assert counted(second)["usher_requests_total{outcome=commands}"] == 0


def test_the_documentation_lists_every_metric(record: DecisionRecord) -> None:
    """Name, type, labels and help of the table under "Metrics" are those of the exposition, in both directions."""
    metrics = Metrics(version="1.2.3", revision="3f2a")
    metrics.decided(replace(record, faults=("$: type",)))
    metrics.refused(401)
    metrics.shadows.shadowed(record, ("user.login",))
    exposition = metrics.exposition()[0].decode()
    helps = dict(re.findall(r"^# HELP (\S+) (.+)$", exposition, re.MULTILINE))
    types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", exposition, re.MULTILINE))
    on_linux = sys.platform.startswith("linux")
    labels = {name: (re.search(rf'^{name}\{{(\w+)="', exposition, re.MULTILINE) or [None, ""])[1] for name in helps}
    expected = {(name, types[name], labels[name] and f"`{labels[name]}`", helps[name]) for name in helps}
    section = PAGE.read_text(encoding="utf-8").split("\n## Metrics\n")[1].split("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| `")]
    documented = {(row[0].strip(" `"), *(cell.strip() for cell in row[1:])) for row in rows}
    documented = {row for row in documented if on_linux or not row[0].startswith("process_")}
    assert documented == expected
