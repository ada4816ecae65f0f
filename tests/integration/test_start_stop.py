"""The service from its start to its end, with what every platform has: the smoke test of the Windows job."""

import http.client
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from tests.integration.installations import clean_environ
from tests.integration.payloads import OKTA_SAMPLE

PATIENCE_SECONDS = 60
# As the files for Windows start it: a launcher between the two would have to hand on the signal.
COMMAND = (sys.executable, "-c", "from usher.cli import main; main()")
# Windows' Ctrl-Break goes to a group of processes and Ctrl-C to a whole console; elsewhere Ctrl-C is SIGINT.
STOP: int = getattr(signal, "CTRL_BREAK_EVENT", signal.SIGINT)
OWN_GROUP: int = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)


def test_it_starts_answers_is_examined_and_stops(tmp_path: Path) -> None:
    """`usher init`, `usher serve`, a call, `usher doctor`, then Ctrl-C or Ctrl-Break: it ends with 0 and says so."""
    folder = tmp_path / "usher"
    environ = clean_environ(USHER_SERVER_PORT="0", USHER_SERVER_OPERATIONS_PORT="0")
    subprocess.run([*COMMAND, "init", folder], check=True, capture_output=True, env=environ)
    service = subprocess.Popen(
        [*COMMAND, "serve"],
        cwd=folder,
        env=environ,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        creationflags=OWN_GROUP,
    )
    try:
        assert service.stderr is not None
        ports: dict[str, int] = {}
        for line in service.stderr:
            ports |= {name: int(port) for name, port in re.findall(r"^(\w+) +http://127\.0\.0\.1:(\d+)/", line)}
            if "ready" in ports:
                break
        assert call(ports["ready"], (folder / "usher.secret").read_text(encoding="ascii").strip()) == 200
        where = ("--set", f"server.port={ports['ready']}", "--set", f"server.operations_port={ports['operations']}")
        examined = subprocess.run([*COMMAND, "doctor", *where], cwd=folder, capture_output=True, check=False)
        assert examined.returncode == 0, examined.stdout + examined.stderr
        service.send_signal(STOP)
        assert service.stderr.read().splitlines()[-1:] == ["stopped"]
        assert service.wait(PATIENCE_SECONDS) == 0
    finally:
        service.kill()
        service.wait(PATIENCE_SECONDS)
        if service.stderr is not None:
            service.stderr.close()
    assert os.listdir(folder / "state")  # noqa: PTH208 - that there is something is all


def call(port: int, secret: str) -> int:
    """Post Okta's sample; return the status."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
    headers = {"Authorization": secret, "Content-Type": "application/json"}
    connection.request("POST", "/okta/import", OKTA_SAMPLE.read_bytes(), headers)
    status = connection.getresponse().status
    connection.close()
    return status
