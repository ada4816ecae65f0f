"""The last good set: kept whole, read back as it was, and never trusted when it is damaged."""

import io
import json
import os
import stat
import threading
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usher.adapters.last_good import FILE_NAME, Kept, KeptFile, LastGoodError, load, save

TEXTS = st.text(max_size=12)
FILES = st.builds(KeptFile, name=TEXTS, shown=TEXTS, content=st.binary(max_size=64))
SETS = st.builds(Kept, TEXTS, TEXTS, TEXTS, st.lists(FILES, max_size=5).map(tuple))
KEPT = Kept(
    "3f2a",
    "2026-03-01T09:00:00Z",
    "policies",
    (
        KeptFile("a.yaml", "policies/a.yaml", b"policy: a\n" * 200),
        KeptFile("schemas/profiles/okta-user.schema.json", "schemas/profiles/okta-user.schema.json", b"{}"),
    ),
)


@given(SETS)
def test_a_set_is_read_back_as_it_was_kept(tmp_path_factory: pytest.TempPathFactory, kept: Kept) -> None:
    """Law: every byte, every name, in order, two files of one name included."""
    folder = tmp_path_factory.mktemp("state")
    save(folder, kept)
    assert load(folder) == kept


def test_names_that_are_no_unicode_come_back(tmp_path: Path) -> None:
    """A file system may hold any bytes; Python shows them as surrogates."""
    kept = Kept("r", "s", "f\udcff", (KeptFile("a\udcff.yaml", "f\udcff/a\udcff.yaml", b"\xff\x00"),))
    save(tmp_path, kept)
    assert load(tmp_path) == kept


def test_no_name_of_a_kept_file_becomes_a_path(tmp_path: Path) -> None:
    """APPSEC: an archive is unpacked in memory, under numbers; a name that climbs stays a name."""
    kept = Kept("r", "s", "f", (KeptFile("../../escaped.yaml", "/etc/escaped.yaml", b"x"),))
    save(tmp_path / "state", kept)
    with zipfile.ZipFile(tmp_path / "state" / FILE_NAME) as archive:
        assert archive.namelist() == ["about.json", "files/00000"]
    assert load(tmp_path / "state") == kept
    assert sorted(path.name for path in tmp_path.rglob("*")) == [FILE_NAME, "state"]


def test_a_newer_set_takes_the_place_of_the_older(tmp_path: Path) -> None:
    """There is one, and no left-over of the other."""
    save(tmp_path, KEPT)
    newer = Kept("77aa", "2026-03-02T09:00:00Z", "policies", KEPT.files[:1])
    save(tmp_path, newer)
    assert load(tmp_path) == newer
    assert os.listdir(tmp_path) == [FILE_NAME]  # noqa: PTH208 - hidden files, too


@pytest.mark.parametrize("folder", ["", "nowhere"])
def test_nothing_kept_is_none(tmp_path: Path, folder: str) -> None:
    """The first start of all: no archive, perhaps no folder, and nothing is created by asking."""
    assert load(tmp_path / folder) is None
    assert list(tmp_path.iterdir()) == []


def test_the_state_folder_is_made_for_the_service_alone(tmp_path: Path) -> None:
    """Where the platform has permissions."""
    save(tmp_path / "a" / "state", KEPT)
    assert os.name == "nt" or stat.S_IMODE((tmp_path / "a" / "state").stat().st_mode) == 0o700


