"""Profile schemas: which attributes exist, for which application, and what is wrong with a schema."""

import json
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from usher.bootstrap.schemas import Schemas
from usher.engine import Profiles, load_policies, load_profiles
from usher.engine.profiles import LoadedProfiles, compiled_profiles, read_profiles

Made = Callable[[dict[str, object]], Path]


def schema(**attributes: object) -> dict[str, object]:
    """Return a profile schema."""
    return {"type": "object", "properties": attributes}


@pytest.fixture
def folder(tmp_path: Path, root: Path) -> Made:
    """Return a maker of profile folders: the shipped files with some replaced."""

    def make(files: dict[str, object]) -> Path:
        made = tmp_path / "profiles"
        shutil.copytree(root / "schemas" / "profiles", made)
        for name, content in files.items():
            text = content if isinstance(content, str) else json.dumps(content)
            (made / name).write_text(text, encoding="utf-8")
        return made

    return make


def loaded(path: Path) -> Profiles:
    """Return profiles without problems."""
    found = load_profiles(path)
    assert found.problems == ()
    assert found.profiles is not None
    return found.profiles


@pytest.mark.parametrize(
    ("application", "attribute"),
    [
        ({"id": "0oa1", "name": "csv"}, "by_id"),
        ({"id": "0oa2", "name": "csv"}, "by_name"),
        ({"id": "", "name": "csv"}, "by_name"),
        ({"id": "0oa2", "name": "other"}, "userName"),
        ({}, "userName"),
    ],
)
def test_the_profile_of_an_application_is_chosen_by_id_then_by_name(
    folder: Made, application: dict[str, object], attribute: str
) -> None:
    """Else the general one speaks."""
    profiles = loaded(
        folder(
            {
                "appuser.0oa1.schema.json": schema(by_id={"type": "string"}),
                "appuser.csv.schema.json": schema(by_name={"type": "string"}),
            }
        )
    )
    assert attribute in profiles.app_user_of(application).attributes
    assert {"by_id", "by_name", "userName"} <= profiles.declared("appuser")


def test_an_attribute_is_always_there_only_if_every_schema_requires_it(folder: Made) -> None:
    """A guard may be left out only where no application lacks the attribute."""
    general = {**schema(a={}, b={}), "required": ["a", "b"]}
    profiles = loaded(
        folder({"appuser.schema.json": general, "appuser.x.schema.json": {**schema(a={}), "required": ["a"]}})
    )
    assert profiles.always_there("appuser") == {"a"}
    assert profiles.always_there("user") == set()


def test_attributes_may_share_definitions(folder: Made) -> None:
    """`$ref` to `$defs` of the same file."""
    shared = {**schema(a={"$ref": "#/$defs/short"}), "$defs": {"short": {"maxLength": 2}}}
    attributes = loaded(folder({"appuser.schema.json": shared})).app_user.attributes
    assert attributes["a"].accepts("xx")
    assert not attributes["a"].accepts("xxx")


def test_an_attribute_declared_as_true_takes_everything_and_as_false_nothing(folder: Made) -> None:
    """JSON Schema's short forms."""
    attributes = loaded(folder({"appuser.schema.json": schema(free=True, closed=False)})).app_user.attributes
    assert attributes["free"].accepts("x")
    assert not attributes["closed"].accepts("x")


def test_only_attributes_marked_so_are_public(folder: Made) -> None:
    """Everything is personal unless the schema says otherwise."""
    made = schema(a={"x-sensitivity": "none"}, b={"x-sensitivity": "high"}, c={}, d=True)
    assert loaded(folder({"appuser.schema.json": made})).app_user.public == {"a"}


