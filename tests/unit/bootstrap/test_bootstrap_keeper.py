"""Which set is in force: a changed one that passes, else the one before; and what is told about it."""

import shutil
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.unit.bootstrap.conftest import POLICY, TESTS, House
from usher.adapters.last_good import FILE_NAME, load
from usher.bootstrap.candidates import Candidate
from usher.bootstrap.keeper import MAX_TOLD, Keeper
from usher.bootstrap.looks import Look, Result
from usher.engine import PolicySet
from usher.engine.changes import Kind

Make = Callable[..., House]

OTHER = POLICY.replace("value: x", "value: y")
OTHER_TESTS = TESTS.replace("title: x}}", "title: y}}")
BROKEN = POLICY.replace("user.title", "user.titel")


def events(logged: Any) -> list[str]:
    """Return the names of what was logged."""
    return [entry["event"] for entry in logged]


def titles(policy_set: PolicySet) -> str:
    """Return what the set's first rule sets."""
    [(_, value)] = policy_set.rules[0].sets
    return str(getattr(value, "value", ""))


def done(look: Look | None) -> Look:
    """Return a look that was not refused."""
    assert look is not None
    return look


def test_a_changed_set_that_passes_goes_into_force(house: Make) -> None:
    """At the next look; what came of it names what changed, and a look after it finds nothing new."""
    made = house()
    keeper = made.keeper()
    before = keeper.in_force()
    made.write(p=OTHER, p_test=OTHER_TESTS)
    look = done(keeper.look())
    assert (look.result, look.revision, look.problems) == (Result.ACCEPTED, made.candidate().revision, ())
    assert [(change.kind, change.name) for change in look.changes] == [(Kind.CHANGED, "p/a")]
    assert (titles(before), titles(keeper.in_force())) == ("x", "y")
    assert keeper.in_force().revision == look.revision == look.found_revision
    assert done(keeper.look()) == Look(Result.UNCHANGED, look.revision, look.revision)
    assert made.meter.seen == [f"accepted {look.revision}"]
    assert made.swapped == [keeper.in_force()]


def test_a_look_at_what_is_in_force_changes_nothing(house: Make) -> None:
    """Not the set, not its time, not the archive; nothing is counted or logged, however often it is asked."""
    made = house()
    keeper = made.keeper()
    policies, since, kept = keeper.in_force(), keeper.in_force.since, load(made.folders.state)
    with capture_logs() as logged:
        looks = [keeper.look(again=again) for again in (False, True, False)]
    assert {done(look).result for look in looks} == {Result.UNCHANGED}
    assert keeper.in_force() is policies
    assert keeper.in_force.since is since
    assert load(made.folders.state) == kept
    assert (made.meter.seen, made.swapped, logged) == ([], [], [])


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"p": BROKEN}, "unknown-attribute"),
        ({"p": OTHER}, "policy-test"),
        ({"p": ""}, "empty-file"),
        ({"p": "policy: p\nrules:\n  - id: a\n    wh"}, "yaml-syntax"),
        ({"p_test": "}"}, "yaml-syntax"),
    ],
    ids=["broken", "failing its tests", "truncated to nothing", "half written", "tests half written"],
)
def test_a_set_that_does_not_pass_leaves_the_one_before(house: Make, files: dict[str, str], code: str) -> None:
    """Every problem is kept with its place; both revisions are known."""
    made = house()
    keeper = made.keeper()
    before = keeper.in_force()
    made.write(**files)
    look = done(keeper.look())
    assert (look.result, look.revision, look.changes) == (Result.REJECTED, before.revision, ())
    assert code in {problem.code for problem in look.problems}
    assert all(problem.place.file.startswith(made.folders.policies.as_posix()) for problem in look.problems)
    assert keeper.in_force() is before
    assert keeper.rejected is not None
    assert (keeper.rejected.revision, keeper.rejected.problems) == (look.found_revision, look.problems)
    assert look.found_revision == made.candidate().revision != before.revision
    assert (made.meter.seen, made.swapped) == (["rejected"], [])


