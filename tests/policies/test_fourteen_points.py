"""What directory teams say about names, matching and cleaning, each as requests and answers: tests/golden/points/."""

import copy
import json
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.policies.asking import POINTS, Desk, Json, Point, login_given, with_event
from usher.bootstrap.schemas import Schemas
from usher.domain.decision import Outcome
from usher.domain.fold import fold
from usher.engine import PolicySet

NAMES = sorted(path.name for path in POINTS.iterdir())


@pytest.fixture(params=NAMES)
def point(request: pytest.FixtureRequest) -> Point:
    """Return each point in turn."""
    return Point.read(POINTS / request.param)


def test_there_are_fourteen_points() -> None:
    """Each point of the list has a folder, and each folder a request for every answer."""
    assert [name[:2] for name in NAMES] == [f"{number:02}" for number in range(1, 15)]
    for name in NAMES:
        files = {path.name for path in (POINTS / name).glob("*.json")} - {"directory.json", "namespaces.json"}
        asked = {file for file in files if not file.endswith(".expected.json")}
        assert files == asked | {file.replace(".json", ".expected.json") for file in asked}, name


def test_each_request_in_a_row_gets_its_answer(point: Point, shipped: PolicySet, schemas: Schemas) -> None:
    """Two or more calls on one ledger give exactly the golden commands or the golden error."""
    desk = Desk.for_point(point, shipped, schemas)
    assert [desk.ask(request) for request in point.requests] == list(point.expected)
    assert desk.undecided == []


def test_nothing_in_a_point_fails(point: Point, shipped: PolicySet, schemas: Schemas) -> None:
    """No rule errs, no value breaks its schema, no two rules disagree."""
    desk = Desk.for_point(point, shipped, schemas)
    for request in point.requests:
        desk.ask(request)
    assert [(record.errors, record.conflicts) for record in desk.kept.records] == [((), ())] * len(point.requests)


def test_a_retry_gets_the_same_answer(point: Point, shipped: PolicySet, schemas: Schemas) -> None:
    """A call that is repeated at once, as after a timeout, is answered like the first one."""
    desk = Desk.for_point(point, shipped, schemas)
    for request, expected in zip(point.requests, point.expected, strict=True):
        assert [desk.ask(request), desk.ask(request)] == [expected, expected]


def test_a_row_that_comes_back_gets_the_same_answer(point: Point, shipped: PolicySet, schemas: Schemas) -> None:
    """Rows an admin did not confirm come again with new event ids, last row first: every login stays."""
    desk = Desk.for_point(point, shipped, schemas)
    for request in point.requests:
        desk.ask(request)
    again = [desk.ask(with_event(request, f"{request['eventId']}-again")) for request in reversed(point.requests)]
    assert list(reversed(again)) == list(point.expected)


def test_the_guides_case_is_the_shipped_test_request(root: Path) -> None:
    """The second point is the request that the README and `usher demo` show."""
    shown = json.loads((root / "policies/testdata/george-alexander-smith.json").read_text(encoding="utf-8"))
    assert Point.read(POINTS / "02-middle-name").requests == (shown,)


def twins() -> Point:
    """Return the point of the two John Smiths."""
    return Point.read(POINTS / "04-two-of-one-name")


def test_two_people_of_one_name_in_the_other_order(shipped: PolicySet, schemas: Schemas) -> None:
    """Whoever comes first has the plain login, whichever of the two that is."""
    point = twins()
    desk = Desk.for_point(point, shipped, schemas)
    assert [desk.ask(request) for request in reversed(point.requests)] == list(point.expected)


def numbered(request: Json, number: int) -> Json:
    """Return the row as another person's."""
    row = copy.deepcopy(request)
    row["eventId"] = f"thread-{number}"
    row["data"]["appUser"]["profile"]["externalId"] = str(number)
    return row


def test_eight_people_of_one_name_at_once(shipped: PolicySet, schemas: Schemas) -> None:
    """Eight threads ask at the same moment, each twice: eight logins, each kept."""
    point = twins()
    desk = Desk.for_point(point, shipped, schemas)
    rows = [numbered(point.requests[0], number) for number in range(8)]
    start = threading.Barrier(len(rows))
    given: dict[int, set[str]] = {}

    def ask(number: int) -> None:
        start.wait()
        first = login_given(rows[number], desk.ask(rows[number]))
        second = login_given(rows[number], desk.ask(with_event(rows[number], f"again-{number}")))
        given[number] = {first, second}

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(len(rows))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert desk.undecided == []
    assert all(len(logins) == 1 for logins in given.values()), given
    wanted = {"john.smith@example.com", *(f"john.smith{number}@example.com" for number in range(2, 9))}
    assert {login for logins in given.values() for login in logins} == wanted


def test_nobody_gets_what_the_directory_or_another_row_has(point: Point, shipped: PolicySet, schemas: Schemas) -> None:
    """In every point, the logins of created rows differ from each other and from those of all known users."""
    desk = Desk.for_point(point, shipped, schemas)
    namespace = point.namespaces["login"]
    owners: dict[str, object] = {namespace.key(str(user["login"])): user["id"] for user in point.directory}
    for number, request in enumerate(point.requests):
        answer = desk.ask(request)
        if desk.kept.records[-1].outcome is not Outcome.HOLD and not linked(answer):
            key = namespace.key(fold(login_given(request, answer)))
            assert owners.setdefault(key, number) == number, (point.name, number)


def linked(answer: Mapping[str, list[Json]]) -> bool:
    """Say whether the row ends in a link."""
    return any(command["value"].get("result") == "LINK_USER" for command in answer.get("commands", ()))
