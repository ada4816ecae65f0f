"""Options several commands share: which settings file, which values override it.

Owns their spelling and how they become `LoadedSettings`. Main thread only.
"""

import os
from collections.abc import Callable
from pathlib import Path

import click

from usher.settings import LoadedSettings, load

Decorated = Callable[..., object]

config_option = click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="The settings file; else USHER_CONFIG, else usher.toml in the working directory if there is one.",
)

set_option = click.option(
    "--set",
    "overrides",
    metavar="SECTION.KEY=VALUE",
    multiple=True,
    help="Override one setting; may be repeated. `usher settings` lists them all.",
)

policies_option = click.option(
    "--policies",
    type=click.Path(path_type=Path),
    help="The policy folder; else the one in the settings, else the shipped policies.",
)


def settings_in_force(config: Path | None, overrides: tuple[str, ...] = ()) -> LoadedSettings:
    """Load the settings from file, environment and options; raises `SettingsError`."""
    return load(config, environ=os.environ, overrides=dict(map(_override, overrides)), folder=Path.cwd())


def _override(text: str) -> tuple[str, str]:
    path, equals, value = text.partition("=")
    if not equals or not path.strip():
        raise click.BadParameter(f"{text!r}: write SECTION.KEY=VALUE, for example server.port=8090", param_hint="--set")
    return path.strip(), value.strip()