@pytest.mark.parametrize("which", ["policies", "schemas"])
def test_folders_that_vanish_for_a_while_leave_the_set_in_force(house: Make, which: str) -> None:
    """And when they are back as they were, all is well without another load."""
    made = house()
    keeper = made.keeper()
    before, folder = keeper.in_force(), getattr(made.folders, which)
    folder.rename(folder.with_name("away"))
    assert done(keeper.look()).result is Result.REJECTED
    assert keeper.in_force() is before
    folder.with_name("away").rename(folder)
    assert done(keeper.look()).result is Result.UNCHANGED
    assert keeper.in_force() is before
    assert (keeper.rejected, made.meter.seen) == (None, ["rejected", "settled"])


def test_a_rejected_set_that_is_taken_back_is_restored(house: Make) -> None:
    """The folder holds what is in force again: said once, and no load, no swap."""
    made = house()
    keeper = made.keeper()
    made.write(p=BROKEN)
    keeper.look()
    made.write(p=POLICY)
    with capture_logs() as logged:
        looks = [done(keeper.look()).result for _ in range(2)]
    assert looks == [Result.UNCHANGED, Result.UNCHANGED]
    assert [(entry["event"], entry["log_level"], entry["revision"]) for entry in logged] == [
        ("policies_restored", "info", keeper.in_force().revision)
    ]
    assert (keeper.rejected, made.meter.seen, made.swapped) == (None, ["rejected", "settled"], [])


def test_a_rejected_set_that_is_mended_goes_into_force(house: Make) -> None:
    """The rejection is forgotten with it."""
    made = house()
    keeper = made.keeper()
    made.write(p=OTHER)
    assert done(keeper.look()).result is Result.REJECTED
    made.write(p_test=OTHER_TESTS)
    look = done(keeper.look())
    assert (look.result, keeper.rejected) == (Result.ACCEPTED, None)
    assert made.meter.seen == ["rejected", f"accepted {look.revision}"]


def test_what_was_rejected_is_judged_once(house: Make) -> None:
    """A look every second neither runs the tests again nor logs nor counts; it still says what is wrong."""
    made = house()
    keeper = made.keeper()
    made.write(p=BROKEN)
    first = done(keeper.look())
    with capture_logs() as logged:
        second = done(keeper.look())
    assert (second.result, second.problems, second.found_revision) == (
        Result.REJECTED,
        first.problems,
        first.found_revision,
    )
    assert (made.meter.seen, logged) == (["rejected"], [])


def test_asked_again_it_judges_again_and_keeps_the_time_of_the_rejection(house: Make) -> None:
    """`usher reload`: tests that were too slow may pass on a machine that has rest now."""
    made = house()
    keeper = made.keeper()
    made.write(p=BROKEN)
    keeper.look()
    before = keeper.rejected
    assert before is not None
    with capture_logs() as logged:
        assert done(keeper.look(again=True)).result is Result.REJECTED
    after = keeper.rejected
    assert after is not None
    assert (after.since, after.since_monotonic) == (before.since, before.since_monotonic)
    assert made.meter.seen == ["rejected", "rejected"]
    assert events(logged) == ["policies_rejected"]


def test_another_rejected_set_is_rejected_since_then(house: Make) -> None:
    """It is the newest set whose time counts."""
    made = house()
    keeper = made.keeper()
    made.write(p=BROKEN)
    keeper.look()
    before = keeper.rejected
    time.sleep(0.01)
    made.write(p=BROKEN + "# still\n")
    keeper.look()
    after = keeper.rejected
    assert before is not None
    assert after is not None
    assert after.revision != before.revision
    assert after.since_monotonic > before.since_monotonic


