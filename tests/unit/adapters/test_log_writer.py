"""The writer of the service log: order, bounds, losses, and streams that do not take what they are given."""

import io
import json
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usher.adapters.log_writer import LogWriter, event_of

PATIENCE_SECONDS = 60.0


class Losses:
    """Counts, and can be waited for."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        """Count one."""
        self.count += 1


@contextmanager
def pipe() -> Iterator[tuple[TextIO, int]]:
    """Yield the writing end of a pipe as a stream, and the reading end's descriptor."""
    reading, writing = os.pipe()
    with open(writing, "w", encoding="utf-8") as stream:  # noqa: PTH123 - a descriptor
        yield stream, reading


def rendered(event: Mapping[str, object]) -> str:
    """Render an event as JSON; some cannot be."""
    return json.dumps(event)


def writer_of(stream: TextIO, losses: Losses, limit_entries: int = 1000) -> LogWriter:
    """Return a writer that has begun."""
    writer = LogWriter(stream, rendered, losses, limit_entries=limit_entries)
    writer.start()
    return writer


@given(st.lists(st.text(st.characters(exclude_characters="\r\n")) | st.dictionaries(st.text(), st.integers())))
def test_everything_is_written_once_and_in_order(entries: list[str | dict[str, int]]) -> None:
    """Lines as they are, events rendered; at the end nothing waits."""
    stream, losses = io.StringIO(newline=""), Losses()
    writer = writer_of(stream, losses)
    for entry in entries:
        writer.put(entry)
    assert writer.close(PATIENCE_SECONDS)
    expected = [entry if isinstance(entry, str) else json.dumps(entry) for entry in entries]
    assert stream.getvalue() == "".join(f"{line}\n" for line in expected)
    assert losses.count == 0


