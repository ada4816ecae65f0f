"""Hints that something may have changed: at once where the system tells, at the interval anyway, until the stop."""

import itertools
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from usher.adapters.watching import hints

# Far beyond what anything here takes: only a hang gets there.
PATIENCE_SECONDS = 30.0
NEVER_SECONDS = 3 * PATIENCE_SECONDS


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    """Return the event that ends the watch; it is set at the end, whatever happened."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder to watch."""
    (tmp_path / "policies").mkdir()
    return tmp_path / "policies"


@contextmanager
def repeating(step: Callable[[], object]) -> Iterator[None]:
    """Do something over and over on another thread: when a watch begins to hear is its own matter."""
    done = threading.Event()

    def run() -> None:
        while not done.is_set():
            step()
            done.wait(0.02)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def is_heard(seen: Iterator[None]) -> bool:
    """Wait for a hint; say whether it came before the interval could have brought it."""
    began = time.monotonic()
    next(seen)
    return time.monotonic() - began < PATIENCE_SECONDS


def saves(folder: Path) -> Callable[[], object]:
    """Return what saves a file anew each time."""
    numbers = itertools.count()
    return lambda: (folder / "a.yaml").write_text(f"# {next(numbers)}", encoding="utf-8")


def swaps(folder: Path) -> Callable[[], object]:
    """Return what moves a new file over the old one, as editors do."""

    def step() -> None:
        (folder / ".a.yaml.swp").write_bytes(b"x")
        (folder / ".a.yaml.swp").replace(folder / "a.yaml")

    return step


def comes_and_goes(folder: Path) -> Callable[[], object]:
    """Return what makes a folder below with a file in it, and deletes both."""

    def step() -> None:
        (folder / "below").mkdir()
        (folder / "below" / "a.yaml").write_bytes(b"x")
        shutil.rmtree(folder / "below")

    return step


@pytest.mark.parametrize("change", [saves, swaps, comes_and_goes], ids=lambda change: change.__name__)
def test_a_change_is_heard_long_before_the_interval(
    folder: Path, stop: threading.Event, change: Callable[[Path], Callable[[], object]]
) -> None:
    """However it is made, and although it never rests; once heard, the watch goes on."""
    seen = hints((folder,), every_seconds=NEVER_SECONDS, stop=stop, polling=False)
    next(seen)
    with repeating(change(folder)):
        assert is_heard(seen)
        assert is_heard(seen)


def test_every_folder_is_watched(folder: Path, tmp_path: Path, stop: threading.Event) -> None:
    """Policies and profile schemas are one set."""
    (tmp_path / "schemas" / "profiles").mkdir(parents=True)
    seen = hints((folder, tmp_path / "schemas"), every_seconds=NEVER_SECONDS, stop=stop, polling=False)
    next(seen)
    with repeating(saves(tmp_path / "schemas" / "profiles")):
        assert is_heard(seen)


@pytest.mark.parametrize("polling", [False, True], ids=["events", "polling"])
def test_without_a_change_the_interval_hints(folder: Path, stop: threading.Event, *, polling: bool) -> None:
    """Watches can be lost, links can be swapped, network drives tell nobody."""
    for _ in itertools.islice(hints((folder,), every_seconds=0.01, stop=stop, polling=polling), 5):
        pass


def test_polling_hears_nothing(folder: Path, stop: threading.Event) -> None:
    """It waits its time, whatever is saved meanwhile."""
    seen = hints((folder,), every_seconds=0.3, stop=stop, polling=True)
    next(seen)
    with repeating(saves(folder)):
        began = time.monotonic()
        next(seen)
        assert time.monotonic() - began >= 0.3


@pytest.mark.parametrize("missing", ["nowhere", "x" * 5000], ids=["not there", "an error to ask for"])
def test_a_folder_that_is_not_there_costs_no_hint(
    folder: Path, tmp_path: Path, stop: threading.Event, missing: str
) -> None:
    """A network drive that is away, a mount that comes later: the interval goes on."""
    seen = hints((folder, tmp_path / missing), every_seconds=0.01, stop=stop, polling=False)
    assert list(itertools.islice(seen, 3)) == [None] * 3


def test_a_folder_may_vanish_and_come_back(folder: Path, stop: threading.Event) -> None:
    """That it went is a hint, while it is away the interval hints, and what is saved after it came back is heard."""
    seen = hints((folder,), every_seconds=0.2, stop=stop, polling=False)
    next(seen)
    shutil.rmtree(folder)
    for _ in range(3):
        next(seen)
    folder.mkdir()
    with repeating(saves(folder)):
        assert is_heard(seen)


def test_a_folder_that_took_the_place_of_another_is_heard(folder: Path, stop: threading.Event) -> None:
    """A release is moved into place; a watch of the old one would go on listening to a folder nobody uses."""
    seen = hints((folder,), every_seconds=NEVER_SECONDS, stop=stop, polling=False)
    next(seen)
    with repeating(saves(folder)):
        assert is_heard(seen)
    folder.rename(folder.with_name("old"))
    folder.mkdir()
    assert is_heard(seen)
    with repeating(saves(folder)):
        assert is_heard(seen)
        assert is_heard(seen)


@pytest.mark.parametrize("polling", [False, True], ids=["events", "polling"])
def test_the_watch_begins_with_a_look(folder: Path, stop: threading.Event, *, polling: bool) -> None:
    """Between the start's own reading and the first watch something may have been saved."""
    assert is_heard(hints((folder,), every_seconds=NEVER_SECONDS, stop=stop, polling=polling))


@pytest.mark.parametrize("there", [True, False], ids=["watching", "waiting"])
@pytest.mark.parametrize("polling", [False, True], ids=["events", "polling"])
def test_the_stop_is_obeyed_at_once(folder: Path, stop: threading.Event, *, there: bool, polling: bool) -> None:
    """In the midst of a long interval; nobody looks once more."""
    seen: list[None] = []

    def watches() -> None:
        path = folder if there else folder / "nowhere"
        seen.extend(hints((path,), every_seconds=NEVER_SECONDS, stop=stop, polling=polling))

    thread = threading.Thread(target=watches)
    thread.start()
    time.sleep(0.2)
    stop.set()
    thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive()
    assert seen == [None]


def test_nothing_is_hinted_after_the_stop(folder: Path, stop: threading.Event) -> None:
    """Neither to who comes late, nor to who was busy with the hint before."""
    seen = hints((folder,), every_seconds=0.01, stop=stop, polling=False)
    next(seen)
    stop.set()
    assert list(seen) == []
    assert list(hints((folder,), every_seconds=0.01, stop=stop, polling=True)) == []
