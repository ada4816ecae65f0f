"""The directory in SQL: whom it finds, and what becomes of loads that go well, fail, meet or die. On both databases."""

import itertools
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, inspect, select, text

from tests.postgresql import Cluster
from usher.adapters.okta_users import BadRow, FoundUser, Row
from usher.adapters.sql.database import Database, DatabaseOptions, url_of
from usher.adapters.sql.directory import MAX_FOUND, SqlDirectory
from usher.adapters.sql.directory_facts import directory_facts
from usher.adapters.sql.directory_generations import KEPT_SECONDS, SILENT_SECONDS, LoadLostError, LoadUnderWayError
from usher.adapters.sql.directory_keys import Keying
from usher.adapters.sql.directory_loading import (
    TOLD_ROWS,
    BadRowsError,
    LoadOptions,
    LoadRefusedError,
    load,
)
from usher.adapters.sql.directory_packing import DICTIONARY_BYTES, Packing, UnreadableUserError
from usher.adapters.sql.directory_room import NoRoomError, require_room
from usher.adapters.sql.directory_tables import CURRENT, GENERATIONS, tables_of
from usher.adapters.sql.versions import migrate
from usher.engine import MemoryDirectory, Namespace, Patience, StoreError, User
from usher.engine.stores import LOGIN

SECOND = 1_000_000_000
MAIL = Namespace("mail", (".ext",), "local", ("login", "email"))
BADGE = Namespace("badge", directory=("employeeNumber",))
NOTHING = Namespace("nothing", directory=())
NAMESPACES = (LOGIN, MAIL, BADGE, NOTHING)
KEYING = Keying.of(NAMESPACES, ["employeeNumber"])
ANN = {"id": "00u1", "status": "ACTIVE", "login": "Ann.Lee@example.com", "employeeNumber": "7"}
BO = {"id": "00u2", "status": "DEPROVISIONED", "login": "bo@example.com", "employeeNumber": "8"}


class Time:
    """A clock that goes when it is told to; `seconds` since it began."""

    def __init__(self) -> None:
        self.seconds = 1_772_442_000.0

    def monotonic(self) -> float:
        """Return seconds."""
        return self.seconds

    def nanoseconds(self) -> int:
        """Return nanoseconds since 1970."""
        return int(self.seconds * SECOND)


