"""`usher ledger list|show|release|migrate|export|import`: who holds which value, for the administrator.

Owns what the first four say; `ledger_files` has the other two. Values are shown to who asks for them, and no error
quotes one. Main thread only, beside a service that may run.
"""

import itertools
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import click

from usher.adapters.sql.database import Database, DatabaseOptions
from usher.adapters.sql.ledger_admin import Change, Sought, count, find, history_of_subject, history_of_value, newest
from usher.adapters.sql.ledger_admin import release as release_value
from usher.adapters.sql.ledger_rekey import Collision, Rekeyed, rekey
from usher.adapters.sql.versions import schema_version
from usher.bootstrap.ledger import created_or_migrated, existing_ledger, ledger_database
from usher.bootstrap.stores import namespaces_of
from usher.cli.group import FINDINGS
from usher.cli.ledger_files import export_command, import_command
from usher.cli.ledger_options import (
    namespaces_known,
    namespaces_option,
    require_declared,
    require_known,
    sources_option,
)
from usher.cli.ledger_words import (
    as_data,
    counted,
    table,
    told_changes,
    told_collision,
    told_holding,
    told_release,
)
from usher.cli.options import config_option, set_option, settings_in_force
from usher.cli.talk import say
from usher.engine import Namespace
from usher.settings import LoadedSettings

_STATEMENT_SECONDS: Final = 600.0
"""PostgreSQL ends what takes longer; to make some million keys anew takes a few long statements."""


@click.command("list")
@namespaces_option
@sources_option
@click.option("--owner", "subject", metavar="SUBJECT", help="Only what is held by this subject.")
@click.option("--application", metavar="ID", help="Only what came through this application.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", default=100, show_default=True, help="At most N.")
@click.option("--format", "report", type=click.Choice(["table", "json"]), default="table", show_default=True)
@config_option
@set_option
def list_command(limit: int, report: str, config: Path | None, overrides: tuple[str, ...], **said: object) -> None:
    """Print who holds which value, the newest first.

    Times are UTC. `source` is claim (a rule), remembered (a login without a rule), reserved or leaver (a list); `seen`
    is when a load of the directory first showed the value.
    """
    sought = Sought(**said)  # type: ignore[arg-type]  # click has checked the types
    loaded = settings_in_force(config, overrides)
    with existing_ledger(loaded) as database:
        require_known(sought.namespaces, loaded, database)
        found = newest(database, sought, limit)
        number = count(database, sought) if len(found) == limit else len(found)
    if report == "json":
        click.echo(json.dumps([as_data(holding) for holding in found], indent=1))
    elif found:
        for line in table(found):
            click.echo(line)
    if number > len(found):
        say(f"{counted(number, 'value')} in all; these are the newest {len(found):,}, --limit shows more")
    elif not found:
        say("no value is held")


@click.command("show")
@click.argument("text", metavar="VALUE|SUBJECT")
@click.option("--namespace", metavar="NAME", help="Only in this namespace.")
@config_option
@set_option
def show_command(text: str, namespace: str | None, config: Path | None, overrides: tuple[str, ...]) -> None:
    """Print who holds a value, or what a subject holds, and what became of it over time.

    A value is found however it is spelled, as its namespace compares. Exits 1 when nobody holds it; what became of it
    is printed all the same.
    """
    loaded = settings_in_force(config, overrides)
    with existing_ledger(loaded) as database:
        asked = _asked(loaded, database, namespace)
        held = [holding for one in asked for holding in find(database, one, text)]
        owned = newest(database, Sought([one.name for one in asked], subject=text))
        for line in (line for holding in (*held, *owned) for line in told_holding(holding)):
            click.echo(line)
        # To look through all changes for the spellings of a value takes seconds: not for what is a subject.
        changes = [history_of_value(database, one, text) for one in asked] if held or not owned else []
        for line in _told_history(itertools.chain(*changes, history_of_subject(database, text))):
            click.echo(line)
    if not held and not owned:
        say("nobody holds it")
        sys.exit(FINDINGS)