@pytest.mark.parametrize(
    ("file", "content", "expected"),
    [
        ("appuser.schema.json", "{", "appuser.schema.json:1:2: json-syntax"),
        ("appuser.schema.json", '{\n  "a": 1,\n}', "appuser.schema.json:3:1: json-syntax"),
        ("appuser.schema.json", "[" * 100_000, "appuser.schema.json: json-syntax"),
        ("appuser.schema.json", "[]", "appuser.schema.json: bad-schema"),
        ("appuser.schema.json", '"x"', "appuser.schema.json: bad-schema"),
        ("appuser.schema.json", {"type": "object"}, "appuser.schema.json: bad-schema"),
        ("okta-user.schema.json", schema(a={"type": "text"}), "okta-user.schema.json: bad-schema"),
        ("okta-user.schema.json", schema(a="x"), "okta-user.schema.json: bad-schema"),
        ("okta-user.schema.json", schema(a={"pattern": "("}), "okta-user.schema.json: bad-schema"),
        ("okta-user.schema.json", {**schema(), "required": "a"}, "okta-user.schema.json: bad-schema"),
        ("appuser.x.schema.json", schema(a={"$ref": "#/$defs/nowhere"}), "appuser.x.schema.json: bad-schema"),
        ("appuser.x.schema.json", schema(a={"$ref": "https://example.com/a"}), "appuser.x.schema.json: bad-schema"),
        ("appuser.x.schema.json", schema(a={"$ref": "#/properties/b"}, b={}), "appuser.x.schema.json: bad-schema"),
    ],
)
def test_a_profile_schema_that_is_none_is_a_problem_at_its_place(
    folder: Made, file: str, content: object, expected: str
) -> None:
    """One line, no set, no exception."""
    path = folder({file: content})
    found = load_profiles(path)
    assert found.profiles is None
    [problem] = found.problems
    assert str(problem).replace(f"{path.as_posix()}/", "").startswith(f"{expected}: ")
    assert "\n" not in str(problem)


def test_missing_profile_schemas_are_all_told_at_once(tmp_path: Path, schemas: Schemas, root: Path) -> None:
    """And keep the policies from being served."""
    profiles = load_profiles(tmp_path / "nowhere")
    assert [problem.code for problem in profiles.problems] == ["unreadable", "unreadable"]
    loaded_set = load_policies(root / "policies", shape=schemas.policy, profiles=profiles)
    assert loaded_set.policy_set is None
    assert set(profiles.problems) <= set(loaded_set.problems)


def test_a_profile_folder_that_cannot_be_listed_is_one_problem(tmp_path: Path) -> None:
    """Without its list, the schemas of single applications would go missing unseen: here, by a name too long."""
    found = load_profiles(tmp_path / ("x" * 5000))
    assert found.profiles is None
    assert {problem.code for problem in found.problems} == {"unreadable"}


def test_what_is_no_file_is_no_profile_schema_and_not_waited_on(folder: Made) -> None:
    """A folder of that name, and a pipe, which has no end of file: reading it would stop the watch for good."""
    path = folder({})
    (path / "appuser.a.schema.json").mkdir()
    make_pipe = getattr(os, "mkfifo", None)
    if make_pipe is not None:
        make_pipe(path / "appuser.b.schema.json")
    found: list[LoadedProfiles] = []
    reader = threading.Thread(target=lambda: found.append(load_profiles(path)), daemon=True)
    reader.start()
    reader.join(60)
    assert [[problem.code for problem in loaded.problems] for loaded in found] == [
        ["unreadable"] * (1 + bool(make_pipe))
    ]


def test_reading_and_compiling_apart_is_loading(folder: Made) -> None:
    """What was read once is compiled as often as one likes, whatever lies in the folder since."""
    path = folder({"appuser.x.schema.json": schema(badge={"type": "string"})})
    files, whole = read_profiles(path), load_profiles(path)
    shutil.rmtree(path)
    for _ in range(2):
        compiled = compiled_profiles(files)
        assert compiled.sources == whole.sources
        assert compiled.profiles is not None
        assert "badge" in compiled.profiles.declared("appuser")


def test_a_changed_profile_schema_is_another_revision(folder: Made, schemas: Schemas, root: Path) -> None:
    """It changes which values are sent."""
    path = folder({})
    first = load_policies(root / "policies", shape=schemas.policy, profiles=load_profiles(path)).policy_set
    (path / "appuser.x.schema.json").write_text(json.dumps(schema()), encoding="utf-8")
    second = load_policies(root / "policies", shape=schemas.policy, profiles=load_profiles(path)).policy_set
    assert first is not None
    assert second is not None
    assert first.revision != second.revision