@pytest.mark.parametrize(("gate", "result"), [("tests", "rejected"), ("check", "accepted"), ("off", "accepted")])
def test_the_gate_is_the_settings(house: Make, gate: str, result: str) -> None:
    """A set that fails its tests is what an admin asked for with a lower gate."""
    made = house(policies__gate=gate)
    keeper = made.keeper()
    made.write(p=OTHER)
    assert done(keeper.look()).result == result


def test_warnings_are_told_and_the_set_is_in_force(house: Make) -> None:
    """A set without tests, for example."""
    made = house()
    keeper = made.keeper()
    (made.folders.policies / "p_test.yaml").unlink()
    look = done(keeper.look())
    assert (look.result, [problem.code for problem in look.problems]) == (Result.ACCEPTED, ["no-tests"])


class Restless(Keeper):
    """A keeper whose folder is edited between its readings; counts them."""

    edits: Iterator[Callable[[], object]] = iter(())
    readings = 0

    def _read(self) -> Candidate:
        """Let the next edit happen, then read."""
        next(self.edits, lambda: None)()
        self.readings += 1
        return super()._read()


def restless(made: House, *edits: Callable[[], object]) -> Restless:
    """Return a keeper whose readings find these edits, one each."""
    keeper = made.keeper(Restless)
    assert isinstance(keeper, Restless)
    keeper.edits = iter(edits)
    return keeper


def test_a_folder_that_is_still_being_written_is_not_judged(house: Make) -> None:
    """Truncated, half written, tests missing: several saves become one set, which is judged once it rests."""
    made = house()
    keeper = restless(
        made,
        lambda: made.write(p=""),
        lambda: made.write(p=OTHER[:30]),
        lambda: made.write(p=OTHER),
        lambda: made.write(p_test=OTHER_TESTS),
    )
    with capture_logs() as logged:
        look = done(keeper.look())
    assert (look.result, titles(keeper.in_force())) == (Result.ACCEPTED, "y")
    assert keeper.readings == 5
    assert (events(logged), made.meter.seen) == (["policies_reloaded"], [f"accepted {look.revision}"])


def test_a_folder_that_settles_as_it_was_is_unchanged(house: Make) -> None:
    """An editor that moves the old file away, and back."""
    made = house()
    keeper = restless(made, (made.folders.policies / "p.yaml").unlink, lambda: made.write(p=POLICY))
    with capture_logs() as logged:
        assert done(keeper.look()).result is Result.UNCHANGED
    assert (made.meter.seen, logged) == ([], [])


def test_a_folder_that_never_rests_is_judged_all_the_same(house: Make) -> None:
    """Something writes there without end: that must not keep a sound set from going into force."""
    made = house({"p": POLICY})
    (made.folders.policies / "testdata").mkdir()
    path = made.folders.policies / "testdata" / "log.json"
    keeper = restless(made, *(lambda number=number: path.write_text(str(number), "utf-8") for number in range(1000)))
    assert done(keeper.look()).result is Result.ACCEPTED
    assert keeper.readings < 100


def test_a_changed_folder_rests_as_long_as_the_settings_say(house: Make) -> None:
    """And one that has not changed is not waited for."""
    made = house(policies__settle_seconds=0.2)
    keeper = made.keeper()
    began = time.monotonic()
    keeper.look()
    quick = time.monotonic() - began
    made.write(p=OTHER, p_test=OTHER_TESTS)
    look = done(keeper.look())
    assert look.result is Result.ACCEPTED
    assert quick < 0.2 <= look.seconds


def test_one_looks_at_a_time(house: Make) -> None:
    """Who asks meanwhile is told that a look is under way, and may ask again afterwards."""
    made = house()
    meanwhile: list[Look | None] = []
    keeper = made.keeper(before_swap=lambda _: meanwhile.append(keeper.look(again=True)))
    made.write(p=OTHER, p_test=OTHER_TESTS)
    assert done(keeper.look()).result is Result.ACCEPTED
    assert meanwhile == [None]
    assert done(keeper.look()).result is Result.UNCHANGED