@click.command("release")
@click.argument("value")
@click.option("--reason", required=True, metavar="TEXT", help="Why; it goes on record.")
@click.option("--namespace", metavar="NAME", default="login", show_default=True, help="The namespace of the value.")
@click.option("--subject", metavar="SUBJECT", help="Only if this subject holds it.")
@config_option
@set_option
def release_command(
    value: str, reason: str, namespace: str, subject: str | None, config: Path | None, overrides: tuple[str, ...]
) -> None:
    """Free a value: from now on it may be given to anybody.

    Prints who held it. The change and its reason are on record: `usher ledger show`. It works also while a start is
    refused because values compare otherwise now; then the value exactly as written is the one that is freed. Exits 1
    when nobody holds it.
    """
    loaded = settings_in_force(config, overrides)
    _require_text(reason)
    with existing_ledger(loaded) as database:
        (one,) = _asked(loaded, database, namespace)
        freed = release_value(database, one, value, reason=reason.strip(), subject=subject)
    for holding in freed:
        click.echo(told_release(holding))
    if not freed:
        say("nobody holds it" if subject is None else "this subject does not hold it")
        sys.exit(FINDINGS)


@click.command("migrate")
@config_option
@set_option
def migrate_command(config: Path | None, overrides: tuple[str, ...]) -> None:
    """Bring the ledger up to date: its schema, and what its values are compared by.

    Stop every service that uses it first. Needed when a start asks for it: on PostgreSQL for each version that changes
    the schema, and wherever a namespace's settings or a new version compare otherwise. Creates a ledger that is not
    there. Values of different owners that would be the same are listed, and then no key is changed: release one of
    each, and run it again. Exits 1 in that case.
    """
    loaded = settings_in_force(config, overrides)
    with ledger_database(loaded, DatabaseOptions(timeout_seconds=_STATEMENT_SECONDS)) as database:
        found = created_or_migrated(loaded, database)
        needed = schema_version(database).needed
        was = "it already was" if found == needed else f"it was {found}" if found else "there was none"
        click.echo(f"{database.place}: schema {needed}; {was}")
        came = rekey(database, namespaces_of(loaded.settings.ledger))
    for line in _told_rekeyed(came):
        click.echo(line)
    if any(isinstance(one, Collision) for one in came):
        say(f"{counted(len(came), 'collision')}: no key has changed. Of each line free all values but one with")
        say("`usher ledger release VALUE --namespace NAME --reason TEXT`, then run this again")
        sys.exit(FINDINGS)


def _asked(loaded: LoadedSettings, database: Database, name: str | None) -> Sequence[Namespace]:
    """Return the namespace of a name, or all that there are."""
    known = namespaces_known(loaded, database)
    if name is None:
        return [known[one] for one in sorted(known)]
    require_declared(name, known)
    return [known[name]]


def _require_text(reason: str) -> None:
    """Refuse what would be no reason, or what no database takes: bytes of another encoding than the terminal's."""
    if not reason.strip() or not reason.isprintable():
        raise click.BadParameter("say why, in text", param_hint="--reason")


def _told_history(changes: Iterator[Change]) -> Iterator[str]:
    for number, line in enumerate(told_changes(changes)):
        if not number:
            yield "history"
        yield line


def _told_rekeyed(came: Iterable[Rekeyed | Collision]) -> Iterator[str]:
    for one in came:
        if isinstance(one, Collision):
            yield told_collision(one)
        elif one.changed or one.merged:
            merged = f", {counted(one.merged, 'value')} merged into another of the same owner" if one.merged else ""
            yield f"{one.namespace}: {counted(one.changed, 'key')} made anew{merged}"


ledger_command = click.Group(
    "ledger",
    commands=[list_command, show_command, release_command, export_command, import_command, migrate_command],
    help="Look at, and change, who holds which value.",
)