class Desk:
    """A directory's database with whoever loads into it and looks at it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.time = Time()

    def load(
        self,
        users: Iterable[Row | User],
        keying: Keying = KEYING,
        *,
        allow_empty: bool = False,
        allow_shrink: bool = False,
    ) -> int:
        """Load users, each on a line of its own; return the number of the generation."""
        asked = LoadOptions(allow_empty=allow_empty, allow_shrink=allow_shrink, clock=self.time.nanoseconds)
        return load(self.database, placed(users), keying, "users.ndjson", asked).generation

    def directory(self, keying: Keying = KEYING) -> SqlDirectory:
        """Return a directory that has asked nothing yet."""
        return SqlDirectory(self.database, keying, clock=self.time.monotonic)

    def ids(self, attribute: str = "login", value: str = "ann.lee@example.com") -> list[object]:
        """Return the ids of the users who are found now."""
        generation = self.directory().generation(self.database.patience())
        return [user["id"] for user in generation.find(attribute, value)]

    def tables(self) -> set[str]:
        """Return the tables of generations that are there."""
        with self.database.reading(self.database.patience()) as connection:
            return {name for name in inspect(connection).get_table_names() if name.startswith(("users_", "entries_"))}

    def generations(self) -> list[int]:
        """Return the generations on record."""
        with self.database.reading(self.database.patience()) as connection:
            return list(connection.execute(select(GENERATIONS.c.id).order_by(GENERATIONS.c.id)).scalars())


@pytest.fixture
def desk(store_url: str, tmp_path: Path) -> Iterator[Desk]:
    """Return a directory into which nothing was loaded yet."""
    with opened(store_url, tmp_path) as desk:
        yield desk


@contextmanager
def opened(url: str, folder: Path) -> Iterator[Desk]:
    """Lend the directory of a database that is there, empty or not there yet."""
    with closing(Database(url_of(url, folder, "directory.url"), "directory", DatabaseOptions())) as database:
        migrate(database)
        yield Desk(database)


def placed(users: Iterable[Row | User]) -> Iterator[Row]:
    """Yield users as rows of a file."""
    for number, user in enumerate(users, start=1):
        yield user if isinstance(user, FoundUser | BadRow) else FoundUser(number, user)


def people(count: int, **attributes: object) -> list[User]:
    """Return users of whom nobody is like another."""
    return [{"id": f"00u{number}", "login": f"user{number}@example.com", **attributes} for number in range(count)]


LOGINS = st.sampled_from(
    [
        *("ann@x.com", "Ann@X.com", "änn@x.com", "ann.ext@x.com", "ann@y.com", "ann", ".ext", "@x.com", "STRASSE@x"),
        *("straße@x", "", " ", "a" * 600 + "@x.com", "\ud800@x.com", "nul\0@x.com", "7", "\u65e5\u672c@x.com"),
    ]
)
VALUES = LOGINS | st.integers(0, 9) | st.booleans() | st.lists(LOGINS, max_size=2)
USERS = st.fixed_dictionaries(
    {"login": LOGINS}, optional={"email": VALUES, "employeeNumber": VALUES, "title": st.text(max_size=5)}
)


def identified(people: Sequence[Mapping[str, object]]) -> list[User]:
    """Give each an id of its own."""
    return [{**person, "id": f"id {number}", "status": "ACTIVE"} for number, person in enumerate(people)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(users=st.lists(USERS, max_size=12).map(identified), values=st.lists(LOGINS, min_size=1, max_size=8))
def test_it_finds_whom_the_directory_in_memory_finds(desk: Desk, users: list[User], values: list[str]) -> None:
    """Whatever the users and whatever is asked, one by one or many at once: the same users, as they were, in order."""
    desk.time.seconds += 2 * KEPT_SECONDS
    desk.load(users, allow_empty=True, allow_shrink=True)
    here, memory = desk.directory().generation(Patience()), MemoryDirectory(users)
    for attribute, value in itertools.product(("id", "login", "employeeNumber"), [*values, "id 0", "id 1"]):
        assert list(here.find(attribute, value)) == list(memory.find(attribute, value))
    pairs = list(itertools.product(NAMESPACES, values))
    expected = [list(found) for found in memory.holding(pairs)]
    assert [list(found) for found in here.holding(pairs)] == expected
    assert [list(here.holding([pair])[0]) for pair in pairs] == expected


def test_before_the_first_load_nobody_is_known(desk: Desk) -> None:
    """A service without a directory decides as if there were no users."""
    assert desk.ids() == []
    assert desk.directory().newest(Patience()) is None


def test_what_was_loaded_is_found_and_nobody_of_the_load_before(desk: Desk) -> None:
    """A load replaces all users."""
    assert desk.load([ANN]) == 1
    assert (desk.ids(), desk.ids("id", "00u1"), desk.ids("employeeNumber", "7")) == (["00u1"],) * 3
    assert desk.load([BO]) == 2
    assert (desk.ids(), desk.ids("id", "00u1"), desk.ids("employeeNumber", "7")) == ([],) * 3
    assert desk.ids("login", "BO@example.com") == ["00u2"]


def test_many_values_are_asked_at_once(desk: Desk) -> None:
    """More than any database takes in one statement, some of them twice, some of nobody."""
    users = people(900)
    desk.load(users)
    pairs = [(LOGIN, f"USER{number % 1_000}@example.com") for number in range(1_500)]
    found = desk.directory().generation(Patience()).holding(pairs)
    assert [[user["id"] for user in each] for each in found] == [
        [f"00u{number % 1_000}"] if number % 1_000 < 900 else [] for number in range(1_500)
    ]


def test_a_decision_keeps_its_generation(desk: Desk) -> None:
    """Also when two loads have ended since; the next one within a second begins with the newest."""
    desk.load([ANN])
    directory = desk.directory()
    before = directory.generation(Patience())
    desk.load([BO])
    desk.load([{**BO, "id": "00u3"}])
    assert [user["id"] for user in before.find("login", "ann.lee@example.com")] == ["00u1"]
    desk.time.seconds += 0.9
    assert directory.generation(Patience()).find("id", "00u3") == ()
    desk.time.seconds += 0.1
    assert [user["id"] for user in directory.generation(Patience()).find("login", "bo@example.com")] == ["00u3"]


def test_the_current_generation_is_asked_for_once_a_second(desk: Desk) -> None:
    """Until then it costs nothing, even while the database is away."""
    desk.load([ANN])
    directory = desk.directory()
    known = directory.newest(Patience())
    with desk.database.writing(Patience()) as connection:
        connection.execute(text("DELETE FROM current_generation"))
    assert directory.newest(Patience()) is known
    desk.time.seconds += 1
    assert directory.newest(Patience()) is None


@pytest.mark.parametrize(
    "asked",
    [
        Keying.of([*NAMESPACES, Namespace("new", directory=("email",))], []),
        Keying.of([Namespace("mail", (".ext",), "whole", ("login", "email"))], []),
        Keying.of([Namespace("mail", (), "local", ("login", "email"))], []),
        Keying.of(NAMESPACES, ["employeeNumber", "title"]),
        Keying(NAMESPACES, (), fold_version=0),
    ],
    ids=["a namespace more", "another comparison", "other affixes", "an attribute more", "another fold"],
)
def test_keys_that_were_made_otherwise_are_not_asked(desk: Desk, asked: Keying) -> None:
    """They would find nobody, and somebody's login would be given away."""
    desk.load([ANN])
    with pytest.raises(StoreError) as raised:
        desk.directory(asked).generation(Patience())
    assert (raised.value.store, raised.value.reason) == (
        "directory",
        "it was loaded with other settings; load it again",
    )
    assert directory_facts(desk.directory(asked), Patience())["settingsAgree"] is False
    desk.load([ANN], asked)
    assert desk.directory(asked).generation(Patience()).find("id", "00u1")


