"""Files written whole or not at all."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usher.adapters.files import create_file, replace_file, replacing


@given(st.lists(st.binary(max_size=64), min_size=1, max_size=4))
def test_the_last_content_stands_and_nothing_else_is_left(
    tmp_path_factory: pytest.TempPathFactory, contents: list[bytes]
) -> None:
    """Law: however often a file is replaced, there is that file with its last bytes, and no other."""
    path = tmp_path_factory.mktemp("files") / "a.bin"
    for content in contents:
        replace_file(path, content)
        assert path.read_bytes() == content
    assert os.listdir(path.parent) == ["a.bin"]  # noqa: PTH208 - hidden files, too


def test_a_file_that_is_being_read_keeps_its_content(tmp_path: Path) -> None:
    """A reader that has it open goes on with the old bytes: the new ones are another file."""
    if os.name == "nt":
        pytest.skip("Windows does not replace a file that is open")
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with path.open("rb") as reader:
        replace_file(path, b"new and longer")
        assert reader.read() == b"old"
    assert path.read_bytes() == b"new and longer"


def test_no_reader_ever_sees_half_a_file(tmp_path: Path) -> None:
    """While one thread replaces, another reads whole contents only."""
    path, whole = tmp_path / "a", [bytes([letter]) * 50_000 for letter in b"abc"]
    replace_file(path, whole[0])
    stop = threading.Event()

    def replaces() -> None:
        while not stop.is_set():
            for content in whole:
                replace_file(path, content)

    writer = threading.Thread(target=replaces)
    writer.start()
    try:
        seen = {path.read_bytes() for _ in range(300)}
    finally:
        stop.set()
        writer.join()
    assert seen <= set(whole)


def places_that_fail(folder: Path) -> Iterator[Path]:
    """Yield places that no file can be moved to, one after the other."""
    occupied = folder / "occupied"
    occupied.mkdir()
    (occupied / "x").write_bytes(b"x")
    yield occupied
    yield folder / "nowhere" / "a"
    (folder / "file").write_bytes(b"x")
    yield folder / "file" / "a"


def test_a_failure_leaves_what_was_there_and_nothing_beside_it(tmp_path: Path) -> None:
    """An `OSError`, and no half-written file for the next start to trip over."""
    for path in places_that_fail(tmp_path):
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(OSError, match=r"."):
            replace_file(path, b"new")
        assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("ends", [ValueError, KeyboardInterrupt])
def test_what_is_written_piece_by_piece_stands_whole_or_not_at_all(tmp_path: Path, ends: type[BaseException]) -> None:
    """Until the last piece the old content stands; whatever ends the writing early, Ctrl-C included, leaves it."""
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with replacing(path) as file:
        file.write(b"new ")
        assert path.read_bytes() == b"old"
        file.write(b"content")
    assert path.read_bytes() == b"new content"

    def fail() -> None:
        with replacing(path) as file:
            file.write(b"half")
            raise ends

    with pytest.raises(ends):
        fail()
    assert path.read_bytes() == b"new content"
    assert os.listdir(tmp_path) == ["a"]  # noqa: PTH208 - hidden files, too


def test_a_link_is_replaced_and_what_it_leads_to_stays(tmp_path: Path) -> None:
    """The state folder may hold a link: its target belongs to somebody else."""
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"theirs")
    try:
        link.symlink_to(target)
    except OSError:
        pytest.skip("no right to make links here")
    replace_file(link, b"ours")
    assert (target.read_bytes(), link.read_bytes(), link.is_symlink()) == (b"theirs", b"ours", False)


def test_a_new_file_never_takes_the_place_of_another(tmp_path: Path) -> None:
    """Not of a file, nor of a folder, nor through a link that leads nowhere."""
    path = tmp_path / "a"
    create_file(path, b"first")
    with pytest.raises(FileExistsError):
        create_file(path, b"second")
    assert path.read_bytes() == b"first"
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match=r"."):
        create_file(tmp_path / "folder", b"x")
    if os.name != "nt":
        (tmp_path / "dangling").symlink_to(tmp_path / "elsewhere")
        with pytest.raises(FileExistsError):
            create_file(tmp_path / "dangling", b"x")
        assert not (tmp_path / "elsewhere").exists()
