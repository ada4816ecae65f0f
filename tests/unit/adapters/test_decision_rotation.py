"""Files of the decision log begin and end, and no line is lost by it."""

import errno
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from usher.adapters.decision_expiry import MARGIN_SECONDS, Expiry, delete_expired
from usher.adapters.decision_file import RETRY_SECONDS, DecisionFile, Rotation
from usher.adapters.decision_files import files_of, named
from usher.adapters.decision_log import DecisionLog, Keeping
from usher.answer.record import DecisionRecord

ROOT = Path(__file__).parents[3]
NINE = datetime(2026, 3, 1, 9, tzinfo=UTC).timestamp()
HOUR, DAY = 3_600.0, 86_400.0


@dataclass
class Clock:
    """Stands still until it is put forward, or back."""

    seconds: float = NINE

    def __call__(self) -> float:
        """Return the time."""
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    """Return a clock at nine."""
    return Clock()


@pytest.fixture
def stem(tmp_path: Path) -> Path:
    """Return the path from the settings."""
    return tmp_path / "decisions.jsonl"


def middles(stem: Path) -> list[str]:
    """Return what tells the files of a log apart, the oldest first, without the process."""
    return [file.path.name.split(".")[1].replace(f"-{os.getpid()}", "") for file in files_of(stem)]


def contents(stem: Path) -> list[bytes]:
    """Return what stands in each file, the oldest first."""
    return [file.path.read_bytes() for file in files_of(stem)]


def written(stem: Path, clock: Clock, rotation: Rotation, *lines: bytes) -> DecisionFile:
    """Write lines, and return what wrote them."""
    file = DecisionFile(stem, rotation, clock(), clock)
    for line in lines:
        file.write(line)
    return file


def test_a_file_never_grows_beyond_its_limit(stem: Path, clock: Clock) -> None:
    """The line that would make it larger begins the next; a line that is too large by itself has a file of its own."""
    written(stem, clock, Rotation(10), b"123\n", b"45678\n", b"9\n", b"far too long\n", b"x\n").close()
    assert contents(stem) == [b"123\n45678\n", b"9\n", b"far too long\n", b"x\n"]


def test_files_of_one_second_have_names_of_their_own_that_sort(stem: Path, clock: Clock) -> None:
    """A number stands behind the process; the next second begins without one."""
    file = written(stem, clock, Rotation(1), b"1\n", b"2\n", b"3\n")
    clock.seconds += 1
    file.write(b"4\n")
    file.close()
    assert middles(stem) == ["20260301T090000Z", "20260301T090000Z_001", "20260301T090000Z_002", "20260301T090001Z"]
    assert contents(stem) == [b"1\n", b"2\n", b"3\n", b"4\n"]
    names = [file.path.name.removesuffix(".jsonl") for file in files_of(stem)]
    assert sorted(names) == names


def test_a_name_that_is_taken_is_passed_over(stem: Path, clock: Clock) -> None:
    """What another process with this id, in another container, has begun is not written to."""
    taken = named(stem, "20260301T090000Z", os.getpid(), 1)
    taken.write_bytes(b"not ours\n")
    written(stem, clock, Rotation(1), b"1\n", b"2\n").close()
    assert contents(stem) == [b"1\n", b"not ours\n", b"2\n"]


def test_an_old_file_is_left_with_the_next_line(stem: Path, clock: Clock) -> None:
    """Its age counts from its beginning, whatever was written meanwhile; one that stayed empty is not left behind."""
    file = written(stem, clock, Rotation(after_seconds=HOUR), b"1\n")
    clock.seconds += HOUR - 1
    file.write(b"2\n")
    clock.seconds += 1
    file.write(b"3\n")
    file.close()
    assert contents(stem) == [b"1\n2\n", b"3\n"]
    other = stem.with_name("other.jsonl")
    idle = written(other, clock, Rotation(after_seconds=HOUR))
    idle.begin()
    clock.seconds += HOUR
    idle.write(b"4\n")
    idle.close()
    assert contents(other) == [b"4\n"]