@pytest.mark.parametrize(
    "asked",
    [
        Keying.of([LOGIN], []),
        Keying.of([Namespace("renamed", (".ext",), "local", ("email", "login"))], ["id", "login", "employeeNumber"]),
    ],
)
def test_settings_that_ask_for_less_or_use_other_names_agree(desk: Desk, asked: Keying) -> None:
    """What they look for was loaded."""
    desk.load([ANN])
    assert desk.directory(asked).generation(Patience()).find("id", "00u1")


def test_what_has_no_keys_is_not_told_to_be_free(desk: Desk) -> None:
    """An attribute that is not indexed and a namespace nobody declared are errors, not "nobody"."""
    desk.load([ANN])
    generation = desk.directory().generation(Patience())
    with pytest.raises(StoreError, match="not indexed by this attribute"):
        generation.find("status", "ACTIVE")
    with pytest.raises(StoreError, match="without this namespace"):
        generation.holding([(LOGIN, "x"), (Namespace("other", directory=("title",)), "x")])


@pytest.mark.parametrize("count", [MAX_FOUND, MAX_FOUND + 1])
def test_a_value_that_too_many_share_is_an_error(desk: Desk, count: int) -> None:
    """A placeholder such as 0 must not hold up a service; as many as can be read in time are found."""
    desk.load(people(count, employeeNumber="0"))
    generation = desk.directory().generation(Patience())
    if count <= MAX_FOUND:
        assert len(generation.find("employeeNumber", "0")) == count
        return
    for question in (lambda: generation.find("employeeNumber", "0"), lambda: generation.holding([(BADGE, "0")] * 2)):
        with pytest.raises(StoreError, match="more than 1,000 users have what was looked up"):
            question()