def test_several_threads_lose_nothing() -> None:
    """Each thread's lines come in its own order."""
    stream, losses = io.StringIO(), Losses()
    writer = writer_of(stream, losses, limit_entries=100_000)

    def say(name: str) -> None:
        for number in range(500):
            writer.put(f"{name} {number}")

    threads = [threading.Thread(target=say, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert writer.close(PATIENCE_SECONDS)
    lines = stream.getvalue().splitlines()
    for name in "abcd":
        assert [line for line in lines if line.startswith(name)] == [f"{name} {number}" for number in range(500)]
    assert losses.count == 0


def test_a_pipe_that_nobody_reads_keeps_nobody_waiting() -> None:
    """What does not fit into pipe and queue is lost and counted, the stop gives up; a reader gets the oldest lines."""
    with pipe() as (stream, reading):
        losses = Losses()
        writer = writer_of(stream, losses, limit_entries=100)
        for number in range(1000):
            writer.put(f"{number:04} " + "x" * 10_000)
        assert losses.count >= 1000 - 100 - 500 - 100
        assert not writer.close(0.05)
        before = losses.count
        writer.put("too late")
        assert losses.count == before + 1
        with open(reading, "rb") as end:  # noqa: PTH123 - a descriptor
            read = b""
            while (1000 - before) > read.count(b"\n"):
                read += end.read1(1_000_000)
            assert read.startswith(b"0000 x")
            # Everything that was taken has been read: the thread is free again and ends.
            writer._thread.join(PATIENCE_SECONDS)
            assert not writer._thread.is_alive()


def test_what_was_lost_is_told_when_the_stream_takes_lines_again() -> None:
    """Once, with the number of lines, after the lines that were said before."""
    may_write, is_writing, losses = threading.Event(), threading.Event(), Losses()

    class Slow(io.StringIO):
        """A stream that takes nothing until it may."""

        def write(self, text: str) -> int:
            is_writing.set()
            may_write.wait(PATIENCE_SECONDS)
            return super().write(text)

    stream = Slow()
    writer = writer_of(stream, losses, limit_entries=2)
    writer.put("first")
    assert is_writing.wait(PATIENCE_SECONDS)
    for number in range(5):
        writer.put(f"{number}")
    may_write.set()
    assert writer.close(PATIENCE_SECONDS)
    *lines, told = stream.getvalue().splitlines()
    assert lines == ["first", "0", "1"]
    assert losses.count == 3
    event = json.loads(told)
    assert (event["event"], event["level"], event["lines"]) == ("log_lines_lost", "warning", 3)


def test_a_stream_that_breaks_is_tried_again() -> None:
    """A full disk, a reader that has gone: the lines are lost and counted, and told of later; the thread goes on."""
    losses, has_failed = Losses(), threading.Event()

    class Full(io.StringIO):
        """A stream that fails at first."""

        def write(self, text: str) -> int:
            if not has_failed.is_set():
                has_failed.set()
                raise OSError(28, "No space left on device")
            return super().write(text)

    stream = Full()
    writer = writer_of(stream, losses)
    writer.put("lost")
    assert has_failed.wait(PATIENCE_SECONDS)
    writer.put("kept")
    assert writer.close(PATIENCE_SECONDS)
    kept, told = stream.getvalue().splitlines()
    assert (kept, json.loads(told)["lines"], losses.count) == ("kept", 1, 1)


def test_an_event_that_cannot_be_rendered_ends_nothing() -> None:
    """It is lost and counted; the next is written."""
    stream, losses = io.StringIO(), Losses()
    writer = writer_of(stream, losses)
    writer.put({"value": object()})
    writer.put("next")
    assert writer.close(PATIENCE_SECONDS)
    assert (stream.getvalue().splitlines()[0], losses.count) == ("next", 1)


class Heard(io.StringIO):
    """A stream that can be waited for, and that fails as often as it is told to."""

    def __init__(self, failures: int = 0) -> None:
        super().__init__()
        self.was_written = threading.Event()
        self._failures = failures

    def write(self, text: str) -> int:
        """Take a text, or fail."""
        try:
            if self._failures:
                self._failures -= 1
                raise OSError(28, "No space left on device")
            return super().write(text)
        finally:
            self.was_written.set()

    def losses_told(self) -> list[int]:
        """Return how many lines were said to be lost, each time that was said."""
        told = [json.loads(line) for line in self.getvalue().splitlines() if line.startswith("{")]
        return [event["lines"] for event in told if event["event"] == "log_lines_lost"]


def test_a_loss_is_told_once_also_in_the_turn_in_which_it_happens() -> None:
    """What cannot be rendered is found while its neighbours are written, and told beside them."""
    stream, losses = Heard(), Losses()
    writer = LogWriter(stream, rendered, losses)
    writer.put({"value": object()})
    writer.put("next")
    writer.start()
    assert stream.was_written.wait(PATIENCE_SECONDS)
    assert writer.close(PATIENCE_SECONDS)
    assert (stream.getvalue().splitlines()[0], stream.losses_told(), losses.count) == ("next", [1], 1)


def test_each_entry_is_lost_once() -> None:
    """One that could not be rendered is not lost again with those that could not be written."""
    stream, losses = Heard(failures=1), Losses()
    writer = LogWriter(stream, rendered, losses)
    writer.put({"value": object()})
    writer.put("next")
    writer.start()
    assert stream.was_written.wait(PATIENCE_SECONDS)
    assert writer.close(PATIENCE_SECONDS)
    assert (stream.losses_told(), losses.count) == ([2], 2)


def test_a_loss_that_cannot_be_told_ends_nothing() -> None:
    """It is told in a later turn."""
    failed: list[Mapping[str, object]] = []

    def failing_once(event: Mapping[str, object]) -> str:
        if event["event"] == "log_lines_lost" and not failed:
            failed.append(event)
            raise ValueError
        return rendered(event)

    stream, losses = Heard(), Losses()
    writer = LogWriter(stream, failing_once, losses)
    writer.put({"event": "lost", "value": object()})
    writer.put("next")
    writer.start()
    assert stream.was_written.wait(PATIENCE_SECONDS)
    assert writer.close(PATIENCE_SECONDS)
    assert (len(failed), stream.losses_told(), losses.count) == (1, [1], 1)


def test_losses_need_not_be_told() -> None:
    """Where only errors are wanted they are counted and no more."""
    stream, losses = Heard(failures=1), Losses()
    writer = LogWriter(stream, rendered, losses, tells_losses=False)
    writer.start()
    writer.put("lost")
    assert stream.was_written.wait(PATIENCE_SECONDS)
    writer.put("kept")
    assert writer.close(PATIENCE_SECONDS)
    assert (stream.getvalue(), losses.count) == ("kept\n", 1)


def test_what_is_handed_over_while_the_writer_ends_is_counted() -> None:
    """Who looked whether it still takes entries, and came too late with one, has lost it, and the count says so."""

    class EndsMeanwhile(int):
        """A limit; when an entry is measured against it, the writer ends before the entry is in the queue."""

        def __le__(self, other: int) -> bool:
            assert writer.close(PATIENCE_SECONDS)
            return super().__le__(other)

    stream, losses = Heard(), Losses()
    writer = LogWriter(stream, rendered, losses, limit_entries=EndsMeanwhile(10))
    writer.start()
    writer.put("too late")
    assert (stream.getvalue(), losses.count) == ("", 1)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such pipes")
def test_a_pipe_that_is_set_not_to_wait_gets_all_the_same() -> None:
    """Some supervisors hand over such a pipe: what does not fit at once is written when there is room."""
    with pipe() as (stream, reading):
        os.set_blocking(stream.fileno(), False)
        losses = Losses()
        writer = writer_of(stream, losses)
        for number in range(30):
            writer.put(f"{number} " + "ü" * 10_000)
        with open(reading, "rb") as end:  # noqa: PTH123 - a descriptor
            lines = [end.readline().decode("utf-8").rstrip("\r\n") for _ in range(30)]
        assert writer.close(PATIENCE_SECONDS)
        assert (lines, losses.count) == ([f"{number} " + "ü" * 10_000 for number in range(30)], 0)


def test_a_file_gets_what_no_encoding_has(tmp_path: Path) -> None:
    """Half a surrogate pair, from a library's message perhaps, stands there escaped."""
    path, losses = tmp_path / "log", Losses()
    with path.open("w", encoding="utf-8") as stream:
        writer = writer_of(stream, losses)
        writer.put("half \ud800 a pair")
        assert writer.close(PATIENCE_SECONDS)
    assert path.read_text(encoding="utf-8") == "half \\ud800 a pair\n"


def test_an_event_has_the_form_of_structlogs() -> None:
    """Its own values first, then what every event has."""
    event = event_of("info", "decided", {"decision_id": "d"})
    assert list(event) == ["decision_id", "event", "level", "timestamp"]
