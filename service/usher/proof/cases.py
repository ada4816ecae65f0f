"""Policy tests as they are run: a file of them, each case with its requests and what must come out, with places.

Owns the values between reading a test file and running it. Frozen; any thread.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from usher.domain.place import Place
from usher.engine import Owner, PolicySet

Held = Mapping[tuple[str, str], tuple[Owner, str]]
"""What is held when a case starts: namespace and key to the owner and the value as written."""

WHOLE_FOLDER = "*"


@dataclass(frozen=True, slots=True)
class Expectation:
    """What must come out of one request.

    `wanted` holds the keys of the file, rules by their full names; `places` leads from a key, or a key and a member
    (`set.user.login`), to the file. `partial`: further entries of `set`, `fired`, `claims` and `remembered` are let be.
    """

    place: Place
    wanted: Mapping[str, object]
    places: Mapping[str, Place]
    partial: bool = False

    def place_of(self, key: str, member: str = "") -> Place:
        """Return where something is expected; the whole where it is not named."""
        return self.places.get(f"{key}.{member}") or self.places.get(key) or self.place


@dataclass(frozen=True, slots=True)
class Step:
    """One request of a case, as it would arrive, and what is expected of it; None where nothing is named."""

    body: bytes
    expectation: Expectation | None


@dataclass(frozen=True, slots=True)
class Case:
    """One test, or one named case of a test: its steps run one after the other on one ledger."""

    test: str
    variant: str
    place: Place
    steps: tuple[Step, ...]

    @property
    def name(self) -> str:
        """The name people and programs call it by: `by country[germany]`."""
        return full_name(self.test, self.variant) if self.variant else self.test


@dataclass(frozen=True, slots=True)
class CaseFile:
    """One file of policy tests.

    `subject` is the policy under test or `*`; `policy_set` is what decides: that policy alone, with the file's
    constants and tables. `now` is in nanoseconds since 1970. Every case starts from `directory` and `held`.
    """

    file: str
    subject: str
    policy_set: PolicySet
    now: int
    directory: tuple[Mapping[str, object], ...]
    held: Held
    cases: tuple[Case, ...]


def full_name(test: str, variant: str) -> str:
    """Return the name of a case of a test."""
    return f"{test}[{variant}]"


def counted(files: Iterable[CaseFile]) -> int:
    """Return how many cases the files hold."""
    return sum(len(file.cases) for file in files)
