"""Options that commands of `usher ledger` share, and the namespaces they may name.

Owns their spelling, and that a slip in a name is told instead of finding nothing. Main thread only.
"""

from collections.abc import Mapping, Sequence

import click

from usher.adapters.sql.database import Database
from usher.adapters.sql.ledger_admin import namespaces_held
from usher.adapters.sql.ledger_tables import SOURCES
from usher.bootstrap.stores import namespaces_of
from usher.domain.suggestions import did_you_mean
from usher.engine import Namespace
from usher.settings import LoadedSettings

namespaces_option = click.option(
    "--namespace", "namespaces", metavar="NAME", multiple=True, help="Only this namespace; may be repeated."
)

sources_option = click.option(
    "--source",
    "sources",
    type=click.Choice(SOURCES),
    multiple=True,
    help="Only what came to be held in this way; may be repeated.",
)


def namespaces_known(loaded: LoadedSettings, database: Database) -> Mapping[str, Namespace]:
    """Return the namespaces of the settings, and those of the past in which something is held."""
    past = {name: Namespace(name) for name in namespaces_held(database)}
    return {**past, **namespaces_of(loaded.settings.ledger)}


def require_known(names: Sequence[str], loaded: LoadedSettings, database: Database) -> None:
    """Refuse names that no namespace has or had; what there was is looked for only if it has to be."""
    if set(names) <= set(loaded.settings.ledger.namespaces):
        return
    known = namespaces_known(loaded, database)
    for name in names:
        require_declared(name, known)


def require_declared(name: str, known: Mapping[str, Namespace]) -> None:
    """Refuse a name that is not among some."""
    if name not in known:
        message = f"there is no namespace {name!r}{did_you_mean(name, known)}: there are {', '.join(sorted(known))}"
        raise click.BadParameter(message, param_hint="--namespace")