def test_values_of_which_each_has_few_users_are_found_at_once(desk: Desk) -> None:
    """However many they have together."""
    desk.load([{**user, "employeeNumber": "abc"[number // 600]} for number, user in enumerate(people(1_800))])
    found = desk.directory().generation(Patience()).holding([(BADGE, badge) for badge in "abcd"])
    assert [len(users) for users in found] == [600, 600, 600, 0]
    assert [user["id"] for user in found[1]] == [f"00u{number}" for number in range(600, 1_200)]


def test_a_bad_row_keeps_everything_out(desk: Desk) -> None:
    """All bad rows are told in order, those of one id among them; what was current stays, and nothing is left over."""
    desk.load([ANN])
    bad = BadRow(3, "not-json", "not JSON")
    with pytest.raises(BadRowsError) as raised:
        desk.load([BO, {**BO, "login": "x"}, bad, {**BO, "login": "y"}, {**BO, "id": "00u4"}])
    assert raised.value.rows == (
        BadRow(2, "duplicate-id", "line 1 has the same id"),
        bad,
        BadRow(4, "duplicate-id", "line 1 has the same id"),
    )
    assert raised.value.count == 3
    assert desk.ids() == ["00u1"]
    assert desk.tables() == {"users_1", "entries_1"}
    assert desk.generations() == [1]


def test_of_many_bad_rows_the_first_are_told_and_all_are_counted(desk: Desk) -> None:
    """A file of another kind must not fill the screen."""
    users = people(TOLD_ROWS)
    broken = [BadRow(number, "not-json", "") for number in range(1_000, 1_000 + 6_000)]
    with pytest.raises(BadRowsError, match=r"^6,100 bad rows$") as raised:
        desk.load(itertools.chain(placed([*users, *users]), broken))
    assert [row.line for row in raised.value.rows] == [*range(101, 201)]


class StopError(Exception):
    """What ends a file too early."""


@pytest.mark.parametrize("error", [StopError, KeyboardInterrupt])
@pytest.mark.parametrize("read", [0, 3, 12_000])
def test_a_load_that_ends_too_early_leaves_nothing(desk: Desk, error: type[BaseException], read: int) -> None:
    """By Ctrl-C, or because the file cannot be read any more."""
    desk.load([ANN])

    def broken() -> Iterator[User]:
        yield from people(read)
        raise error

    with pytest.raises(error):
        desk.load(broken())
    assert desk.ids() == ["00u1"]
    assert (desk.tables(), desk.generations()) == ({"users_1", "entries_1"}, [1])
    assert desk.load([BO]) > 2


def test_a_database_that_refuses_a_row_ends_the_load(desk: Desk) -> None:
    """Told as any failure of a store is, and nothing is left; here two users come from one line."""
    desk.load([ANN])
    with pytest.raises(StoreError, match="the directory cannot be used: it refuses a value"):
        desk.load([FoundUser(1, ANN), FoundUser(1, BO)])
    assert desk.ids() == ["00u1"]
    assert desk.generations() == [1]
    desk.load([BO])


def test_a_database_that_goes_away_ends_the_load(postgresql: Cluster, postgresql_url: str, tmp_path: Path) -> None:
    """When it is back, what was current still is; what was left is removed when the load counts as dead."""

    def killing() -> Iterator[User]:
        yield from people(12_000)
        postgresql.kill()

    with opened(postgresql_url, tmp_path) as desk:
        desk.load([ANN])
        with pytest.raises(StoreError):
            desk.load(killing())
    postgresql.wake()
    with opened(postgresql_url, tmp_path) as desk:
        assert desk.ids() == ["00u1"]
        assert desk.generations() == [1, 2]
        desk.time.seconds += SILENT_SECONDS
        newest = desk.load([BO])
        assert desk.generations() == [1, newest]
        assert desk.tables() == {"users_1", "entries_1", f"users_{newest}", f"entries_{newest}"}


@pytest.mark.parametrize(
    ("total", "free", "rows", "needed"),
    [
        (10**12, 64_000_000, 0, 0),
        (10**12, 63_999_999, 0, 64),
        (10**12, 123_999_999, 1_000_000, 124),
        (10**12, 124_000_000, 1_000_000, 0),
        (50_000_000, 5_000_000, 0, 0),
        (50_000_000, 4_999_999, 0, 5),
    ],
)
def test_a_load_leaves_room_on_the_disk(desk: Desk, total: int, free: int, rows: int, needed: int) -> None:
    """For the ledger and the logs beside an SQLite file: it ends while what it wrote can still be removed."""
    measured = partial(require_room, desk.database, rows_to_index=rows, usage=lambda _: (total, total - free, free))
    if not needed or not desk.database.is_sqlite:
        measured()
        return
    message = f"has {free // 1_000_000} MB left, and the load needs {needed} MB to go on; nothing is loaded"
    with pytest.raises(NoRoomError, match=message):
        measured()


def test_a_folder_that_cannot_be_measured_is_left_to_the_database(desk: Desk) -> None:
    """It knows best what is wrong."""

    def gone(_: Path) -> NoReturn:
        raise FileNotFoundError

    require_room(desk.database, usage=gone)


def test_one_load_at_a_time(desk: Desk) -> None:
    """The second is told since when, and when a dead one counts as dead; the first goes on."""

    def meeting() -> Iterator[User]:
        desk.time.seconds += 60
        yield ANN
        desk.time.seconds += SILENT_SECONDS - 61
        with pytest.raises(LoadUnderWayError) as raised:
            desk.load([BO])
        assert str(raised.value) == (
            "a load of users.ndjson has been under way since 09:00:00 UTC; "
            "if it was killed, load again after 09:10:00 UTC"
        )

    desk.load(meeting())
    assert desk.ids() == ["00u1"]


def test_a_load_that_gives_no_sign_of_life_is_replaced(desk: Desk) -> None:
    """Killed, or asleep: what it left is removed. If it wakes up after all, it fails, and harms nobody."""

    def asleep() -> Iterator[User]:
        yield ANN
        desk.time.seconds += SILENT_SECONDS
        desk.load([BO])

    with pytest.raises(LoadLostError, match="no sign of life for 10 minutes, and another has taken its place"):
        desk.load(asleep())
    assert desk.ids("id", "00u2") == ["00u2"]
    assert (desk.tables(), desk.generations()) == ({"users_2", "entries_2"}, [2])


def test_a_load_that_is_slow_gives_signs_of_life(desk: Desk) -> None:
    """Each time it writes: 10 minutes of silence are counted from there."""

    def slow() -> Iterator[User]:
        for user in people(15_000):
            desk.time.seconds += SILENT_SECONDS / 10_000
            yield user
        with pytest.raises(LoadUnderWayError):
            desk.load([BO])

    desk.load(slow())
    assert desk.ids("id", "00u14999") == ["00u14999"]


def test_an_old_generation_stays_while_a_decision_may_read_it(desk: Desk) -> None:
    """A minute after it was replaced, the next load removes it; the current one it never removes."""
    desk.load([ANN])
    desk.time.seconds += 10 * KEPT_SECONDS
    desk.load([ANN])
    desk.time.seconds += KEPT_SECONDS
    desk.load([ANN])
    assert desk.generations() == [1, 2, 3]
    desk.time.seconds += 1
    desk.load([ANN])
    assert desk.generations() == [2, 3, 4]
    assert desk.tables() == {"users_2", "entries_2", "users_3", "entries_3", "users_4", "entries_4"}


def test_a_file_without_users_must_be_meant(desk: Desk) -> None:
    """An export that failed is empty, too."""
    desk.load([ANN])
    with pytest.raises(LoadRefusedError, match="there are no users in it; --allow-empty loads it nevertheless"):
        desk.load([], allow_shrink=True)
    assert desk.ids() == ["00u1"]
    desk.load([], allow_empty=True)
    assert desk.ids() == []
    desk.load([ANN])
    assert desk.ids() == ["00u1"]


@pytest.mark.parametrize(("count", "is_enough"), [(5, True), (4, False)])
def test_a_file_with_less_than_half_of_the_users_must_be_meant(desk: Desk, count: int, *, is_enough: bool) -> None:
    """An export that broke off would make the missing people's logins free."""
    desk.load(people(10))
    if is_enough:
        desk.load(people(count))
        return
    with pytest.raises(LoadRefusedError, match=r"^4 users after 10 before; --allow-shrink loads them nevertheless$"):
        desk.load(people(count))
    assert desk.ids("id", "00u9") == ["00u9"]
    desk.load(people(count), allow_shrink=True)
    assert desk.ids("id", "00u9") == []


def test_who_reads_during_loads_sees_one_whole_load_after_another(desk: Desk) -> None:
    """Nobody waits, nothing fails, and no two loads are mixed."""
    seen: list[set[object]] = []
    done = threading.Event()

    def look() -> None:
        directory = SqlDirectory(desk.database, KEYING)
        while not done.is_set():
            generation = directory.generation(Patience(5.0))
            found = [generation.find("id", f"00u{number}")[0]["load"] for number in (0, 500, 999)]
            seen.append({*found, generation.holding([(LOGIN, "user7@example.com")])[0][0]["load"]})

    desk.load(people(1_000, load=0))
    reader = threading.Thread(target=look)
    reader.start()
    for number in range(1, 4):
        desk.load(people(1_000, load=number))
    done.set()
    reader.join()
    assert seen
    assert all(len(loads) == 1 for loads in seen)


def test_the_facts_name_nobody(desk: Desk) -> None:
    """What `usher directory status` prints, before a load, after it, and during the next one."""
    assert {**directory_facts(desk.directory(), Patience()), "place": "", "sizeBytes": 1} == {
        "place": "",
        "schemaVersion": "0001",
        "generation": None,
        "users": 0,
        "loaded": None,
        "source": None,
        "settingsAgree": None,
        "sizeBytes": 1,
        "loading": None,
    }
    desk.load([ANN])
    desk.time.seconds += 60

    def meanwhile() -> Iterator[User]:
        yield BO
        facts = directory_facts(desk.directory(), Patience())
        assert [facts[name] for name in ("generation", "users", "loaded", "source", "settingsAgree")] == [
            *(1, 1, "2026-03-02T09:00:00Z", "users.ndjson", True)
        ]
        moment = "2026-03-02T09:01:00Z"
        assert facts["loading"] == {"source": "users.ndjson", "started": moment, "lastSign": moment}
        assert isinstance(facts["sizeBytes"], int)
        assert facts["sizeBytes"] > 4_096

    desk.load(meanwhile())


def test_what_is_stored_is_small_and_nameless(desk: Desk) -> None:
    """Keys are numbers, users are packed: a hundred alike take a fraction of their JSON."""
    desk.load(people(100, department="Research and Development", city="Berlin"))
    with desk.database.reading(Patience()) as connection:
        users = tables_of(1).users.c
        size = connection.execute(select(func.sum(func.length(users.attributes)))).scalar_one()
        assert size < 100 * 60
        assert connection.execute(select(CURRENT.c.generation)).scalar_one() == 1


def test_a_user_that_cannot_be_unpacked_fails_the_question(desk: Desk) -> None:
    """A damaged file must not look like a free login."""
    desk.load([ANN, BO])
    with desk.database.writing(Patience()) as connection:
        connection.execute(tables_of(1).users.update().values(attributes=b"\x00damaged"))
    with pytest.raises(StoreError, match="a user in it cannot be read; load it again"):
        desk.ids()


@given(users=st.lists(USERS, max_size=3), others=st.lists(USERS, max_size=3))
def test_a_packed_user_comes_back(users: list[User], others: list[User]) -> None:
    """Whatever users the dictionary was learned from."""
    packing = Packing.learned_from(others)
    assert len(packing.dictionary) <= DICTIONARY_BYTES
    assert [packing.unpacked(packing.packed(user)) for user in users] == users


@pytest.mark.parametrize("content", [b"", b"x", b"\x00" * 50, Packing(b"").packed(ANN)[:-4]])
def test_what_was_not_packed_is_told(content: bytes) -> None:
    """In one way."""
    with pytest.raises(UnreadableUserError):
        Packing(b"").unpacked(content)


@given(
    indexed=st.lists(st.text(max_size=5)),
    namespaces=st.lists(
        st.builds(
            Namespace,
            st.text(max_size=5),
            st.lists(st.text(max_size=3)).map(tuple),
            st.sampled_from(["whole", "local"]),
            st.lists(st.text(max_size=3)).map(tuple),
        ),
        unique_by=lambda namespace: namespace.name,
    ),
)
def test_how_keys_were_made_is_kept(indexed: list[str], namespaces: list[Namespace]) -> None:
    """What is read back serves what was written, and the other way round."""
    keying = Keying.of(namespaces, indexed)
    again = Keying.from_json(keying.as_json())
    assert again == keying
    assert again.serves(keying)