def test_what_depends_on_the_set_is_replaced_before_it_answers(house: Make) -> None:
    """APPSEC: an attribute that is no longer public must not be logged readable for one moment."""
    made = house()
    seen: list[tuple[str, str]] = []
    keeper = made.keeper(before_swap=lambda new: seen.append((titles(new), titles(keeper.in_force()))))
    made.write(p=OTHER, p_test=OTHER_TESTS)
    keeper.look()
    assert seen == [("y", "x")]


def test_a_fault_before_the_swap_leaves_all_as_it_was_and_frees_the_way(house: Make) -> None:
    """Half a swap would be worse than none; the next look may succeed."""
    made, faults = house(), [OSError("x")]

    def fails_once(_: PolicySet) -> None:
        if faults:
            raise faults.pop()

    keeper = made.keeper(before_swap=fails_once)
    before = keeper.in_force()
    made.write(p=OTHER, p_test=OTHER_TESTS)
    with pytest.raises(OSError, match="x"):
        keeper.look()
    assert keeper.in_force() is before
    assert made.meter.seen == []
    assert done(keeper.look()).result is Result.ACCEPTED


def test_a_fault_in_a_look_does_not_end_the_watch(house: Make) -> None:
    """It is logged by type and place, never by its text, and the next hint is followed."""
    made, faults = house(), [KeyError("Geheimnis")]

    def fails_once(_: PolicySet) -> None:
        if faults:
            raise faults.pop()

    keeper = made.keeper(before_swap=fails_once)
    made.write(p=OTHER, p_test=OTHER_TESTS)
    with capture_logs() as logged:
        keeper.run([None, None])
    assert events(logged) == ["policies_look_failed", "policies_reloaded"]
    assert (logged[0]["error"], logged[0]["place"].startswith("test_bootstrap_keeper.py:")) == ("KeyError", True)
    assert "Geheimnis" not in str(logged)
    assert titles(keeper.in_force()) == "y"


def test_the_watch_looks_at_every_hint(house: Make) -> None:
    """And ends with them."""
    made = house()
    keeper = made.keeper()

    def hints() -> Iterator[None]:
        for text, tests in ((OTHER, OTHER_TESTS), (BROKEN, OTHER_TESTS), (POLICY, TESTS)):
            made.write(p=text, p_test=tests)
            yield

    keeper.run(hints())
    assert [seen.split()[0] for seen in made.meter.seen] == ["accepted", "rejected", "accepted"]
    assert titles(keeper.in_force()) == "x"


def test_the_set_in_force_is_kept_for_the_next_start(house: Make) -> None:
    """From the start on, byte for byte, and a rejected one never takes its place."""
    made = house()
    keeper = made.keeper()
    first = load(made.folders.state)
    assert first is not None
    assert first.revision == keeper.in_force().revision
    assert {file.name for file in first.files} >= {"p.yaml", "p_test.yaml", "schemas/profiles/okta-user.schema.json"}
    made.write(p=BROKEN)
    keeper.look()
    assert load(made.folders.state) == first
    made.write(p=OTHER, p_test=OTHER_TESTS)
    keeper.look()
    second = load(made.folders.state)
    assert second is not None
    assert second.revision == keeper.in_force().revision != first.revision
    assert OTHER.encode() in {file.content for file in second.files}


def test_a_set_that_cannot_be_kept_is_in_force_all_the_same(house: Make) -> None:
    """A full disk is said once for each set, and stops neither a start nor a reload."""
    made = house()
    made.folders.state.write_bytes(b"a file in the folder's place")
    with capture_logs() as logged:
        keeper = made.keeper()
        made.write(p=OTHER, p_test=OTHER_TESTS)
        assert done(keeper.look()).result is Result.ACCEPTED
    assert events(logged) == ["last_good_not_kept", "policies_reloaded", "last_good_not_kept"]
    assert FILE_NAME in logged[0]["reason"]
    assert titles(keeper.in_force()) == "y"


