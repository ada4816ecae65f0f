"""`usher why DECISION_ID`: the account of a decision on record."""

import json
from dataclasses import replace
from pathlib import Path

import click

from usher.adapters.decision_search import find_decision
from usher.answer.recorded_line import record_of
from usher.bootstrap.policies import load_source
from usher.cli.options import config_option, policies_option, set_option, settings_in_force
from usher.cli.talk import say
from usher.engine import PolicySet, Profiles
from usher.engine.profiles import Profile
from usher.proof.accounts import Accounts
from usher.proof.words import as_data, told, told_of_shadow


@click.command("why")
@click.argument("decision_id")
@click.option("--format", "report", type=click.Choice(["text", "json"]), default="text", show_default=True)
@policies_option
@config_option
@set_option
def why_command(
    decision_id: str, report: str, policies: Path | None, config: Path | None, overrides: tuple[str, ...]
) -> None:
    """Say why a person got what they got, from the decision log.

    DECISION_ID stands in the answer's X-Usher-Decision header and in Okta's System Log, under debugContext. Personal
    values are the hashes of the log. With the policies that decided, the account names the part of a condition that was
    false; once they have changed, what the log itself says. Exits 2 when no file of the log holds the decision.
    """
    settings = settings_in_force(config, overrides)
    found = find_decision(settings.settings.decisions.file, decision_id)
    record = record_of(found.line)
    shadow = None if found.shadow is None else replace(record_of(found.shadow), input=record.input)
    policy_set = load_source(settings, policies).loaded.policy_set or _no_policies()
    if record.revision and policy_set.revision != record.revision:
        say(f"the policies have changed since: places are those of revision {record.revision}")
    rules = tuple(Accounts(policy_set, record, None).all())
    shadow_rules = tuple(Accounts(policy_set, shadow, None).all(shadow=True)) if shadow else ()
    if report == "json":
        account = as_data(record, rules)
        click.echo(json.dumps({**account, "shadow": as_data(shadow, shadow_rules) if shadow else None}))
        return
    for line in (*told(record, rules), *(told_of_shadow(shadow, shadow_rules) if shadow else ())):
        click.echo(line)


def _no_policies() -> PolicySet:
    """Return the set to tell with when the policies in force have errors: the record speaks for itself."""
    return PolicySet("", (), Profiles(Profile(), Profile(), {}))