def test_a_clock_that_is_put_back_makes_no_file_eternal(stem: Path, clock: Clock) -> None:
    """The age counts anew from there; later files still sort behind earlier ones."""
    file = written(stem, clock, Rotation(after_seconds=HOUR), b"1\n")
    clock.seconds -= 9 * DAY
    file.write(b"2\n")
    clock.seconds += HOUR
    file.write(b"3\n")
    file.close()
    assert contents(stem) == [b"1\n2\n", b"3\n"]
    assert middles(stem) == ["20260301T090000Z", "20260301T090000Z_001"]


def test_nothing_rotates_unless_it_is_asked_for(stem: Path, clock: Clock) -> None:
    """0 is never, for either."""
    file = written(stem, clock, Rotation(), *[b"x" * 100_000 + b"\n"] * 9)
    clock.seconds += 9999 * DAY
    file.write(b"1\n")
    file.close()
    assert len(contents(stem)) == 1


class Unwritable(DecisionFile):
    """Cannot begin another file while `is_stuck`."""

    is_stuck = True
    tried = 0

    def _created(self, now: float) -> tuple[Path, int, int]:
        self.tried += 1
        if self.is_stuck:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super()._created(now)


def test_where_the_next_file_cannot_be_begun_the_old_one_goes_on(stem: Path, clock: Clock) -> None:
    """No line is lost; it is tried again, but not with every line; what was wrong is told until it is right."""
    file = Unwritable(stem, Rotation(1), clock(), clock)
    for line in (b"1\n", b"2\n", b"3\n"):
        file.write(line)
    assert (file.trouble, file.tried) == (os.strerror(errno.ENOSPC), 1)
    clock.seconds += RETRY_SECONDS
    file.write(b"4\n")
    assert file.tried == 2
    file.is_stuck = False
    clock.seconds += RETRY_SECONDS
    file.write(b"5\n")
    file.close()
    assert (contents(stem), file.trouble) == ([b"1\n2\n3\n4\n", b"5\n"], "")


FULL_FILE = """
import pathlib, resource, sys
from usher.adapters.decision_file import RETRY_SECONDS, DecisionFile, Rotation
now = [1_000_000.0]
file = DecisionFile(pathlib.Path(sys.argv[1]), Rotation(8), now[0], lambda: now[0])
file.write(b"12345\\n")
resource.setrlimit(resource.RLIMIT_FSIZE, (10, resource.RLIM_INFINITY))
for line in (b"longer than ten\\n", b"x\\n", b"y\\n"):
    try:
        file.write(line)
    except OSError:
        print("lost", line)
    now[0] += RETRY_SECONDS
"""