def rules(*names: str) -> str:
    """Return a policy with a rule of each name."""
    return "policy: p\nrules:\n" + "".join(
        f"  - {{id: {name}, when: \"'{name}' in context.conflicts\", set: {{user.title: {{value: x}}}}}}\n"
        for name in names
    )


def test_an_accepted_set_is_one_line_that_names_what_changed(house: Make) -> None:
    """Rules by their names alone, other things with what they are; with tests, warnings and the time it took."""
    made = house({"p": rules("a", "b"), "p_test": TESTS})
    keeper = made.keeper()
    made.write(p=rules("a", "c").replace("rules:", "constants: {town: Ulm}\nrules:"))
    (made.folders.policies / "tables").mkdir()
    (made.folders.policies / "tables" / "t.yaml").write_text("[a]\n", encoding="utf-8")
    with capture_logs() as logged:
        keeper.look()
    [line] = logged
    assert line["seconds"] > 0
    assert {name: value for name, value in line.items() if name not in {"seconds", "log_level"}} == {
        "event": "policies_reloaded",
        "revision": keeper.in_force().revision,
        "added": "p/c, table t",
        "removed": "p/b",
        "changed": "policy p",
        "tests": 1,
        "warnings": 1,
    }


def test_a_set_of_which_only_tests_changed_names_nothing(house: Make) -> None:
    """It is another revision all the same."""
    made = house()
    keeper = made.keeper()
    made.write(p_test=TESTS + "# more to come\n")
    with capture_logs() as logged:
        look = done(keeper.look())
    assert (look.result, look.changes) == (Result.ACCEPTED, ())
    assert not {kind.value for kind in Kind} & logged[0].keys()


def test_a_long_list_is_cut(house: Make) -> None:
    """The line stays one line; `usher diff` tells all."""
    made = house({"p": rules("a"), "p_test": TESTS})
    keeper = made.keeper()
    made.write(p=rules("a", *(f"r{number:02d}" for number in range(MAX_TOLD + 2))))
    with capture_logs() as logged:
        keeper.look()
    told = ", ".join(f"p/r{number:02d}" for number in range(MAX_TOLD))
    assert logged[0]["added"] == f"{told} and 2 more"


def test_a_rejected_set_is_one_line_with_the_first_problem(house: Make) -> None:
    """With how many there are, and what answers instead; nothing of it breaks the line."""
    made = house()
    keeper = made.keeper()
    made.write(p=BROKEN + "  - id: b\n    set: {user.nickNam: {value: x}}\n")
    with capture_logs() as logged:
        keeper.look()
    [line] = logged
    assert (line["event"], line["log_level"], line["errors"]) == ("policies_rejected", "error", 2)
    assert line["revision_in_force"] == keeper.in_force().revision
    assert line["first"].startswith(f"{made.folders.policies.as_posix()}/p.yaml:5:11: unknown-attribute: ")
    assert not [value for value in line.values() if "\n" in str(value)]


def test_a_start_that_fell_back_knows_what_was_rejected(house: Make) -> None:
    """The last good set answers; the folder's own is rejected from the start, and what is kept stays."""
    made = house()
    kept = made.keeper().in_force()
    archive = load(made.folders.state)
    made.write(p=BROKEN)
    with capture_logs() as logged:
        keeper = made.keeper()
    assert keeper.in_force().revision == kept.revision
    assert keeper.fell_back
    assert keeper.rejected is not None
    assert keeper.rejected.revision == made.candidate().revision
    assert events(logged) == ["policies_rejected"]
    assert load(made.folders.state) == archive
    assert made.meter.seen == ["rejected"]
    assert done(keeper.look()).result is Result.REJECTED
    assert made.meter.seen == ["rejected"]


