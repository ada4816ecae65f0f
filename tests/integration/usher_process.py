"""An `usher` that runs as a process of its own, and a client that speaks HTTP to it.

Owns the process' life and what it says. Ports are free ones the system picks; where it listens is read from what it
announces, as an admin would.
"""

import http.client
import json
import re
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from tests.integration.installations import clean_environ
from tests.integration.leaks import leaks, secrets_in
from usher.adapters.decision_files import files_of

# Far beyond what anything here takes: only a hang gets there.
PATIENCE_SECONDS = 60.0
SECRET = "a secret that is long enough"
FREE_PORTS = {"USHER_SERVER_PORT": "0", "USHER_SERVER_OPERATIONS_PORT": "0"}
_ANNOUNCED = re.compile(r"(ready|operations) +http://([^:]+):(\d+)/")
Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Answer:
    """One response: header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, object]:
        """The body, which is a JSON object."""
        value = json.loads(self.body)
        assert isinstance(value, dict)
        return value

    @property
    def decision_id(self) -> str:
        """The header that every decided answer carries."""
        return self.headers["x-usher-decision"]

    @property
    def login(self) -> object:
        """The login that is to be changed, None when it stays."""
        commands = self.json.get("commands", [])
        assert isinstance(commands, list)
        profiles = [command["value"] for command in commands if command["type"] == "com.okta.user.profile.update"]
        return profiles[0].get("login") if profiles else None


class Said:
    """What a stream has said so far, read by a thread of its own."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._lines: list[str] = []
        self._ended = False
        self._changed = threading.Condition()
        self._may_read = threading.Event()
        self._may_read.set()
        self._stream = stream
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self._stream:
            self._may_read.wait()
            with self._changed:
                self._lines.append(line.decode("utf-8"))
                self._changed.notify_all()
        self._stream.close()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def until(self, wanted: str) -> str:
        """Wait for a text; return all that was said by then. Says what came instead if the stream ends first."""
        with self._changed:
            self._changed.wait_for(lambda: wanted in self._text or self._ended, PATIENCE_SECONDS)
            assert wanted in self._text, f"waited for {wanted!r}, got:\n{self._text}"
            return self._text

    def hang(self) -> None:
        """Read nothing any more, as a supervisor that hangs, until `go_on`."""
        self._may_read.clear()

    def go_on(self) -> None:
        """Read again."""
        self._may_read.set()

    @property
    def _text(self) -> str:
        if len(self._lines) > 1:
            self._lines = ["".join(self._lines)]
        return self._lines[0] if self._lines else ""

    def whole(self) -> str:
        """Wait for the end; return everything."""
        self._reader.join(PATIENCE_SECONDS)
        assert self._ended
        return self._text


class UsherProcess:
    """A running `usher serve` or `usher demo`."""

    def __init__(self, command: Sequence[str | Path], folder: Path, **environ: str) -> None:
        self._command = command
        self.secrets = secrets_in(environ, folder)
        # File systems keep time more coarsely than clocks do.
        self._started = time.time() - 1
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env=clean_environ(**FREE_PORTS, **environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.out = Said(self.process.stdout)
        self.err = Said(self.process.stderr)
        self.folder = folder
        self._addresses: dict[str, Address] = {}

    def wait_until_ready(self) -> None:
        """Wait until both listeners listen."""
        announced = self.err.until("ready       http://")
        self._addresses = {name: (host, int(port)) for name, host, port in _ANNOUNCED.findall(announced)}

    @property
    def hook(self) -> Address:
        """Where Okta calls."""
        return self._addresses["ready"]

    @property
    def operations(self) -> Address:
        """Where operators ask."""
        return self._addresses["operations"]

    def post(self, body: bytes, **more: str) -> Answer:
        """Call the hook as Okta does; further headers by name, with `_` for `-`, an empty one is left out."""
        with Caller(self.hook) as caller:
            return caller.post(body, **more)

    def get(self, path: str, *, of: str = "operations", secret: str = SECRET) -> Answer:
        """Ask a listener for a path."""
        with Caller(self._addresses[of]) as caller:
            return caller.ask("GET", path, b"", {"Authorization": secret} if secret else {})

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process alone."""
        self.process.send_signal(number)

    def end(self) -> int:
        """Wait for the end; return the exit code."""
        return self.process.wait(PATIENCE_SECONDS)

    def stop(self) -> int:
        """Ask it to stop and wait for the end; return the exit code."""
        self.signal(signal.SIGTERM)
        return self.end()

    def clear_away(self) -> None:
        """End whatever is left, however the test ended. Fails if a secret stands in anything that it said or wrote.

        `secrets` are those it was started with; a test adds what else must not get out, a token for example.
        """
        with suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait(PATIENCE_SECONDS)
        for stream in (self.out, self.err):
            stream.go_on()
        said = {"standard output": self.out.whole().encode(), "standard error": self.err.whole().encode()}
        if "init" in map(str, self._command):
            said.pop("standard output")  # there `usher init` shows the secret it made, and nowhere else
        found = leaks(said, self.folder, self.secrets | secrets_in({}, self.folder), since=self._started)
        assert found == [], found

    def decisions(self) -> list[dict[str, object]]:
        """Return what is on record in the working directory, but for what shadow policies would have done."""
        lines = [json.loads(line) for line in self.decision_log_text().splitlines()]
        return [line for line in lines if line["shadow"] is not True]

    def decision_log_text(self) -> str:
        """Return the decision log as it stands on the disk."""
        return "".join(file.path.read_text(encoding="utf-8") for file in files_of(self.folder / "decisions.jsonl"))


class Caller:
    """One connection that is kept between calls."""

    def __init__(self, address: Address) -> None:
        self.connection = http.client.HTTPConnection(*address, timeout=PATIENCE_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def post(self, body: bytes, **more: str) -> Answer:
        """Call the hook."""
        usual = {"Authorization": SECRET, "Content-Type": "application/json", "Accept": "application/json"}
        given = {name.replace("_", "-"): value for name, value in more.items()}
        headers = {name: value for name, value in (usual | given).items() if value}
        return self.ask("POST", "/okta/import", body, headers)

    def ask(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send one request and read its response."""
        self.connection.request(method, path, body, dict(headers))
        return self.read()

    def begin(self, body: bytes, *, held_back: int) -> bytes:
        """Send a call without the end of its body; return what was held back."""
        head = (
            "POST /okta/import HTTP/1.1",
            "Host: hook",
            f"Authorization: {SECRET}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
        )
        self.connection.connect()
        self.connection.sock.sendall("\r\n".join((*head, "", "")).encode() + body[:-held_back])
        return body[-held_back:]

    def finish(self, rest: bytes) -> Answer:
        """Send the end of a call that was begun, and read its response."""
        self.connection.sock.sendall(rest)
        response = http.client.HTTPResponse(self.connection.sock, method="POST")
        response.begin()
        return _answer(response)

    def read(self) -> Answer:
        """Read the response to the last request."""
        return _answer(self.connection.getresponse())


def _answer(response: http.client.HTTPResponse) -> Answer:
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, headers, response.read())
