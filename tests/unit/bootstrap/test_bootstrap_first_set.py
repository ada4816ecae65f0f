"""What a service starts with: its own set, else the last good one, else nothing."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.unit.bootstrap.conftest import POLICY, TESTS, House
from usher.adapters.last_good import FILE_NAME, Kept, KeptFile, load, save
from usher.bootstrap.candidates import kept_candidate
from usher.bootstrap.first_set import PoliciesRefusedError
from usher.bootstrap.service import Service, built_service, folders_of
from usher.bootstrap.shipped import shipped_policies, shipped_schemas
from usher.settings import SettingsError

Make = Callable[..., House]

OTHER = POLICY.replace("value: x", "value: y")
OTHER_TESTS = TESTS.replace("title: x}}", "title: y}}")
BROKEN = POLICY.replace("user.title", "user.titel")
# Far beyond what anything here takes: only a hang gets there.
PATIENCE_SECONDS = 30.0
WATCH = "usher-policy-watch"


def keep(made: House, name: str, text: str, *, revision: str = "") -> str:
    """Keep a set of one policy with the profile schemas that lie there; return its revision, true or not."""
    profiles = [file for file in made.candidate().sources if file.name.startswith("schemas/")]
    files = [KeptFile(file.name, file.shown, file.content) for file in profiles]
    files.append(KeptFile(name, name, text.encode()))
    kept = Kept("", "2026-03-01T09:00:00Z", "policies", tuple(files))
    revision = revision or kept_candidate(kept).revision
    save(made.folders.state, replace(kept, revision=revision))
    return revision


def test_a_sound_folder_is_what_a_service_starts_with(house: Make) -> None:
    """Whatever is kept; it takes effect now."""
    made = house({"p": OTHER, "p_test": OTHER_TESTS})
    made.keeper()
    made.write(p=POLICY, p_test=TESTS)
    before = datetime.now(UTC)
    first = made.start()
    assert first.in_force().revision == made.candidate().revision
    assert first.in_force() is first.verdict.policy_set
    assert before <= first.in_force.since <= datetime.now(UTC)
    assert first.rejected is None


@pytest.mark.parametrize(
    "files", [{"p": BROKEN}, {"p": OTHER}, {"p_test": "}"}], ids=["broken", "failing its tests", "tests that are none"]
)
def test_a_folder_that_does_not_pass_is_stood_in_for_by_the_last_good_set(house: Make, files: dict[str, str]) -> None:
    """Loaded again from the archive, under its old revision; what was rejected is kept beside it."""
    made = house()
    kept = made.keeper().in_force()
    made.write(**files)
    first = made.start()
    assert first.in_force().revision == kept.revision
    assert [rule.name for rule in first.in_force().rules] == ["p/a"]
    assert first.rejected is not None
    assert first.rejected.policy_set is None
    assert first.rejected.candidate == made.candidate()
    assert first.verdict.candidate.revision == kept.revision


def test_the_last_good_set_stands_in_for_profile_schemas_that_are_broken(house: Make) -> None:
    """It brings those it was good with."""
    made = house()
    kept = made.keeper().in_force()
    made.profile().write_text("{", encoding="utf-8")
    first = made.start()
    assert first.in_force().revision == kept.revision
    assert first.in_force().profiles.user.attributes.keys() == kept.profiles.user.attributes.keys()


def test_the_last_good_set_need_not_pass_its_tests_again(house: Make) -> None:
    """It did when it went into force; tests that have become too slow are no reason to answer nothing."""
    made = house({"p": POLICY, "p_test": OTHER_TESTS}, policies__gate="off")
    kept = made.keeper().in_force()
    strict = house({"p": BROKEN, "p_test": OTHER_TESTS})
    assert strict.start().in_force().revision == kept.revision


def test_without_a_last_good_set_the_service_does_not_start(house: Make) -> None:
    """Every error is told, a line each, and what to do; asking for the archive makes no folder."""
    made = house({"p": BROKEN + "  - {id: b, set: {user.nickNam: {value: x}}}\n"})
    with pytest.raises(PoliciesRefusedError) as caught:
        made.start()
    assert [problem.code for problem in caught.value.problems] == ["unknown-attribute", "unknown-attribute"]
    lines = str(caught.value).splitlines()
    assert lines[:2] == [str(problem) for problem in caught.value.problems]
    assert lines[2:] == ["the policies have errors: mend them, `usher check` and `usher test` show them all"]
    assert not made.folders.state.exists()


def test_a_damaged_archive_is_told_with_the_errors(house: Make) -> None:
    """An admin who counts on it learns why it did not help."""
    made = house()
    made.keeper()
    (made.folders.state / FILE_NAME).write_bytes(b"PK half")
    made.write(p=BROKEN)
    with pytest.raises(PoliciesRefusedError) as caught:
        made.start()
    assert str(caught.value).splitlines()[1] == (
        f"{made.folders.state / FILE_NAME}: the last good policy set is damaged"
    )
    made.write(p=POLICY)
    assert made.start().rejected is None


def test_a_last_good_set_that_no_longer_loads_is_told_with_the_errors(house: Make) -> None:
    """After an update of Usher, or with other settings."""
    made = house({"p": BROKEN})
    revision = keep(made, "p.yaml", "policy: p\nrulez: []\n")
    with pytest.raises(PoliciesRefusedError) as caught:
        made.start()
    assert str(caught.value).splitlines()[1] == (
        f"the last good set, {revision}, does not load with this version or these settings either"
    )


def test_a_last_good_set_of_other_files_than_it_says_is_damaged(house: Make) -> None:
    """APPSEC: what answers is what passed the gate, not what somebody put into the archive since."""
    made = house({"p": BROKEN})
    keep(made, "p.yaml", POLICY, revision="3f2a")
    with pytest.raises(PoliciesRefusedError) as caught:
        made.start()
    assert str(caught.value).splitlines()[1] == (
        f"the last good set in {made.folders.state} is damaged: its files are not those of 3f2a"
    )


def test_settings_that_speak_of_unknown_attributes_stop_the_start(house: Make) -> None:
    """They are wrong whatever the policies say: no set of another day stands in for that."""
    house().keeper()
    made = house(text='[hold.quarantine]\nuserTyp = "held"\n')
    with pytest.raises(SettingsError, match="did you mean userType"):
        made.start()


def test_an_archive_in_an_admin_s_hands_is_no_way_in(house: Make) -> None:
    """APPSEC: names in it are names: one that climbs out of the folder is a policy of that name and touches nothing."""
    made = house({"p": BROKEN})
    keep(made, "../../climbs.yaml", POLICY)
    before = sorted(made.base.parent.rglob("*"))
    assert [policy.name for policy in made.start().in_force().policies] == ["p"]
    assert sorted(made.base.parent.rglob("*")) == before


def test_folders_are_those_of_the_settings_or_the_shipped_ones(house: Make) -> None:
    """In one place for the start, the watch and the archive."""
    made = house()
    assert folders_of(made.loaded) == made.folders
    shipped = folders_of(house(policies__folder=None, schemas__folder=None).loaded)
    assert (shipped.policies, shipped.schemas) == (shipped_policies(), shipped_schemas())


@contextmanager
def built(made: House) -> Iterator[Service]:
    """Build a service that listens nowhere."""
    with built_service(made.loaded, {}, authenticated=False) as service:
        yield service


def test_a_service_keeps_what_it_starts_with(house: Make) -> None:
    """The next start has something to fall back to, without a single reload."""
    made = house()
    with built(made) as service:
        kept = load(made.folders.state)
        assert kept is not None
        assert kept.revision == service.policies().revision


def test_a_service_whose_policies_fail_answers_with_the_last_good_set(house: Make) -> None:
    """Status, metrics and readiness say so."""
    made = house(policies__ready_on_last_good=False)
    with built(made) as service:
        kept = service.policies().revision
    made.write(p=BROKEN)
    with built(made) as service:
        assert service.policies().revision == kept
        assert service.first.rejected is not None
        assert not service.view.readiness().ready
        status = json.loads(json.dumps(service.view.status()))
        assert (status["policies"]["source"], status["policies"]["revision"]) == ("last good", kept)
        exposed, _ = service.view.exposition()
        assert b"usher_policy_rejected 1.0" in exposed
        assert b'usher_policy_revision_info{revision="%s"}' % kept.encode() in exposed


def watchers() -> list[str]:
    """Return the names of threads that watch folders."""
    return [thread.name for thread in threading.enumerate() if thread.name == WATCH]


@pytest.mark.parametrize("watch", ["events", "polling"])
def test_a_save_goes_into_force_while_the_service_runs(house: Make, watch: str) -> None:
    """What is answered, told and redacted is the new set's; the watch ends with the service."""
    made = house(policies__watch=watch, policies__rescan_seconds=0.05)
    with built(made) as service:
        first = service.policies().revision
        made.write(p=OTHER, p_test=OTHER_TESTS)
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while service.policies().revision != made.candidate().revision and time.monotonic() < give_up_at:
            time.sleep(0.01)
        second = service.policies().revision
        assert second != first
        assert second.encode() in service.view.exposition()[0]
        assert watchers() == [WATCH]
    assert watchers() == []


def test_a_service_that_does_not_watch_looks_when_it_is_asked(house: Make) -> None:
    """`policies.reload = false`: no thread, and `usher reload` is the deployment."""
    made = house(policies__reload=False)
    with built(made) as service:
        assert watchers() == []
        first = service.policies().revision
        made.write(p=OTHER, p_test=OTHER_TESTS)
        made_of_it = service.view.reload()
        assert made_of_it is not None
        assert (made_of_it["result"], made_of_it["revision"]) == ("accepted", service.policies().revision)
        assert service.policies().revision != first