@pytest.mark.parametrize(
    ("text", "tests", "result"),
    [(OTHER, OTHER_TESTS, Result.ACCEPTED), (POLICY, TESTS, Result.UNCHANGED)],
    ids=["another set", "the kept set itself"],
)
def test_a_start_that_fell_back_is_over_when_the_folder_is_sound(
    house: Make, text: str, tests: str, result: Result
) -> None:
    """Whether it is mended or taken back."""
    made = house()
    made.keeper()
    made.write(p=BROKEN)
    keeper = made.keeper()
    made.write(p=text, p_test=tests)
    assert done(keeper.look()).result is result
    assert (keeper.fell_back, keeper.rejected) == (False, None)


@pytest.mark.parametrize("save", ["rename", "delete", "move the folder", "link"])
def test_every_way_to_save_is_a_new_set(house: Make, save: str) -> None:
    """What counts is what lies there, not how it came."""
    made = house({"p": rules("a"), "q": rules("b").replace("policy: p", "policy: q"), "p_test": TESTS})
    keeper = made.keeper()
    folder = made.folders.policies
    if save == "rename":
        (folder / "q.yaml").rename(folder / "r.yaml")
    elif save == "delete":
        (folder / "q.yaml").unlink()
    else:
        shutil.copytree(folder, made.base / "new")
        (made.base / "new" / "q.yaml").unlink()
        folder.rename(made.base / "old")
        if save == "link":
            try:
                folder.symlink_to(made.base / "new")
            except OSError:
                pytest.skip("no right to make links here")
        else:
            (made.base / "new").rename(folder)
    look = done(keeper.look())
    assert look.result is Result.ACCEPTED
    assert [change.name for change in look.changes] == ([] if save == "rename" else ["q", "q/b"])


class MovesOn(Keeper):
    """A keeper whose folder changes at the first look that is taken while tests run."""

    meanwhile: Callable[[], None] | None = None

    def _still(self, candidate: Candidate) -> Callable[[], bool]:
        def wanted() -> bool:
            if self.meanwhile is not None:
                change, self.meanwhile = self.meanwhile, None
                change()
            return self._read().revision == candidate.revision

        return wanted


def test_a_set_that_has_been_replaced_is_not_judged_to_its_end(house: Make) -> None:
    """A good set that is saved while another is tested goes into force at the same look; the other is never told of."""
    made = house()
    keeper = made.keeper(MovesOn)
    assert isinstance(keeper, MovesOn)
    keeper.meanwhile = lambda: made.write(p=OTHER, p_test=OTHER_TESTS)
    made.write(p=OTHER.replace("value: y", "value: z"))
    look = done(keeper.look())
    assert (look.result, look.revision) == (Result.ACCEPTED, made.candidate().revision)
    assert titles(keeper.in_force()) == "y"
    assert made.meter.seen == [f"accepted {look.revision}"]


class Impatient(Keeper):
    """A keeper that tries again at once."""

    try_again_seconds = 0.0


def test_a_set_that_was_too_slow_is_tried_again_after_a_while(house: Make) -> None:
    """The machine may have been busy; what fails for any other reason waits for an edit."""
    made = house(policies__gate_seconds=0.1)
    case = TESTS[TESTS.index("  - name") :]
    slow = TESTS + "".join(case.replace("a title", f"title {number}") for number in range(2000))
    for kind, tried_again in ((Keeper, False), (Impatient, True)):
        made.write(p=POLICY, p_test=TESTS)
        keeper = made.keeper(kind)
        made.write(p=OTHER, p_test=slow.replace("title: x}}", "title: y}}"))
        assert [problem.code for problem in done(keeper.look()).problems] == ["tests-too-slow"]
        assert (done(keeper.look()).seconds > 0) is tried_again
        made.write(p=BROKEN)
        assert done(keeper.look()).result is Result.REJECTED
        assert done(keeper.look()).seconds == 0
