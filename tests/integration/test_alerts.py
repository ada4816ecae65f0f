"""deploy/prometheus and deploy/grafana: sound in Prometheus' eyes, and in agreement with the service and the page."""

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.promtool import promtool
from usher.adapters.metrics import Metrics

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "prometheus"
DASHBOARD = ROOT / "deploy" / "grafana" / "usher.json"
PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
# What Prometheus makes by itself.
PROMETHEUS_OWN = {"up"}
_NAME = re.compile(r"\b(?:usher|process)_[a-z_]+\b|\bup\b")


def read(name: str) -> Any:
    """Return a file of the folder."""
    return YAML(typ="safe").load(FOLDER / name)


def alerts() -> list[Mapping[str, Any]]:
    """Return the rules."""
    return [rule for group in read("alerts.yml")["groups"] for rule in group["rules"]]


def expressions() -> Iterator[str]:
    """Yield all PromQL of the dashboard."""

    def inside(value: object) -> Iterator[str]:
        if isinstance(value, dict):
            for key, part in value.items():
                if key == "expr" or (key == "query" and isinstance(part, str) and "(" in part):
                    yield part
                else:
                    yield from inside(part)
        elif isinstance(value, list):
            yield from itertools.chain.from_iterable(map(inside, value))

    return inside(json.loads(DASHBOARD.read_text(encoding="utf-8")))


def samples() -> set[str]:
    """Return the names under which the service's metrics can be asked for."""
    types = re.findall(
        r"^# TYPE (\S+) (\S+)$", Metrics(version="1", revision="r").exposition()[0].decode(), re.MULTILINE
    )
    made = {f"{name}_{part}" for name, kind in types if kind == "histogram" for part in ("bucket", "sum", "count")}
    return made | {name for name, kind in types if kind != "histogram"}


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "rules", "--lint-fatal", "alerts.yml"),
        ("check", "config", "--lint-fatal", "scrape.yml"),
        ("test", "rules", "alerts_test.yml"),
    ],
    ids=lambda arguments: arguments[-1],
)
def test_prometheus_accepts_it(arguments: tuple[str, ...]) -> None:
    """Rules and configuration are sound, and each alert fires when it must and is silent when it must be."""
    code, said = promtool(*arguments, folder=FOLDER)
    assert code == 0, said
    assert "SUCCESS" in said


def test_a_wrong_expectation_is_noticed(tmp_path: Path) -> None:
    """A proof that cannot fail proves nothing: with another threshold the tests of one alert fail."""
    text = (FOLDER / "alerts.yml").read_text(encoding="utf-8")
    changed = text.replace("usher_ledger_up == 0", "usher_ledger_up == 1")
    assert changed != text
    (tmp_path / "alerts.yml").write_text(changed, encoding="utf-8")
    proofs = read("alerts_test.yml")
    proofs["tests"] = [group for group in proofs["tests"] if group["name"].startswith("UsherLedgerDown")]
    (tmp_path / "alerts_test.yml").write_text(json.dumps(proofs), encoding="utf-8")
    code, said = promtool("test", "rules", "alerts_test.yml", folder=tmp_path)
    assert code == 1
    assert "UsherLedgerDown" in said


def test_each_alert_is_proved_to_fire_and_to_be_silent() -> None:
    """In `alerts_test.yml` each has samples of ALERTS at one time, and none at another, earlier one."""
    proofs: dict[str, list[bool]] = {}
    for group in read("alerts_test.yml")["tests"]:
        for test in group.get("promql_expr_test", ()):
            name = re.fullmatch(r'ALERTS\{alertname="(\w+)",alertstate="firing"\}', test["expr"])
            assert name, test["expr"]
            proofs.setdefault(name[1], []).append(bool(test["exp_samples"]))
    assert sorted(proofs) == sorted(rule["alert"] for rule in alerts())
    assert {name for name, seen in proofs.items() if seen[0] or True not in seen} == set()


def test_each_alert_says_what_it_is_and_where_to_read_on() -> None:
    """Severity, a summary of one line, a description, and a section of the page that is not empty."""
    sections = dict(
        re.findall(r"^### (Usher\w+)\n\n(.+)", PAGE.split("\n## Alerts\n")[1].split("\n## ")[0], re.MULTILINE)
    )
    for rule in alerts():
        name, notes = rule["alert"], rule["annotations"]
        assert rule["labels"]["severity"] in {"critical", "warning"}, name
        assert re.fullmatch(r".+\.", notes["summary"]), name
        assert len(notes["description"]) > 40, name
        assert notes["runbook_url"] == f"docs/operations.md#{name.lower()}", name
        assert len(sections.pop(name)) > 80, name
    assert sections == {}


def test_every_metric_that_is_asked_for_exists() -> None:
    """A renamed metric would leave an alert silent and a panel empty, and nobody would notice."""
    told = samples()
    assert len(told) > 40
    asked = {name for rule in alerts() for name in _NAME.findall(rule["expr"])}
    shown = {name for expression in expressions() for name in _NAME.findall(expression)}
    assert (asked | shown) - told - PROMETHEUS_OWN - {"usher_build_info"} == set()
    assert len(asked) > 20
    counts = {name for name in told if not name.endswith(("_sum", "_count"))}
    process = {"process_virtual_memory_bytes"}
    assert counts - shown - process == set()


def test_the_dashboard_asks_the_data_source_that_is_chosen() -> None:
    """Every query names the variable; ids are unique, and no panel lies over another."""
    board = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (panel["gridPos"]["x"] + right, panel["gridPos"]["y"] + down)
        for panel in panels
        for right in range(panel["gridPos"]["w"])
        for down in range(panel["gridPos"]["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24
    sources = [target["datasource"] for panel in panels for target in panel.get("targets", ())]
    assert {source["uid"] for source in sources} == {"${datasource}"}
    assert [variable["name"] for variable in board["templating"]["list"]] == ["datasource", "instance"]


def test_the_dashboards_expressions_are_sound(tmp_path: Path) -> None:
    """Prometheus parses each, with Grafana's variables filled in."""
    filled = [
        expression.replace("$__rate_interval", "5m").replace("$instance", ".*")
        for expression in expressions()
        if not expression.startswith("label_values(")
    ]
    assert len(filled) > 40
    rules = [{"record": f"panel:{number}", "expr": expression} for number, expression in enumerate(filled)]
    path = tmp_path / "panels.yml"
    path.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}), encoding="utf-8")
    code, said = promtool("check", "rules", path.name, folder=tmp_path)
    assert code == 0, said
