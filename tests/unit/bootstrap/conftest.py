"""An admin's folders, and the keeper of the set in force."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from usher.bootstrap.candidates import Candidate, Verdict, judge, read_candidate
from usher.bootstrap.first_set import FirstSet, first_set
from usher.bootstrap.keeper import Keeper
from usher.bootstrap.looks import Folders
from usher.bootstrap.schemas import Schemas, load_schemas
from usher.engine import PolicySet
from usher.settings import LoadedSettings, load

POLICY = """\
policy: p
rules:
  - id: a
    when: "'a' in context.conflicts"
    set: {user.title: {value: x}}
"""
TESTS = """\
tests_for: p
fixtures:
  ann: {user: {}, appuser: {externalId: "1"}}
tests:
  - name: a title
    given: ann
    with: {context.conflicts: [a]}
    expect: {set: {user.title: x}}
"""


@dataclass
class Meter:
    """Keeps what it is told, in order."""

    seen: list[str] = field(default_factory=list)

    def accepted(self, revision: str) -> None:
        """Keep it."""
        self.seen.append(f"accepted {revision}")

    def rejected(self) -> None:
        """Keep it."""
        self.seen.append("rejected")

    def settled(self) -> None:
        """Keep it."""
        self.seen.append("settled")


@dataclass
class House:
    """Folders as an admin has them: policies, schemas, state; and settings that name them."""

    base: Path
    loaded: LoadedSettings
    folders: Folders
    schemas: Schemas
    meter: Meter = field(default_factory=Meter)
    swapped: list[PolicySet] = field(default_factory=list)

    def write(self, **files: str) -> None:
        """Write files of the policy folder: `p` is p.yaml, `p_test` is p_test.yaml."""
        self.folders.policies.mkdir(exist_ok=True)
        for name, text in files.items():
            (self.folders.policies / f"{name}.yaml").write_text(text, encoding="utf-8")

    def profile(self, name: str = "okta-user") -> Path:
        """Return a profile schema's file."""
        return self.folders.schemas / "profiles" / f"{name}.schema.json"

    def candidate(self) -> Candidate:
        """Return what lies in the folders now."""
        return read_candidate(self.folders.policies, self.folders.schemas)

    def judged(self, candidate: Candidate | None = None) -> Verdict:
        """Return what the gate of the settings says."""
        gate = self.loaded.settings.policies.gate
        return judge(candidate or self.candidate(), self.loaded, self.schemas, gate=gate)

    def start(self) -> FirstSet:
        """Return what a service would start with."""
        return first_set(self.loaded, load_schemas(self.folders.schemas), self.folders)

    def keeper(self, kind: type[Keeper] = Keeper, before_swap: Callable[[PolicySet], None] | None = None) -> Keeper:
        """Return the keeper of a service that has just started."""
        first = self.start()
        keeper = kind(
            self.loaded,
            self.schemas,
            self.folders,
            first.in_force,
            meter=self.meter,
            before_swap=before_swap or self.swapped.append,
        )
        keeper.started_with(first.verdict, rejected=first.rejected)
        return keeper


@pytest.fixture
def house(tmp_path: Path, root: Path, schemas: Schemas) -> Callable[..., House]:
    """Return a maker of folders with a sound set; settings are given as `policies__gate="check"`."""
    shutil.copytree(root / "schemas", tmp_path / "schemas")

    def make(files: Mapping[str, str] | None = None, *, text: str = "", **settings: object) -> House:
        (tmp_path / "usher.toml").write_text(text, encoding="utf-8")
        given = {
            "policies.folder": "policies",
            "schemas.folder": "schemas",
            "state.folder": "state",
            "policies.settle_seconds": 0,
            **{name.replace("__", "."): value for name, value in settings.items()},
        }
        loaded = load(None, environ={}, overrides=given, folder=tmp_path)
        folders = Folders(tmp_path / "policies", tmp_path / "schemas", tmp_path / "state")
        made = House(tmp_path, loaded, folders, schemas)
        made.write(**({"p": POLICY, "p_test": TESTS} if files is None else files))
        return made

    return make
