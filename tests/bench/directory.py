"""What the directory costs: a million users loaded, then looked up; `python -m tests.bench.directory [USERS] [URL]`.

Owns the file of people who do not exist, as Okta's Users API would give them: fifteen attributes, and what comes along.
The load is a process of its own, the command itself, so that its memory is its own; look-ups are timed here.
"""

import json
import random
import resource
import string
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import quantiles

from usher.adapters.sql.database import DatabaseOptions, url_of
from usher.adapters.sql.directory import SqlDirectory
from usher.adapters.sql.directory_facts import directory_facts
from usher.bootstrap.directory import directory_database, opened_directory
from usher.engine.stores import LOGIN
from usher.settings import LoadedSettings, load

USERS = 1_000_000
LOOKUPS = 20_000
BATCH = 64
SQLITE = "sqlite:///directory.db"
MEGABYTE = 1_000_000

FIRST = ("George", "Anna", "Jürgen", "Marie", "Łukasz", "Sofía", "Chen", "Aisha", "Peter", "Björn", "Élodie", "Yūki")
LAST = ("Smith", "Müller", "Lee", "García", "Kowalski", "O'Neill", "Nowak", "Tanaka", "Singh", "Dubois", "Rossi")
DEPARTMENTS = ("Sales", "Engineering", "Human Resources", "Finance", "Legal", "Operations", "Research")
TITLES = ("Consultant", "Senior Engineer", "Account Manager", "Analyst", "Director", "Team Lead")
CITIES = (("Berlin", "DE", "Europe/Berlin"), ("London", "GB", "Europe/London"), ("Tokyo", "JP", "Asia/Tokyo"))
STATUSES = ("ACTIVE",) * 8 + ("DEPROVISIONED", "STAGED")


def login(number: int) -> str:
    """Return the login of the user with a number."""
    return f"user.{number}@example.com"


def people(count: int) -> Iterator[dict[str, object]]:
    """Yield users as the API gives them, the same each time."""
    chance = random.Random(1)  # noqa: S311 - nobody is to guess these
    letters = string.ascii_letters + string.digits
    for number in range(count):
        city, country, zone = chance.choice(CITIES)
        first, last = chance.choice(FIRST), chance.choice(LAST)
        moment = f"20{chance.randint(15, 25)}-{chance.randint(10, 12)}-{chance.randint(10, 28)}T08:00:00.000Z"
        profile = {
            "firstName": first,
            "lastName": last,
            "displayName": f"{first} {last}",
            "login": login(number),
            "email": login(number),
            "secondEmail": None,
            "mobilePhone": f"+49 170 {chance.randint(1_000_000, 9_999_999)}",
            "employeeNumber": str(number),
            "department": chance.choice(DEPARTMENTS),
            "title": chance.choice(TITLES),
            "city": city,
            "countryCode": country,
            "timezone": zone,
            "costCenter": str(chance.randint(1000, 9999)),
            "organization": "Example Corporation",
            "manager": f"{chance.choice(FIRST)} {chance.choice(LAST)}",
        }
        yield {
            "id": "00u" + "".join(chance.choices(letters, k=17)),
            "status": chance.choice(STATUSES),
            **dict.fromkeys(("created", "activated", "statusChanged", "lastLogin", "lastUpdated"), moment),
            "type": {"id": "oty1ab2cd3EF4gh5i0h7"},
            "profile": profile,
            "credentials": {"emails": [{"value": login(number), "status": "VERIFIED", "type": "PRIMARY"}]},
            "_links": {"self": {"href": "https://example.okta.com/api/v1/users/00u1ab2cd3EF4gh5i0h7"}},
        }


def write_people(file: Path, count: int) -> None:
    """Write them as NDJSON."""
    with file.open("w", encoding="utf-8") as stream:
        for person in people(count):
            stream.write(json.dumps(person, ensure_ascii=False, separators=(",", ":")) + "\n")


def load_people(file: Path, url: str, folder: Path) -> tuple[float, float]:
    """Run the command; return its seconds and the most memory it had in MB."""
    usher = str(Path(sys.executable).with_name("usher"))
    command = [usher, "directory", "load", str(file), "--set", f"directory.url={url}"]
    began = time.monotonic()
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    seconds = time.monotonic() - began
    # In KiB on Linux; no other child has run here.
    return seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / MEGABYTE


def timed(question: Callable[[int], object], *, count: int, lookups: int) -> tuple[float, float]:
    """Return median and 99th percentile in µs of a question about random numbers."""
    chance = random.Random(2)  # noqa: S311 - likewise
    taken = []
    for number in (chance.randrange(2 * count) for _ in range(lookups)):
        since = time.perf_counter()
        question(number)
        taken.append((time.perf_counter() - since) * 1e6)
    marks = quantiles(taken, n=100)
    return marks[49], marks[98]


def questions(directory: SqlDirectory) -> dict[str, Callable[[int], object]]:
    """Return what a decision asks; every second answer is "nobody"."""
    patience = directory.database.patience
    return {
        "directory('employeeNumber', …)": lambda number: directory.generation(patience()).find(
            "employeeNumber", str(number)
        ),
        "one candidate of a claim": lambda number: directory.generation(patience()).holding([(LOGIN, login(number))]),
        f"{BATCH} candidates of a claim": lambda number: directory.generation(patience()).holding(
            [(LOGIN, login(number + step)) for step in range(BATCH)]
        ),
    }


def settings_with(url: str, folder: Path) -> LoadedSettings:
    """Return settings whose directory lies at the URL."""
    return load(None, environ={}, overrides={"directory.url": url}, folder=folder)


def main(*, users: int = USERS, url: str = SQLITE, lookups: int = LOOKUPS) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory(prefix="usher-bench-") as name:
        folder = Path(name)
        file = folder / "people.ndjson"
        write_people(file, users)
        loaded = settings_with(url, folder)
        place = url_of(url, folder, "directory.url").drivername
        print(
            f"\nThe directory with {users:,} users of 15 attributes ({file.stat().st_size / MEGABYTE:,.0f} MB, {place})"
        )
        seconds, megabytes = load_people(file, url, folder)
        print(f"  loaded in {seconds:.1f} s with {megabytes:.0f} MB of memory at most")
        with directory_database(loaded, DatabaseOptions()) as database:
            directory = opened_directory(loaded, database)
            size = directory_facts(directory, database.patience())["sizeBytes"]
            assert isinstance(size, int)
            print(f"  takes {size / MEGABYTE:.0f} MB on disk")
            print(f"  {'look-ups, in µs':<34}{'p50':>9}{'p99':>9}")
            for what, question in questions(directory).items():
                median, high = timed(question, count=users, lookups=lookups)
                print(f"  {what:<34}{median:>9.0f}{high:>9.0f}")


if __name__ == "__main__":
    main(users=int(sys.argv[1]) if sys.argv[1:] else USERS, url=sys.argv[2] if sys.argv[2:] else SQLITE)
