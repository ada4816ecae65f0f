"""`make run` and the `usher demo` behind it: the first thing anybody sees of this project."""

import os
import shlex
import signal
from pathlib import Path

import pytest

from tests.integration.conftest import StartUsher
from tests.integration.installations import copy_of_checkout, run
from tests.integration.payloads import GUIDE_LOGIN
from tests.integration.usher_process import Answer, Caller, UsherProcess


def ask_as_printed(usher: UsherProcess) -> Answer:
    """Do what the printed curl line would: its headers, its file, its address."""
    line = next(line for line in usher.out.until("\n\n  curl ").splitlines() if line.startswith("  curl "))
    words = shlex.split(line)
    headers = [words[at + 1].partition(": ")[::2] for at, word in enumerate(words) if word == "-H"]
    body = Path(words[words.index("--data-binary") + 1].removeprefix("@")).read_bytes()
    host, _, port = words[-1].removeprefix("http://").removesuffix("/okta/import").partition(":")
    with Caller((host, int(port))) as caller:
        return caller.ask("POST", "/okta/import", body, dict(headers))


def assert_it_shows_the_guides_case(usher: UsherProcess) -> None:
    """Request, answer and rule are there, and the service behind the curl line still answers."""
    shown = usher.out.until("  curl ")
    parts = (
        "request (",
        '"conflicts": [',
        "answer:",
        f'"login": "{GUIDE_LOGIN}"',
        "rule that fired: logins/free-login",
    )
    assert [shown.find(part) for part in parts] == sorted(shown.find(part) for part in parts)
    assert all(part in shown for part in parts)
    answer = ask_as_printed(usher)
    assert (answer.status, answer.login) == (200, GUIDE_LOGIN)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_demo_shows_one_answer_and_stays(start_usher: StartUsher, number: signal.Signals) -> None:
    """The case is asked over HTTP, the service stays for more, ends with 0 and leaves nothing where it was started."""
    usher = start_usher("demo")
    assert_it_shows_the_guides_case(usher)
    usher.signal(number)
    assert usher.end() == 0
    assert not any(usher.folder.iterdir())


def test_the_demo_goes_by_variables_and_reads_no_settings_file(start_usher: StartUsher) -> None:
    """Another header is sent and printed; neither USHER_CONFIG nor another secret's variable gets in the way."""
    usher = start_usher(
        "demo", USHER_AUTH_HEADER="X-Key", USHER_CONFIG="nowhere.toml", USHER_AUTH_SECRET_VARIABLES="OTHER_SECRET"
    )
    assert_it_shows_the_guides_case(usher)
    assert '-H "X-Key: ' in usher.out.until("  curl ")
    usher.signal(signal.SIGTERM)
    assert usher.end() == 0


def test_the_secret_is_new_each_time(start_usher: StartUsher) -> None:
    """No secret is shipped: two demonstrations do not open each other."""
    lines = [start_usher("demo").out.until('" -H').rpartition("Authorization: ")[2] for _ in range(2)]
    assert lines[0] != lines[1]


def test_make_run_on_a_fresh_clone(tmp_path: Path) -> None:
    """Nothing but Python and make: the environment is made, the service asked, and Ctrl-C ends it all."""
    usher = UsherProcess(["make", "run"], copy_of_checkout(tmp_path / "a clone"))
    try:
        assert_it_shows_the_guides_case(usher)
        # What a terminal does at Ctrl-C: the signal goes to make and to its children.
        os.killpg(usher.process.pid, signal.SIGINT)
        usher.end()
        assert "stopped" in usher.err.whole()
    finally:
        usher.clear_away()


@pytest.mark.parametrize("target", ["", "help"])
def test_make_lists_its_targets(tmp_path: Path, target: str) -> None:
    """`make` alone does nothing but tell what there is, on a clone where nothing was made yet."""
    clone = copy_of_checkout(tmp_path / "clone")
    ran = run(["make", *target.split()], clone)
    assert ran.code == 0
    for name in ("run", "test", "check", "lint", "types", "build", "bench", "test-long", "clean"):
        assert f"  make {name} " in ran.out
    assert not (clone / ".venv").exists()


def test_make_says_when_there_is_no_python(tmp_path: Path) -> None:
    """One clear line, not a list of attempts."""
    ran = run(["make", "run", "PYTHON=no-such-python"], copy_of_checkout(tmp_path / "clone"))
    assert ran.code != 0
    assert ran.err.splitlines()[0] == (
        "make: no Python 3.11 or newer found; install one, or name it: make PYTHON=/path/to/python3 ..."
    )
