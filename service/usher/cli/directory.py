"""`usher directory load|show|status|migrate`: the users Okta is known to have.

Owns what these commands say. Main thread only; while a load shows its progress, rich draws on a thread of its own.
"""

import json
import os
import signal
import stat
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final

import click

from usher.adapters.okta_users import Row, UnreadableUsersError, UserFile
from usher.adapters.sql.database import Database, DatabaseOptions, StoreSetupError
from usher.adapters.sql.directory import SqlDirectory
from usher.adapters.sql.directory_facts import directory_facts
from usher.adapters.sql.directory_loading import BadRowsError, LoadOptions, LoadRefusedError, load
from usher.adapters.sql.versions import migrate
from usher.bootstrap.directory import directory_database, opened_directory, settled_claims
from usher.bootstrap.marks import mark
from usher.cli.group import FINDINGS
from usher.cli.options import config_option, set_option, settings_in_force
from usher.cli.talk import say
from usher.engine import StoreError
from usher.settings import LoadedSettings

_SINGLE_STATEMENT_SECONDS: Final = 600.0
"""PostgreSQL ends what takes longer; to index some million rows is one statement. SQLite knows no such limit."""
_SHOWN_ROWS: Final = 1_000
_MEGABYTE: Final = 1_000_000


@click.group("directory")
def directory_command() -> None:
    """Load and look at the users Okta is known to have, whose logins are not given to others."""


@directory_command.command("load")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--allow-empty", is_flag=True, help="Load a file without users: from then on nobody is known.")
@click.option("--allow-shrink", is_flag=True, help="Load a file with less than half of the users before.")
@config_option
@set_option
def load_command(
    file: Path, allow_empty: bool, allow_shrink: bool, config: Path | None, overrides: tuple[str, ...]
) -> None:
    """Load all users of Okta from FILE, in place of those before.

    FILE holds one user a line, flat or as Okta's Users API gives them (NDJSON), users of every status; or it is CSV
    whose first line names the attributes, id and login among them. All are loaded or none: each bad row is told by its
    line, and the command exits 1. Decisions go on meanwhile with the users before.
    """
    loaded = settings_in_force(config, overrides)
    with _stopped_by_sigterm(), _opened(file) as stream, _database(loaded, loading=True) as database:
        directory = opened_directory(loaded, database)
        users = UserFile(stream, file.name)
        try:
            with _progress(users, _size(stream)) as (rows, on_indexing):
                options = LoadOptions(allow_empty=allow_empty, allow_shrink=allow_shrink, on_indexing=on_indexing)
                done = load(database, rows, directory.keying, file.name, options)
        except BadRowsError as error:
            for row in error.rows:
                say(f"{file}:{row.line}: {row.code}: {row.message}")
            say(f"{file}: {error}; nothing is loaded")
            sys.exit(FINDINGS)
        except LoadRefusedError as error:
            say(f"{file}: {error}; nothing is loaded")
            sys.exit(FINDINGS)
        except UnreadableUsersError as error:
            raise UnreadableUsersError(f"{file}: {error}") from None
        click.echo(f"{done.users} users in {done.seconds:.1f} s: generation {done.generation}")
        mark(loaded.settings.state.folder, database)
        _settle_claims(loaded, directory)


@directory_command.command("show")
@click.argument("who", metavar="LOGIN|ID")
@config_option
@set_option
def show_command(who: str, config: Path | None, overrides: tuple[str, ...]) -> None:
    """Print the known users with this id or login as a JSON list; exits 1 when there is nobody."""
    with _existing(settings_in_force(config, overrides)) as directory:
        generation = directory.generation(directory.database.patience())
        found = {str(user["id"]): user for attribute in ("id", "login") for user in generation.find(attribute, who)}
    if not found:
        # APPSEC: what was asked for may be a name; it is on the screen already and need not be in a log.
        say("nobody with this id or login is known")
        sys.exit(FINDINGS)
    click.echo(json.dumps(list(found.values()), ensure_ascii=False, indent=1))


@directory_command.command("status")
@click.option("--format", "report", type=click.Choice(["text", "json"]), default="text", show_default=True)
@config_option
@set_option
def status_command(report: str, config: Path | None, overrides: tuple[str, ...]) -> None:
    """Print which load is current: when, from what, how many users.

    Exits 1 when it was loaded with other settings: then no decision can use it.
    """
    with _existing(settings_in_force(config, overrides)) as directory:
        facts = directory_facts(directory, directory.database.patience())
    for line in json.dumps(facts, ensure_ascii=False, indent=1).splitlines() if report == "json" else _told(facts):
        click.echo(line)
    if facts["settingsAgree"] is False:
        sys.exit(FINDINGS)