@pytest.fixture(scope="session")
def packed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return the bytes of an archive."""
    folder = tmp_path_factory.mktemp("packed")
    save(folder, KEPT)
    return (folder / FILE_NAME).read_bytes()


def loaded(folder: Path, content: bytes) -> Kept | str | None:
    """Return what an archive of these bytes gives, or why it is none."""
    (folder / FILE_NAME).write_bytes(content)
    try:
        return load(folder)
    except LastGoodError as error:
        return str(error)


def damaged(folder: Path) -> str:
    """Return the one line about a damaged archive."""
    return f"{folder / FILE_NAME}: the last good policy set is damaged"


@given(st.data())
def test_a_truncated_archive_is_damaged(
    tmp_path_factory: pytest.TempPathFactory, packed: bytes, data: st.DataObject
) -> None:
    """Law: wherever it ends; a disk that was full when it was copied."""
    folder = tmp_path_factory.mktemp("state")
    assert loaded(folder, packed[: data.draw(st.integers(0, len(packed) - 1))]) == damaged(folder)


@given(st.data())
def test_whatever_happened_to_an_archive_it_is_damaged_or_the_set(
    tmp_path_factory: pytest.TempPathFactory, packed: bytes, data: st.DataObject
) -> None:
    """Law: some bytes turned, some inserted: never another exception, never other policies than were kept."""
    folder, content = tmp_path_factory.mktemp("state"), bytearray(packed)
    for position, byte in data.draw(
        st.lists(st.tuples(st.integers(0, len(packed) - 1), st.integers(0, 255)), max_size=4)
    ):
        content[position] = byte
    at = data.draw(st.integers(0, len(packed)))
    content[at:at] = data.draw(st.binary(max_size=4))
    found = loaded(folder, bytes(content))
    assert found == damaged(folder) or (
        isinstance(found, Kept) and {file.content for file in found.files} <= {file.content for file in KEPT.files}
    )


def every_byte_turned(packed: bytes) -> list[bytes]:
    """Return the archive with one bit of each byte of the directory at its end turned."""
    begin = packed.index(b"PK\x01\x02")
    return [
        packed[:at] + bytes([packed[at] ^ bit]) + packed[at + 1 :]
        for at in range(begin, len(packed))
        for bit in (1, 2, 8, 64)
    ]


def test_no_bit_of_the_directory_turned_is_more_than_damage(tmp_path: Path, packed: bytes) -> None:
    """Encrypted, compressed otherwise, of a later version, elsewhere: zipfile raises another exception for each."""
    found = {str(type(loaded(tmp_path, content)).__name__) for content in every_byte_turned(packed)}
    assert found == {"str", "Kept"}


def archive(**members: object) -> bytes:
    """Return an archive of members as text, or as JSON."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as made:
        for name, content in members.items():
            made.writestr(name.replace("_", "."), content if isinstance(content, str) else json.dumps(content))
    return packed.getvalue()


ABOUT = {"revision": "r", "since": "s", "folder": "f", "files": []}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK",
        b"no archive at all",
        archive(),
        archive(about_json="{"),
        archive(about_json="[" * 100_000),
        archive(about_json=[]),
        archive(about_json=7),
        archive(about_json={**ABOUT, "files": 7}),
        archive(about_json={**ABOUT, "files": ["a"]}),
        archive(about_json={**ABOUT, "files": [{"name": "a", "shown": "a", "entry": "files/00000"}]}),
        archive(about_json={**ABOUT, "files": [{"name": "a", "shown": "a"}]}),
        archive(about_json={"files": []}),
    ],
    ids=lambda content: str(len(content)),
)
def test_what_is_no_archive_of_ours_is_damaged(tmp_path: Path, content: bytes) -> None:
    """One line with the file's name."""
    assert loaded(tmp_path, content) == damaged(tmp_path)


def test_an_archive_that_would_fill_the_memory_is_damaged(tmp_path: Path) -> None:
    """APPSEC: what it claims to hold is added up before anything is unpacked."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("about.json", json.dumps(ABOUT))
        for number in range(257):
            with made.open(f"files/{number:05d}", "w") as entry:
                entry.write(bytes(1024 * 1024))
    assert len(packed.getvalue()) < 1024 * 1024
    assert loaded(tmp_path, packed.getvalue()) == damaged(tmp_path)


def test_an_archive_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """With the system's reason: it is not damaged."""
    (tmp_path / FILE_NAME).mkdir()
    with pytest.raises(LastGoodError, match=r"last-good-policies\.zip: the last good policy set cannot be read: ."):
        load(tmp_path)


def test_a_folder_that_cannot_be_written_is_told_and_nothing_is_lost(tmp_path: Path) -> None:
    """A file in the folder's place, a folder in the archive's."""
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(LastGoodError, match=r"the last good policy set cannot be written: ."):
        save(tmp_path / "file", KEPT)
    (tmp_path / FILE_NAME).mkdir()
    with pytest.raises(LastGoodError, match=r"the last good policy set cannot be written: ."):
        save(tmp_path, KEPT)
    assert sorted(os.listdir(tmp_path)) == ["file", FILE_NAME]  # noqa: PTH208 - hidden files, too


def test_a_reader_finds_the_old_set_or_the_new_one(tmp_path: Path) -> None:
    """Never half of one, while another thread keeps saving."""
    sets = [KEPT, Kept("77aa", "s", "policies", (KeptFile("b.yaml", "b.yaml", os.urandom(100_000)),))]
    save(tmp_path, sets[0])
    stop = threading.Event()

    def saves() -> None:
        while not stop.is_set():
            for kept in reversed(sets):
                save(tmp_path, kept)

    writer = threading.Thread(target=saves)
    writer.start()
    try:
        seen = [load(tmp_path) for _ in range(100)]
    finally:
        stop.set()
        writer.join()
    assert all(kept in sets for kept in seen)
