"""What bootstrap builds from: schemas, policies, the set in force, pulse and view."""

import json
import shutil
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.rehearsing import line_over
from usher.bootstrap.first_set import PoliciesRefusedError
from usher.bootstrap.in_force import PoliciesInForce
from usher.bootstrap.policies import load_source
from usher.bootstrap.schemas import SchemaFolderError, Schemas, load_schemas
from usher.bootstrap.service import _report_fault, built_service
from usher.bootstrap.shipped import shipped_policies, shipped_schemas
from usher.bootstrap.stores import memory_stores
from usher.cel.errors import BudgetExceeded
from usher.engine import PolicySet
from usher.proof.rehearsal import Kept
from usher.settings import LoadedSettings, Settings, SettingsError, load

SCHEMA_FILES = ["import-request.schema.json", "import-response.schema.json", "policy.schema.json"]
Load = Callable[[str | Mapping[str, str]], PolicySet]


@pytest.fixture
def schema_folder(tmp_path: Path, root: Path) -> Path:
    """Return a copy of the shipped schemas."""
    shutil.copytree(root / "schemas", tmp_path / "schemas")
    return tmp_path / "schemas"


@pytest.mark.parametrize("name", SCHEMA_FILES)
@pytest.mark.parametrize(
    ("content", "code"),
    [
        (None, "unreadable"),
        (b"", "json-syntax"),
        (b'{\n "type": }', "json-syntax"),
        (b"\xff\xfe{\0}\0", "json-syntax"),
        (b"[" * 100_000, "json-syntax"),
        (b'{"type": "text"}', "bad-schema"),
        (b'{"$ref": "#/nowhere"}', "bad-schema"),
        (b"[]", "bad-schema"),
        (b"7", "bad-schema"),
    ],
)
def test_a_schema_that_cannot_be_used_stops_the_start_with_one_line(
    schema_folder: Path, name: str, content: bytes | None, code: str
) -> None:
    """File, place, reason."""
    if content is None:
        (schema_folder / name).unlink()
    else:
        (schema_folder / name).write_bytes(content)
    with pytest.raises(SchemaFolderError) as caught:
        load_schemas(schema_folder)
    assert caught.value.problem.code == code
    assert caught.value.problem.place.file == (schema_folder / name).as_posix()
    assert "\n" not in str(caught.value)


def test_a_schema_with_a_byte_order_mark_is_read(schema_folder: Path) -> None:
    """Windows editors write one."""
    path = schema_folder / "policy.schema.json"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert load_schemas(schema_folder).policy.accepts({"policy": "p", "rules": [{"id": "a", "set": {"user.a": "'x'"}}]})


def test_the_shipped_folders_are_the_checkouts(root: Path) -> None:
    """The mapping of setup.cfg works for an editable installation, too."""
    case = Path("testdata/george-alexander-smith.json")
    assert (shipped_policies() / case).read_bytes() == (root / "policies" / case).read_bytes()
    assert (shipped_schemas() / "policy.schema.json").is_file()


def settings_of(folder: Path, **overrides: object) -> LoadedSettings:
    """Return settings as an admin in a folder has them."""
    return load(
        None, environ={}, overrides={name.replace("__", "."): value for name, value in overrides.items()}, folder=folder
    )


def test_the_named_folder_wins_over_the_settings_over_the_shipped_one(
    tmp_path: Path, write_folder: Callable[[str | Mapping[str, str]], Path]
) -> None:
    """In this order."""
    text = "policy: {name}\nrules:\n  - id: a\n    set: {{user.title: \"'x'\"}}\n"
    named, settled = (write_folder(text.format(name=name)) for name in ("named", "settled"))
    with_setting = settings_of(tmp_path, policies__folder=str(settled))

    def policies_of(source: Any) -> list[str]:
        return [policy.name for policy in source.loaded.policy_set.policies]

    assert policies_of(load_source(with_setting, named)) == ["named"]
    assert policies_of(load_source(with_setting)) == ["settled"]
    assert load_source(settings_of(tmp_path)).folder == shipped_policies()


