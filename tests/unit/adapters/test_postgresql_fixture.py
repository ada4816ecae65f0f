"""The PostgreSQL of the tests: found where it is, missed loudly where it must be there, and gone with the test run."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from tests.postgresql import MISSING, Cluster, find_programs, tell_absence

# Far beyond what anything here takes: only a hang gets there.
PATIENCE_SECONDS = 60.0


def programs_in(folder: Path, *names: str) -> Path:
    """Return a folder with programs that do nothing."""
    folder.mkdir(parents=True)
    for name in names or ("initdb", "postgres"):
        (folder / name).touch(mode=0o755)
    return folder


@pytest.mark.parametrize("environ", [{}, {"CI": ""}])
def test_a_developer_without_postgresql_skips(environ: dict[str, str]) -> None:
    """The reason is one line that says what to do."""
    with pytest.raises(pytest.skip.Exception) as raised:
        tell_absence(environ)
    assert raised.value.msg == MISSING
    assert MISSING == "PostgreSQL is missing: install it (Debian: apt-get install postgresql)"


@pytest.mark.parametrize("environ", [{"CI": "true"}, {"CI": "1", "HOME": "/root"}])
def test_a_build_without_postgresql_fails(environ: dict[str, str]) -> None:
    """Nothing is skipped where everything must be there."""
    with pytest.raises(pytest.fail.Exception) as raised:
        tell_absence(environ)
    assert raised.value.msg == MISSING


def test_the_path_is_searched_first(tmp_path: Path) -> None:
    """Also when it only holds a link into the real folder."""
    mine = programs_in(tmp_path / "mine")
    installed = programs_in(tmp_path / "installed" / "15" / "bin").parents[1]
    assert find_programs(str(mine), installed) == mine
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / "initdb").symlink_to(mine / "initdb")
    assert find_programs(str(linked), installed) == mine


def test_the_newest_complete_one_is_taken(tmp_path: Path) -> None:
    """Numbers are compared as numbers; a client alone is not enough."""
    for version in ("9.6", "13", "15"):
        programs_in(tmp_path / version / "bin")
    programs_in(tmp_path / "17" / "bin", "psql")
    assert find_programs("", tmp_path) == tmp_path / "15" / "bin"
    assert find_programs("", tmp_path / "nowhere") is None


def test_each_database_is_empty_and_belongs_to_usher(postgresql_url: str) -> None:
    """Its user may do in it what an administrator would let a service do, and needs no password."""
    with psycopg.connect(postgresql_url) as connection:
        found = connection.execute(
            "SELECT current_user, rolsuper FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
        assert found == ("usher", False)
        assert connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (0,)
        connection.execute("CREATE TABLE notes (id INTEGER)")


def test_it_comes_back_from_whatever_is_done_to_it(postgresql: Cluster) -> None:
    """What was committed survives its death; the next test finds it awake."""
    with postgresql.database() as url:
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE notes (id INTEGER)")
        for harm in (postgresql.kill, postgresql.stop, postgresql.freeze):
            harm()
            postgresql.wake()
            with psycopg.connect(url) as connection:
                assert connection.execute("SELECT count(*) FROM notes").fetchone() == (0,)


def test_it_ends_with_the_test_run_that_is_killed(root: Path) -> None:
    """Its guard ends it, frozen as it is, and deletes its folder."""
    programs = find_programs()
    if programs is None:
        tell_absence(os.environ)
    script = f"""
from pathlib import Path
from tests.postgresql import running_cluster
with running_cluster(Path({str(programs)!r})) as cluster:
    print(cluster.folder, flush=True)
    cluster.freeze()
    print("frozen", flush=True)
    input()
"""
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        folder = Path(run.stdout.readline().strip())
        assert run.stdout.readline() == "frozen\n"
        assert (folder / "data" / "postmaster.pid").is_file()
        run.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while folder.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
