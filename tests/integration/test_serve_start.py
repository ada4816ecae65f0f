"""How the installed `usher serve` starts, and what it says when it does not."""

import socket
from pathlib import Path

import pytest

from tests.integration.conftest import StartUsher
from tests.integration.payloads import GUIDE_CASE, GUIDE_LOGIN
from tests.integration.usher_process import SECRET

OLD_SECRET = "the secret until yesterday"
NEW_SECRET = "Basic dXNoZXI6dGhlIG5ldyBvbmU="


def test_several_secrets_are_valid_while_they_are_rotated(start_usher: StartUsher, tmp_path: Path) -> None:
    """One from a file and one from the environment open the hook; anything else is refused."""
    (tmp_path / "old.secret").write_text(f"{OLD_SECRET}\n", encoding="ascii")
    (tmp_path / "usher.toml").write_text(
        '[auth]\nsecret_files = ["old.secret"]\nsecret_variables = ["NEW_SECRET"]\n', encoding="utf-8"
    )
    usher = start_usher("serve", NEW_SECRET=NEW_SECRET)
    usher.wait_until_ready()
    body = GUIDE_CASE.read_bytes()
    for secret in (OLD_SECRET, NEW_SECRET):
        assert usher.post(body, Authorization=secret).login == GUIDE_LOGIN
    assert usher.post(body, Authorization="", AUTHORIZATION=NEW_SECRET).login == GUIDE_LOGIN
    assert usher.post(body, Authorization="").status == 401
    for wrong in (OLD_SECRET[:-1], NEW_SECRET.lower(), f"{OLD_SECRET}, {NEW_SECRET}", "Basic"):
        refusal = usher.post(body, Authorization=wrong)
        assert (refusal.status, "commands" in refusal.json) == (403, False)
    assert usher.stop() == 0
    said = usher.err.whole() + usher.out.whole() + usher.decision_log_text()
    assert OLD_SECRET not in said
    assert NEW_SECRET not in said


def test_without_a_secret_it_does_not_start(start_usher: StartUsher) -> None:
    """One line that says what to do, exit code 2, and nothing is left behind."""
    usher = start_usher("serve")
    assert usher.end() == 2
    assert usher.err.whole().splitlines() == [
        "usher: auth: no-secret: there is no secret: set USHER_SECRET, or name a file in auth.secret_files"
    ]
    assert not any(usher.folder.iterdir())


def test_without_authentication_only_when_asked(start_usher: StartUsher) -> None:
    """`--insecure-no-auth` answers everybody and says so at the start."""
    usher = start_usher("serve", "--insecure-no-auth")
    usher.wait_until_ready()
    assert usher.post(GUIDE_CASE.read_bytes(), Authorization="").login == GUIDE_LOGIN
    assert "warning: --insecure-no-auth" in usher.err.until("ready")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        pytest.param(["--set", "server.prot=1"], 2, "server.prot is not a setting; did you mean port?", id="unknown"),
        pytest.param(["--set", "server.port=http"], 2, "bad-value: server.port", id="wrong type"),
        pytest.param(["--config", "none.toml"], 2, "none.toml: not-found", id="no settings file"),
        pytest.param(["--set", "policies.folder=none"], 1, "none: no-folder: ", id="no policy folder"),
        pytest.param(["--set", "policies.folder=empty"], 1, "empty: no-policies: ", id="empty policy folder"),
        pytest.param(["--set", "policies.folder=broken"], 1, "bad.yaml:4:11: unknown-name: ", id="broken policy"),
        pytest.param(["--set", "schemas.folder=empty"], 2, "import-request.schema.json: unreadable: ", id="no schemas"),
        pytest.param(["--set", "server.host=300.1.1.1"], 2, "cannot listen on 300.1.1.1", id="no such host"),
    ],
)
def test_what_stands_in_its_way_is_said_in_a_line(
    start_usher: StartUsher, tmp_path: Path, arguments: list[str], code: int, said: str
) -> None:
    """The line names the place and what is wrong; the exit code tells findings (1) from misuse (2); no traceback."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "bad.yaml").write_text(
        "policy: bad\nrules:\n  - id: typo\n    when: usr.login == ''\n    set: {user.login: {value: a@example.com}}\n",
        encoding="utf-8",
    )
    usher = start_usher("serve", *arguments, USHER_SECRET=SECRET)
    assert usher.end() == code
    err = usher.err.whole()
    assert said in err
    assert "Traceback" not in err
    assert len(err.splitlines()) <= 2
    assert usher.out.whole() == ""


@pytest.mark.parametrize("name", ["hook", "operations"])
def test_a_port_in_use_is_said_in_a_line(start_usher: StartUsher, name: str) -> None:
    """The line names listener and port; the other listener does not stay behind."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        setting = "server.port" if name == "hook" else "server.operations_port"
        usher = start_usher("serve", "--set", f"{setting}={port}", USHER_SECRET=SECRET)
        assert usher.end() == 2
    (line,) = usher.err.whole().splitlines()
    assert f"{name} listener: cannot listen on 127.0.0.1:{port}: the port is in use" in line


def test_what_init_writes_is_served(start_usher: StartUsher, tmp_path: Path) -> None:
    """The header line `usher init` prints opens the hook, its policies answer, records stay beside its settings."""
    init = start_usher("init", "hook")
    assert init.end() == 0
    header, _, secret = init.out.whole().strip().partition(": ")
    assert header == "Authorization"
    usher = start_usher("serve", "--config", "hook/usher.toml")
    usher.wait_until_ready()
    assert usher.post(GUIDE_CASE.read_bytes(), Authorization=secret).login == GUIDE_LOGIN
    assert str(tmp_path / "hook" / "policies") in usher.err.until("ready")
    assert usher.stop() == 0
    assert [path.parent for path in tmp_path.rglob("decisions.*.jsonl")] == [tmp_path / "hook"]
