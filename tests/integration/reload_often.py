"""Reloads a policy folder many times in one process and says what that did to its memory; a process of its own.

Run as a file, `python reload_often.py SCHEMAS WARM_UP RELOADS`, in an empty folder, by an interpreter that has Usher;
nothing of these tests is needed. Prints one line of JSON. Every set differs from the one before in policy, table, test.
"""

import gc
import json
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from usher.adapters.service_log import configure
from usher.bootstrap.keeper import Keeper
from usher.bootstrap.looks import Result
from usher.bootstrap.service import built_service
from usher.settings import LoadedSettings, load

POLICY = """\
policy: marks
description: The mark of number {number}.
constants: {{mark: mark {number}}}
variables: {{place: "tables.places['{number}'].city"}}
rules:
  - id: title-{number}
    when: get(user, 'firstName', '').matches('^A[a-z]+|{number}$') && variables.place != ''
    set: {{user.title: constants.mark, user.city: variables.place}}
  - id: login
    only: create
    claim: {{login: {{candidates: ["'ann{number}@example.com'"]}}}}
    set: {{user.login: claimed.login}}
"""
TESTS = """\
tests_for: marks
fixtures:
  ann: {{user: {{login: ann.lee@example.com, firstName: Ann}}, appuser: {{externalId: "7"}}}}
tests:
  - name: number {number}
    given: ann
    expect: {{fired: [title-{number}, login]}}
"""
SMALL = {"title", "city", "login", "firstName", "externalId"}


@dataclass(frozen=True)
class Memory:
    """What the process holds after a full collection."""

    resident_kib: int
    objects: int

    @classmethod
    def now(cls) -> "Memory":
        """Measure."""
        gc.collect()
        fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines())
        return cls(int(fields["VmRSS"].split()[0]), len(gc.get_objects()))


def write(folder: Path, number: int) -> None:
    """Save the set of a number."""
    (folder / "marks.yaml").write_text(POLICY.format(number=number), encoding="utf-8")
    (folder / "marks_test.yaml").write_text(TESTS.format(number=number), encoding="utf-8")
    (folder / "tables" / "places.csv").write_text(f"number,city\n{number},City {number}\n", encoding="utf-8")


def small_profiles(schemas: Path) -> None:
    """Leave a few attributes in the profile schemas: compiling all of them takes longer than everything else here."""
    for file in (schemas / "profiles").glob("*.json"):
        schema = json.loads(file.read_text(encoding="utf-8"))
        schema["properties"] = {name: value for name, value in schema["properties"].items() if name in SMALL}
        file.write_text(json.dumps(schema), encoding="utf-8")


def prepared(shipped: Path) -> LoadedSettings:
    """Return settings for a folder of policies in this folder, with the first set in it; nobody watches it."""
    here = Path.cwd()
    shutil.copytree(shipped, here / "schemas")
    small_profiles(here / "schemas")
    (here / "policies" / "tables").mkdir(parents=True)
    write(here / "policies", 0)
    settings = {
        "policies.folder": str(here / "policies"),
        "schemas.folder": str(here / "schemas"),
        "policies.reload": "false",
        "policies.settle_seconds": "0",
    }
    return load(None, environ={}, overrides=settings, folder=here)


def reload(keeper: Keeper, numbers: range) -> None:
    """Save and look, once for each number."""
    for number in numbers:
        write(keeper.folders.policies, number)
        look = keeper.look()
        assert look is not None
        assert look.result is Result.ACCEPTED, look


def main() -> None:
    """Reload, measure, print."""
    shipped, warm_up, reloads = sys.argv[1:]
    loaded = prepared(Path(shipped))
    configure(loaded.settings.logging)
    with built_service(loaded, {}, authenticated=False) as service:
        # As `usher serve` does.
        gc.collect()
        gc.freeze()
        reload(service.view.keeper, range(1, 1 + int(warm_up)))
        before = Memory.now()
        began = time.monotonic()
        reload(service.view.keeper, range(1 + int(warm_up), 1 + int(warm_up) + int(reloads)))
        seconds = time.monotonic() - began
        after = Memory.now()
    print(
        json.dumps(
            {
                "seconds": seconds,
                "resident_kib": after.resident_kib,
                "grown_kib": after.resident_kib - before.resident_kib,
                "grown_objects": after.objects - before.objects,
            }
        )
    )


if __name__ == "__main__":
    main()
