"""The filters that `usher decisions tail` and `export` share.

Owns their spelling, what a moment may look like, and how a person is looked for under the key of the state folder. Main
thread only.
"""

import re
from datetime import UTC, datetime
from typing import Final

import click

from usher.adapters.decision_filter import Filter, Person, Sought, person_of
from usher.adapters.keys import existing_key
from usher.adapters.redaction import Redactor
from usher.cli.options import Decorated
from usher.cli.talk import say
from usher.domain.decision import Outcome
from usher.settings import LoadedSettings

_DATE: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_MOMENT: Final = re.compile(rf"{_DATE}T[0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}(\.[0-9]+)?(Z|[+-][0-9]{{2}}:[0-9]{{2}})")


def filter_options(command: Decorated) -> Decorated:
    """Add the options that say which decisions are meant."""
    options = (
        click.option("--since", callback=_moment, metavar="WHEN", help="Taken up at this moment or later."),
        click.option("--until", callback=_moment, metavar="WHEN", help="Taken up before this moment."),
        click.option(
            "--outcome",
            "outcomes",
            type=click.Choice([outcome.value for outcome in Outcome]),
            multiple=True,
            help="Of this outcome; may be repeated.",
        ),
        click.option("--rule", "rules", metavar="RULE", multiple=True, help="Where it fired or held; may be repeated."),
        click.option("--event", metavar="ID", help="About this event of Okta's."),
        click.option("--application", metavar="TEXT", help="Through the application of this id, name or label."),
        click.option("--person", metavar="VALUE", help="With this value of a person anywhere, hashed or in clear."),
        click.option("--shadow/--no-shadow", default=None, help="Only shadow decisions; none of them. Else both."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def wanted(loaded: LoadedSettings, said: dict[str, object]) -> Filter:
    """Return the filter for what was said at these options."""
    value = said.pop("person")
    person = None if value is None else _person(str(value), loaded)
    return Filter(Sought(**said, person=person))  # type: ignore[arg-type]  # click has checked the types


def _moment(_ctx: click.Context, _param: click.Parameter, text: str | None) -> str:
    """Return a date or a moment as lines spell it: UTC with milliseconds, midnight for a date; '' if none was given."""
    if text is None:
        return ""
    spelled = f"{text}T00:00:00Z" if re.fullmatch(_DATE, text) else text.upper()
    if not _MOMENT.fullmatch(spelled):
        raise click.BadParameter("write a date, 2026-03-01, or a moment with its offset, 2026-03-01T09:00:00Z")
    try:
        return (
            datetime.fromisoformat(spelled).astimezone(UTC).isoformat(timespec="milliseconds")[: -len("+00:00")] + "Z"
        )
    except (ValueError, OverflowError):
        raise click.BadParameter("there is no such moment") from None


def _person(value: str, loaded: LoadedSettings) -> Person:
    # What is no UTF-8 on the command line comes as half a surrogate pair, which no request can hold.
    if not value or (not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value)):
        raise click.BadParameter("write what stands in the profile, for example a login", param_hint="--person")
    folder = loaded.settings.state.folder
    key = existing_key(folder)
    if key is None:
        say(f"there is no redaction key in {folder}: only lines in clear are found")
        return person_of(value, None)
    redactor = Redactor(key, public_user=frozenset(), public_app_user=frozenset())
    return person_of(value, redactor)