@directory_command.command("migrate")
@config_option
@set_option
def migrate_command(config: Path | None, overrides: tuple[str, ...]) -> None:
    """Bring the directory's schema up to date; a PostgreSQL database needs it once for each version that changes it."""
    with _database(settings_in_force(config, overrides)) as database:
        before = migrate(database)
    was = "it already was" if before.is_current else f"it was {before.found}" if before.found else "there was none"
    click.echo(f"{database.place}: schema {before.needed}; {was}")


def _settle_claims(loaded: LoadedSettings, directory: SqlDirectory) -> None:
    """Tell the ledger what the load showed; the load stands, whatever becomes of that."""
    try:
        settlement = settled_claims(loaded, directory, now=time.time_ns())
    except (StoreError, StoreSetupError) as error:
        say(f"warning: the ledger does not know of this load, and nothing has expired: {error}")
        return
    if settlement is not None:
        expired = f", {settlement.expired} expired" if loaded.settings.ledger.expire_days else ""
        values = "value" if settlement.seen == 1 else "values"
        click.echo(f"ledger: {settlement.seen} {values} shown for the first time{expired}")


@contextmanager
def _existing(loaded: LoadedSettings) -> Iterator[SqlDirectory]:
    """Lend the directory if there is one; looking must not make it."""
    with _database(loaded) as database:
        if database.file is not None and not database.file.exists():
            say(f"{database.place}: there is no directory yet; `usher directory load FILE` makes it")
            sys.exit(FINDINGS)
        yield opened_directory(loaded, database)


@contextmanager
def _database(loaded: LoadedSettings, *, loading: bool = False) -> Iterator[Database]:
    is_sqlite = loaded.settings.directory.url.startswith("sqlite")
    options = DatabaseOptions()
    if loading and not is_sqlite:
        options = DatabaseOptions(timeout_seconds=_SINGLE_STATEMENT_SECONDS)
    with directory_database(loaded, options) as database:
        yield database


@contextmanager
def _opened(file: Path) -> Iterator[BinaryIO]:
    try:
        stream = file.open("rb")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UnreadableUsersError(f"{file}: cannot be read: {reason}") from None
    with stream:
        yield stream


@contextmanager
def _stopped_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end a load as Ctrl-C does: what it has written so far is removed."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _size(stream: BinaryIO) -> int | None:
    """Return how long a file is; a pipe does not know."""
    status = os.fstat(stream.fileno())
    return status.st_size if stat.S_ISREG(status.st_mode) else None


@contextmanager
def _progress(users: UserFile, size: int | None) -> Iterator[tuple[Iterator[Row], Callable[[], None]]]:
    """Give the rows, and what to call when they are being indexed; on a terminal both move a bar."""
    if not sys.stderr.isatty():
        yield users.rows(), lambda: None
        return
    from rich.console import Console  # noqa: PLC0415 - a tenth of a second, for nothing where nobody looks
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415 - likewise

    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[rows]:,}"), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=size, rows=0)

        def rows() -> Iterator[Row]:
            for number, row in enumerate(users.rows(), start=1):
                if not number % _SHOWN_ROWS:
                    bar.update(task, completed=users.read_bytes, rows=number)
                yield row

        yield rows(), lambda: bar.update(task, description="indexing", total=None)


def _told(facts: Mapping[str, object]) -> Iterator[str]:
    size = facts["sizeBytes"]
    megabytes = f"{size / _MEGABYTE:,.1f} MB" if isinstance(size, int) else "unknown size"
    yield f"directory   {facts['place']} ({megabytes}, schema {facts['schemaVersion']})"
    if facts["generation"] is None:
        yield "generation  none yet; `usher directory load FILE` makes one"
    else:
        users, age = f"{facts['users']:,} users from {facts['source']}", _age(str(facts["loaded"]), time.time())
        yield f"generation  {facts['generation']}: {users}, loaded {facts['loaded']} ({age})"
        yield f"settings    {_AGREEMENT[facts['settingsAgree'] is True]}"
    if isinstance(loading := facts["loading"], Mapping):
        yield f"loading     {loading['source']} since {loading['started']}, last sign of life {loading['lastSign']}"


_AGREEMENT: Final = {
    True: "those it was loaded with",
    False: "others than it was loaded with, so that no decision can use it; load it again",
}


def _age(moment: str, now: float) -> str:
    seconds = max(0.0, now - datetime.fromisoformat(moment).timestamp())
    for unit, length in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length:.0f} {unit} ago"
    return f"{seconds:.0f} seconds ago"
