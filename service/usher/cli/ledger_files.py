"""`usher ledger export|import`: the ledger as a file, and lists into it.

Owns what these two say. Main thread only, beside a service that may run.
"""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import get_args

import click

from usher.adapters.sql.ledger_admin import Sought, pages
from usher.adapters.sql.ledger_export import as_csv, as_spreadsheet
from usher.adapters.sql.ledger_import import MAX_FAULTS, Imported, import_list
from usher.adapters.sql.ledger_keys import require_agreement
from usher.adapters.sql.ledger_lists import Kind, ListFile
from usher.bootstrap.ledger import existing_ledger
from usher.bootstrap.stores import namespaces_of
from usher.cli.group import FINDINGS
from usher.cli.ledger_options import namespaces_option, require_declared, require_known, sources_option
from usher.cli.ledger_words import counted
from usher.cli.options import config_option, set_option, settings_in_force
from usher.cli.output import output_option, write_out
from usher.cli.talk import say
from usher.engine import Namespace
from usher.errors import UsherError


class LedgerFileError(UsherError):
    """A list cannot be read; the text names it and says why."""


@click.command("export")
@output_option
@namespaces_option
@sources_option
@click.option("--for-spreadsheet", is_flag=True, help="For Excel and its like: no cell is a formula. Not for programs.")
@config_option
@set_option
def export_command(
    output: Path | None, for_spreadsheet: bool, config: Path | None, overrides: tuple[str, ...], **said: object
) -> None:
    """Write who holds which value as CSV, sorted, for an HR system or another ledger.

    UTF-8 with the columns namespace, value, application, subject, source, since and seen. Times are by RFC 3339 in UTC;
    `seen` is empty while no load of the directory has shown the value. Nothing is lost: `usher ledger import --kind
    exported` reads it. With --for-spreadsheet a cell that a spreadsheet would run begins with an apostrophe.
    """
    sought = Sought(**said)  # type: ignore[arg-type]  # click has checked the types
    loaded = settings_in_force(config, overrides)
    with existing_ledger(loaded) as database:
        require_known(sought.namespaces, loaded, database)
        pieces = (as_spreadsheet if for_spreadsheet else as_csv)(pages(database, sought))
        write_out(output, pieces)


@click.command("import")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--kind", type=click.Choice(get_args(Kind)), required=True, help="What FILE is.")
@click.option("--namespace", metavar="NAME", help="Of the values; login if left out. Not with --kind exported.")
@click.option("--application", metavar="ID", help="The application of leavers whose row names none.")
@click.option("--skip-held", is_flag=True, help="Leave out what somebody else holds, and import the rest.")
@config_option
@set_option
def import_command(
    file: Path, kind: Kind, skip_held: bool, config: Path | None, overrides: tuple[str, ...], **said: str | None
) -> None:
    """Take values into the ledger from FILE: all of them, or none.

    Of kind `reserved` FILE holds values that nobody gets: one a line, or CSV whose first line names a column value.
    Of kind `leavers` it holds values of people who left, which nobody else gets: CSV with columns value and subject,
    and application if you like; only who comes back through that application, as that subject, gets them again. Both
    may have a column reason, which goes on record. Of kind `exported` it is what `usher ledger export` wrote, and
    becomes what it was there.

    Faulty rows, and values that somebody else holds, are printed by their lines; then nothing is imported, exit 1. What
    its owner holds already stays as it is. Claims of a running service wait until the import ends.
    """
    loaded = settings_in_force(config, overrides)
    list_file = _list_file(file, kind, namespaces_of(loaded.settings.ledger), **said)
    with existing_ledger(loaded) as database:
        require_agreement(database, list_file.declared)
        try:
            imported = import_list(database, list_file, skips_held=skip_held)
        except OSError as error:
            raise LedgerFileError(f"{file}: cannot be read: {error.strerror or type(error).__name__}") from None
    for line in _findings(file, imported):
        click.echo(line)
    if imported.is_refused:
        for line in _refusal(imported):
            say(f"{file}: {line}")
        sys.exit(FINDINGS)
    for line in _notes(list_file, imported):
        say(line)
    already = f"; {counted(imported.already, 'value')} there already" if imported.already else ""
    skipped = f"; {counted(len(imported.held), 'value')} skipped" if imported.held else ""
    click.echo(f"{counted(imported.added, 'value')} imported{already}{skipped}")


def _list_file(
    file: Path, kind: Kind, declared: Mapping[str, Namespace], *, namespace: str | None, application: str | None
) -> ListFile:
    if kind == "exported" and namespace is not None:
        raise click.UsageError("--namespace has no meaning for what was exported: each row names its own")
    if kind != "leavers" and application is not None:
        raise click.UsageError("--application has a meaning with --kind leavers only")
    name = "login" if namespace is None else namespace
    require_declared(name, declared)
    reason = f"imported from {file.name}".encode("utf-8", "replace").decode("utf-8")
    return ListFile(file, kind, declared, declared[name], application or "", reason)


def _findings(file: Path, imported: Imported) -> Iterator[str]:
    """Yield what is wrong, in the file's order; no line of them quotes the file."""
    for fault in imported.faults:
        yield f"{file}:{fault.line}: {fault.code}: {fault.message}"
    for line in imported.held:
        yield f"{file}:{line}: held: somebody else holds this value"


def _refusal(imported: Imported) -> Iterator[str]:
    if imported.fault_count:
        told = f", of which these are the first {len(imported.faults)}" if imported.fault_count > MAX_FAULTS else ""
        yield f"{counted(imported.fault_count, 'faulty row')}{told}; nothing is imported"
    else:
        held = counted(len(imported.held), "value")
        yield f"{held} held by somebody else; nothing is imported (--skip-held would import the others)"


def _notes(file: ListFile, imported: Imported) -> Iterator[str]:
    """Yield what an administrator may not have meant."""
    if file.kind == "reserved" and imported.without_domain and file.namespace.compare == "whole":
        values = counted(imported.without_domain, "value")
        compares = f"{file.namespace.name} compares whole values"
        yield f"note: {values} without a domain: {compares}, so `admin` keeps nobody from `admin@example.com`;"
        yield "      in a policy `except` does"
    if file.kind == "leavers" and imported.without_application:
        values = counted(imported.without_application, "value")
        yield f"note: {values} without an application: not even who comes back gets them; see --application"
