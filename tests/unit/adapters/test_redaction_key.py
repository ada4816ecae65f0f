"""The redaction key: one per state folder, whoever asks first."""

import os
import re
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from usher.adapters.keys import (
    FILE_NAME,
    KeyFileError,
    existing_key,
    is_readable_by_others,
    key_id,
    redaction_key,
)

SOURCE = Path(__file__).parents[3] / "service"


def test_the_key_is_made_once_and_kept(tmp_path: Path) -> None:
    """The first call creates folder and key; later ones return it; another folder has another."""
    key = redaction_key(tmp_path / "a" / "state")
    assert len(key) == 32
    assert redaction_key(tmp_path / "a" / "state") == key
    assert redaction_key(tmp_path / "b") != key


def test_only_the_service_may_read_it(tmp_path: Path) -> None:
    """Where the platform has permissions, nobody else has any on folder and file."""
    redaction_key(tmp_path / "state")
    for path in (tmp_path / "state", tmp_path / "state" / FILE_NAME):
        assert os.name == "nt" or stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


def test_processes_that_start_at_once_end_with_one_key(tmp_path: Path) -> None:
    """Six processes race for the first use, on a signal; all print the same."""
    code = (
        "import sys, pathlib\nfrom usher.adapters.keys import redaction_key\nsys.stdin.readline()\n"
        f"print(redaction_key(pathlib.Path({str(tmp_path / 'state')!r})).hex())"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(SOURCE)},
        )
        for _ in range(6)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    keys = {process.communicate(timeout=60)[0] for process in processes}
    assert len(keys) == 1
    assert len(keys.pop().strip()) == 64


def test_a_file_that_is_being_written_is_waited_for(tmp_path: Path) -> None:
    """Another process has created the file and not yet filled it: the reader gets that key and makes none."""
    path = tmp_path / FILE_NAME
    path.touch()
    found: list[bytes] = []
    reader = threading.Thread(target=lambda: found.append(redaction_key(tmp_path)))
    reader.start()
    time.sleep(0.05)
    path.write_text("ab" * 32 + "\n", encoding="ascii")
    reader.join(timeout=30)
    assert found == [b"\xab" * 32]


@pytest.mark.parametrize("content", [b"", b"ab" * 31 + b"\n", b"not hexadecimal" * 5, b"\xff" * 65, b"ab" * 40])
def test_a_damaged_key_is_a_fault_and_never_replaced(tmp_path: Path, content: bytes) -> None:
    """A new key would quietly cut the log in two; the file stays as it was, and the line does not show it."""
    path = tmp_path / FILE_NAME
    path.write_bytes(content)
    with pytest.raises(KeyFileError, match="is damaged: restore the file, or delete it") as caught:
        redaction_key(tmp_path)
    assert path.read_bytes() == content
    assert str(path) in str(caught.value)
    assert "abab" not in str(caught.value)


def test_a_folder_that_cannot_be_is_a_fault(tmp_path: Path) -> None:
    """A file where the state folder should be gives one clear line."""
    (tmp_path / "state").write_text("", encoding="ascii")
    with pytest.raises(KeyFileError, match="cannot be read or created"):
        redaction_key(tmp_path / "state")


FULL_DISK = """
import pathlib, resource, sys
from usher.adapters.keys import KeyFileError, redaction_key

resource.setrlimit(resource.RLIMIT_FSIZE, (10, resource.RLIM_INFINITY))
try:
    redaction_key(pathlib.Path(sys.argv[1]))
except KeyFileError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(len(redaction_key(pathlib.Path(sys.argv[1]))))
"""


def test_a_full_disk_leaves_no_half_key(tmp_path: Path) -> None:
    """A key that could not be written whole is taken away again, so that the next start makes a good one."""
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path)]
    environ = {**os.environ, "PYTHONPATH": str(SOURCE)}
    result = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=60)
    fault, length = result.stdout.splitlines()
    assert "redaction.key: the redaction key cannot be read or created: File too large" in fault
    assert length == "32"


def test_who_only_reads_makes_no_key(tmp_path: Path) -> None:
    """A command that looks for a person finds the service's key or none; a damaged one is said."""
    assert existing_key(tmp_path / "state") is None
    assert not (tmp_path / "state").exists()
    (tmp_path / "file").touch()
    assert existing_key(tmp_path / "file") is None
    key = redaction_key(tmp_path / "state")
    assert existing_key(tmp_path / "state") == key
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / FILE_NAME).write_text("x" * 65, encoding="ascii")
    with pytest.raises(KeyFileError, match="is damaged"):
        existing_key(tmp_path / "damaged")
    (tmp_path / "folder" / FILE_NAME).mkdir(parents=True)
    with pytest.raises(KeyFileError, match="cannot be read"):
        existing_key(tmp_path / "folder")


def test_a_key_has_a_name_that_tells_nothing_about_it() -> None:
    """Eight digits: the same for the same key, others for another, none of them the key's own."""
    assert key_id(bytes(32)) == key_id(bytes(32))
    assert re.fullmatch("[0-9a-f]{8}", key_id(bytes(32)))
    assert key_id(bytes(32)) != key_id(b"\x01" + bytes(31))
    assert key_id(bytes(32)) not in bytes(32).hex()


@pytest.mark.skipif(os.name != "posix", reason="mode bits mean nothing elsewhere")
def test_a_key_that_everybody_can_read_is_noticed(tmp_path: Path) -> None:
    """What the service makes is not; a copy may be; no key is no finding."""
    assert not is_readable_by_others(tmp_path)
    redaction_key(tmp_path)
    assert not is_readable_by_others(tmp_path)
    (tmp_path / FILE_NAME).chmod(0o644)
    assert is_readable_by_others(tmp_path)