@pytest.mark.skipif(os.name != "posix", reason="a limit on the size of files is POSIX'")
def test_where_nothing_more_goes_into_a_file_the_next_one_is_tried(stem: Path) -> None:
    """A line for which there is no room anywhere is lost and leaves no file; what there is room for is kept."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT / "service")}
    command = [sys.executable, "-c", FULL_FILE, str(stem)]
    result = subprocess.run(command, env=environ, capture_output=True, text=True, check=True, timeout=60)
    assert result.stdout == f"lost {b'longer than ten' + bytes([10])!r}\n"
    assert contents(stem) == [b"12345\nlong", b"x\ny\n"]


def test_a_file_that_somebody_deleted_is_made_again_when_no_other_can_be(stem: Path, clock: Clock) -> None:
    """What is written to a file without a name would be gone with the process."""
    file = Unwritable(stem, Rotation(1), clock(), clock)
    file.write(b"1\n")
    file.path.unlink()
    file.write(b"2\n")
    file.close()
    assert contents(stem) == [b"2\n"]


def test_only_what_was_written_long_ago_is_deleted(stem: Path, clock: Clock) -> None:
    """With a margin; never the file in use, nor what only looks like one of this log."""
    old, older, young, other = (
        stem.with_name(name)
        for name in (
            "decisions.20260201T090000Z-1.jsonl",
            "decisions.20260101T090000Z-1_003.jsonl",
            "decisions.20250101T090000Z-1.jsonl",
            "decisions.keep.jsonl",
        )
    )
    in_use = named(stem, "20250601T090000Z", os.getpid())
    for path, age in ((old, 7 * DAY + MARGIN_SECONDS + 1), (older, 99 * DAY), (other, 99 * DAY), (in_use, 99 * DAY)):
        path.touch()
        os.utime(path, (NINE - age,) * 2)
    young.touch()
    os.utime(young, (NINE - 7 * DAY,) * 2)
    assert delete_expired(stem, keep_seconds=7 * DAY, now=NINE, in_use=in_use) == 2
    assert {path.name for path in stem.parent.iterdir()} == {young.name, other.name, in_use.name}
    assert clock() == NINE


def test_what_cannot_be_deleted_is_left_for_later(stem: Path) -> None:
    """As Windows refuses for what is open: here it is a folder that has the name of a file."""
    stuck = stem.with_name("decisions.20260101T090000Z-1.jsonl")
    stuck.mkdir()
    gone = stem.with_name("decisions.20260102T090000Z-1.jsonl")
    gone.touch()
    for path in (stuck, gone):
        os.utime(path, (NINE - 99 * DAY,) * 2)
    assert delete_expired(stem, keep_seconds=DAY, now=NINE, in_use=stem) == 1
    assert stuck.is_dir()


@pytest.fixture
def old_file(stem: Path) -> Path:
    """Return a file of last year."""
    path = stem.with_name("decisions.20250101T090000Z-1.jsonl")
    path.touch()
    os.utime(path, (NINE - 99 * DAY,) * 2)
    return path


def no_loss() -> None:
    """Count nothing."""


@pytest.fixture
def log(stem: Path, clock: Clock) -> Iterator[DecisionLog]:
    """Return a log whose files are small, and kept for a week."""
    log = DecisionLog(stem, None, no_loss, keeping=Keeping(rotate_bytes=1, keep_days=7), clock=clock)
    yield log
    log.close()


def test_old_files_go_at_the_start_and_when_a_file_is_begun(
    log: DecisionLog, old_file: Path, record: DecisionRecord
) -> None:
    """By another thread than the one whose call waits; the service log tells how many."""
    with capture_logs() as events:
        log.open()
        log._expiry.end()
        assert not old_file.exists()
        log.append(record)
        old_file.touch()
        os.utime(old_file, (NINE - 99 * DAY,) * 2)
        log.append(record)
        log._expiry.end()
    assert not old_file.exists()
    assert [(event["event"], event["files"]) for event in events] == [("decision_log_files_deleted", 1)] * 2
    thread = log._expiry._thread
    assert thread is not None
    assert thread is not threading.current_thread()


def test_without_keep_days_nothing_is_ever_deleted(stem: Path, old_file: Path, record: DecisionRecord) -> None:
    """Only an organisation knows how long it must keep."""
    log = DecisionLog(stem, None, no_loss, keeping=Keeping(rotate_bytes=1))
    log.open()
    log.append(record)
    log.append(record)
    log.close()
    assert old_file.exists()
    assert len(files_of(stem)) == 3


def test_one_look_at_a_time(stem: Path, old_file: Path) -> None:
    """Files that begin faster than old ones can be deleted do not pile up threads."""
    gate, entered = threading.Event(), threading.Semaphore(0)

    def slow() -> float:
        entered.release()
        gate.wait(30)
        return NINE

    expiry = Expiry(stem, DAY, slow)
    for _ in range(5):
        expiry.begin(stem)
    assert entered.acquire(timeout=30)
    gate.set()
    expiry.end()
    assert not old_file.exists()
    assert not entered.acquire(blocking=False)


@pytest.mark.parametrize(
    ("keeping", "rotation"),
    [
        (Keeping(), Rotation()),
        (Keeping(5, 24), Rotation(5, DAY)),
        (Keeping(0, 0, 2), Rotation(0, 2 * DAY)),
        (Keeping(0, 72, 2), Rotation(0, 2 * DAY)),
        (Keeping(0, 24, 2), Rotation(0, DAY)),
    ],
)
def test_a_file_is_left_before_it_could_be_deleted(keeping: Keeping, rotation: Rotation) -> None:
    """Else a service that was idle for long would write to a file that another one deletes."""
    assert keeping.rotation == rotation


def test_a_rotation_that_fails_is_said_once(stem: Path, record: DecisionRecord, clock: Clock) -> None:
    """And again only after it has worked; every record is kept."""
    log = DecisionLog(stem, None, no_loss, keeping=Keeping(rotate_bytes=1), clock=clock)
    file = log._file = Unwritable(stem, Rotation(1), clock(), clock)  # type: ignore[misc]  # what cannot be had otherwise
    with capture_logs() as events:
        for number in range(3):
            log.append(replace(record, decision_id=str(number)))
        file.is_stuck = False
        clock.seconds += RETRY_SECONDS
        log.append(record)
        file.is_stuck = True
        log.append(record)
    log.close()
    told = [(event["event"], event["log_level"], event["reason"]) for event in events]
    assert told == [("decision_log_not_rotated", "warning", os.strerror(errno.ENOSPC))] * 2
    assert [content.count(b"\n") for content in contents(stem)] == [3, 2]
    assert log.losses == 0


def test_threads_lose_and_double_no_line_while_files_change(stem: Path, record: DecisionRecord) -> None:
    """Eight threads, files of three lines: each line once, each file sound and below its limit."""
    small = replace(record, input=None, claims=(), lookups=())
    log = DecisionLog(stem, None, no_loss, keeping=Keeping(rotate_bytes=5_000))

    def work(number: int) -> None:
        for index in range(40):
            log.append(replace(small, decision_id=f"{number}-{index}"))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    log.close()
    lines = [json.loads(line)["decision_id"] for content in contents(stem) for line in content.splitlines()]
    assert sorted(lines) == sorted(f"{number}-{index}" for number in range(8) for index in range(40))
    assert len(contents(stem)) > 20
    assert max(map(len, contents(stem))) <= 5_000


@pytest.mark.parametrize(
    "name",
    [
        "decisions.jsonl",
        "decisions.keep.jsonl",
        "decisions.test.20260301T090000Z-1.jsonl",
        "decisions.20260301T090000Z-1.jsonl.gz",
        "decisions.20260301T090000Z.jsonl",
        "decisions.20261301T090000Z-1.jsonl",
        "decisions.20260301T090000Z-1_x.jsonl",
    ],
)
def test_only_names_of_the_form_belong_to_a_log(stem: Path, name: str) -> None:
    """A copy, an archive, another log in the same folder are let be."""
    stem.with_name(name).touch()
    assert files_of(stem) == ()


def test_files_sort_by_moment_process_and_number(stem: Path) -> None:
    """As numbers: the tenth process is not before the second."""
    names = ["20260301T090000Z-2", "20260301T090000Z-10", "20260301T090000Z-10_001", "20260301T090001Z-1"]
    for name in reversed(names):
        stem.with_name(f"decisions.{name}.jsonl").touch()
    assert [file.path.name.split(".")[1] for file in files_of(stem)] == names


def test_what_stands_in_a_file_that_could_not_be_opened_is_kept(stem: Path, clock: Clock) -> None:
    """Only a file that is known to be empty is taken away when the next one begins."""
    file = DecisionFile(stem, Rotation(after_seconds=HOUR), clock(), clock)
    file.path.mkdir()
    (file.path / "somebody's").touch()
    file.write(b"1\n")
    file.close()
    assert [path.is_dir() for path in sorted(stem.parent.iterdir())] == [True, False]
    assert files_of(stem)[1].path.read_bytes() == b"1\n"
