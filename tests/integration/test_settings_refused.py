"""`usher serve` with settings it cannot serve with: what it says, how it ends, what it leaves behind.

Every kind of bad value has its case in tests/unit/settings; here is what only a whole start can show.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from socket import create_server

import pytest

from tests.integration.installations import Installation
from tests.integration.usher_process import SECRET, UsherProcess

# What must not be said again, wherever an admin has put it by mistake.
SLIPPED = "correct-horse-battery-staple"
SETTINGS = f"""\
[servr]
port = 1
[server]
prot = 1
port = "{SLIPPED}"
threads = 0
deadline_seconds = 99
[auth]
secret_files = "{SLIPPED}"
"""


@dataclass(frozen=True)
class Start:
    """A folder, what is set, and the lines that are to be said; `{folder}` in one is the folder."""

    said: tuple[str, ...]
    files: Mapping[str, bytes | None] = field(default_factory=dict)  # None is a folder
    environ: Mapping[str, str] = field(default_factory=dict)
    code: int = 2


STARTS = {
    "all faults of the settings at once": Start(
        (
            "usher: usher.toml:1:1: unknown-section: [servr] is not a section; did you mean server?",
            "usher: usher.toml:4:1: unknown-setting: server.prot is not a setting; did you mean port?",
            "usher: usher.toml:5:1: bad-value: server.port must be a whole number",
            "usher: usher.toml:6:1: bad-value: server.threads must be from ",
            "usher: usher.toml:7:1: bad-value: server.deadline_seconds must be from ",
            "usher: usher.toml:9:1: bad-value: auth.secret_files must be a list in brackets",
            "usher: USHER_LOGGING_LEVEL: bad-value: logging.level must be ",
            "usher: USHER_SERVER_PROT: unknown-variable: server.prot is not a setting; did you mean port?",
        ),
        {"usher.toml": SETTINGS.encode()},
        {"USHER_SERVER_PROT": "1", "USHER_LOGGING_LEVEL": SLIPPED},
    ),
    "no TOML": Start(("usher: usher.toml:1:8: syntax: is not TOML: ",), {"usher.toml": b"[server\nport = 1\n"}),
    "settings in UTF-16": Start(
        ("usher: usher.toml:1:1: encoding: is not UTF-8: save it as UTF-8",),
        {"usher.toml": "[server]\nport = 1\n".encode("utf-16")},
    ),
    "all faults of the secrets at once": Start(
        (
            "usher: {folder}/gone: unreadable: the secret cannot be read: ",
            "usher: {folder}/folder: unreadable: the secret cannot be read: ",
            "usher: {folder}/empty: empty-secret: the secret is empty",
            "usher: {folder}/utf16: bad-secret: the secret is in UTF-16: write it as plain text ",
        ),
        {
            "usher.toml": b'[auth]\nsecret_files = ["gone", "folder", "empty", "utf16", "good"]\n',
            "folder": None,
            "empty": b"",
            "utf16": SLIPPED.encode("utf-16"),
            "good": SLIPPED.encode(),
        },
    ),
    "no policy folder": Start(
        (
            "{folder}/none: no-folder: the policy folder does not exist; create it or name another",
            "the policies have errors: ",
        ),
        environ={"USHER_POLICIES_FOLDER": "none"},
        code=1,
    ),
    "a ledger where nothing can be": Start(
        ("usher: the ledger {folder}/none/usher.db cannot be created: ",),
        environ={"USHER_LEDGER_URL": "sqlite:///none/usher.db"},
    ),
    "a ledger that is something else": Start(
        ("usher: the ledger cannot be used: the file is no SQLite database: {folder}/notes.txt",),
        {"notes.txt": b"buy milk and bread"},
        {"USHER_LEDGER_URL": "sqlite:///notes.txt"},
    ),
    "a state folder that is a file": Start(
        ("usher: {folder}/state/redaction.key: the redaction key cannot be read or created: ",), {"state": b""}
    ),
    "a decision log below a file": Start(
        ("usher: {folder}/file/decisions.",), {"file": b""}, {"USHER_DECISIONS_FILE": "file/decisions.jsonl"}
    ),
}


Serve = Callable[..., UsherProcess]


@pytest.fixture
def serve(wheel_installation: Installation, tmp_path: Path) -> Iterator[Serve]:
    """Start the installed `usher serve` in the test's folder with options and variables; all of them end with it."""
    started: list[UsherProcess] = []

    def start(*options: str, **environ: str) -> UsherProcess:
        command: list[str | Path] = [wheel_installation.usher, "serve", *options]
        started.append(UsherProcess(command, tmp_path, USHER_SECRET=SECRET, **environ))
        return started[-1]

    yield start
    for process in started:
        process.clear_away()


def left_behind(folder: Path) -> set[str]:
    """Return the files in a folder; the key of the state folder is none of a start but of the installation."""
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return files - {"state/redaction.key"}


@pytest.mark.parametrize("case", STARTS.values(), ids=STARTS)
def test_it_says_a_line_for_each_problem_and_leaves_nothing_behind(serve: Serve, tmp_path: Path, case: Start) -> None:
    """Nothing on standard output, no traceback, no value that may be a secret, no log and no ledger afterwards."""
    for name, content in case.files.items():
        if content is None:
            (tmp_path / name).mkdir()
        else:
            (tmp_path / name).write_bytes(content)
    before = left_behind(tmp_path)
    usher = serve(**case.environ)
    assert usher.end() == case.code
    said = usher.err.whole()
    for line, expected in zip(said.splitlines(), case.said, strict=True):
        assert line.startswith(expected.format(folder=tmp_path)), said
    assert usher.out.whole() == ""
    assert SLIPPED not in said
    assert SECRET not in said
    assert left_behind(tmp_path) == before


@pytest.mark.parametrize("setting", ["server.port", "server.operations_port"])
def test_a_port_in_use_leaves_nothing_behind(serve: Serve, tmp_path: Path, setting: str) -> None:
    """Neither an empty log nor a ledger: whoever is served on that port may be using them."""
    with create_server(("127.0.0.1", 0)) as taken:
        usher = serve("--set", f"{setting}={taken.getsockname()[1]}")
        assert usher.end() == 2
    assert "the port is in use" in usher.err.whole()
    assert not any(tmp_path.iterdir())