def test_a_replaced_set_is_seen_by_the_next_call_only(policy_set: Load) -> None:
    """The reference is read once a request."""
    first = policy_set("policy: p\nrules:\n  - id: a\n    set: {user.title: \"'x'\"}\n")
    since = datetime(2026, 3, 2, tzinfo=UTC)
    in_force = PoliciesInForce(first, since)
    assert in_force() is first
    assert in_force.since is since
    second, later = policy_set("policy: q\nrules:\n  - id: a\n    set: {user.title: \"'x'\"}\n"), since.replace(day=3)
    in_force.replace(second, later)
    assert in_force() is second
    assert in_force.since is later


def test_the_line_for_every_other_door_keeps_nothing_for_replay(
    policy_set: Load, schemas: Schemas, payload: Callable[..., dict[str, Any]]
) -> None:
    """The same request twice is decided twice; records stay in memory."""
    policies = policy_set("policy: p\nrules:\n  - id: a\n    set: {user.title: \"'x'\"}\n")
    kept = Kept()
    line = line_over(policies, schemas, kept, lambda *_: None, stores=memory_stores(Settings()))
    body = json.dumps(payload()).encode()
    replies = [line.answer(body, time.monotonic()) for _ in range(2)]
    assert [reply.replayed for reply in replies] == [False, False]
    assert len(kept.records) == 2


def test_a_service_without_a_secret_is_not_built(tmp_path: Path) -> None:
    """And nothing of it is: no decision log, no key."""
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(SettingsError), built_service(settings_of(tmp_path), {}):
        pass
    assert sorted(tmp_path.rglob("*")) == before


def test_a_service_with_broken_policies_is_not_built(
    tmp_path: Path, write_folder: Callable[[str | Mapping[str, str]], Path]
) -> None:
    """The exception tells every error, a line each."""
    folder = write_folder("policy: p\nrules:\n  - id: a\n    set: {user.logn: usr.x}\n")
    settings = settings_of(tmp_path, policies__folder=str(folder))
    with pytest.raises(PoliciesRefusedError) as caught, built_service(settings, {}, authenticated=False):
        pass
    assert [problem.code for problem in caught.value.problems] == ["unknown-attribute", "unknown-name"]
    assert len(str(caught.value).splitlines()) == 3


def test_a_service_is_built_with_everything_wired_and_closed_at_the_end(tmp_path: Path) -> None:
    """The shipped policies in force, the decision log open in the folder of the settings, ready; nothing listens."""
    settings = settings_of(tmp_path, server__port=0, server__operations_port=0, auth__secret_variables=["HOOK_SECRET"])
    with built_service(settings, {"HOOK_SECRET": "a-long-enough-secret-for-the-hook"}) as service:
        assert service.policies() is service.first.verdict.policy_set
        assert service.view.readiness().ready
        assert service.decision_log_file.is_file()
        assert tmp_path in service.decision_log_file.parents
        exposed, content_type = service.view.exposition()
        assert service.policies().revision.encode() in exposed
        assert content_type.startswith("text/plain")
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"a-long-enough-secret" not in written


def test_a_fault_is_logged_by_type_and_place_never_by_text() -> None:
    """An exception's text may quote a profile; what has a code tells it, too."""
    try:
        json.loads("Geheimnis")
    except ValueError as error:
        fault = KeyError("Geheimnis")
        fault.__traceback__ = error.__traceback__
    with capture_logs() as logged:
        _report_fault("d-1", fault)
        _report_fault("d-2", ValueError("Geheimnis"))
        _report_fault("d-3", BudgetExceeded("steps", "Geheimnis"))
    assert [(entry["decision_id"], entry["error"], entry["code"]) for entry in logged] == [
        ("d-1", "KeyError", ""),
        ("d-2", "ValueError", ""),
        ("d-3", "BudgetExceeded", "steps"),
    ]
    assert logged[0]["place"].startswith("decoder.py:")
    assert "Geheimnis" not in str(logged)
