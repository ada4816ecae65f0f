"""The settings in force as TOML, each with its origin: what `usher settings` prints.

Owns the form. APPSEC: prints where secrets stand and whether they are set, never what they are. Pure functions.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal, get_args, get_origin

from usher.settings.loading import LoadedSettings
from usher.settings.options import Option, described, options
from usher.settings.values import SHIPPED


def render(
    loaded: LoadedSettings, environ: Mapping[str, str], *, reasons: Mapping[str, str] = MappingProxyType({})
) -> Iterator[str]:
    """Yield one line per setting, `section.key = value  # origin`, each after its reason when `reasons` has one.

    All lines together are a settings file.
    """
    yield f"# {_comment(str(loaded.file)) if loaded.file else 'no settings file'}"
    for option in options():
        value = getattr(getattr(loaded.settings, option.section), option.key)
        note = _secrets_set(value, environ) if option.path == "auth.secret_variables" else ""
        for described_as, path, leaf in _leaves(option, value):
            if described_as in reasons:
                yield f"# {_comment(reasons[described_as])}"
            yield f"{path} = {toml(leaf)}  # {_comment(loaded.origins[path])}{note}"


def _leaves(option: Option, value: object) -> Iterator[tuple[str, str, object]]:
    """Yield what a setting is to be printed as: the path it is explained under, its own path, its value."""
    if not isinstance(value, Mapping) or not value:
        yield option.path, option.path, value
        return
    for name, entry in value.items():
        if not option.entries:
            yield option.path, f"{option.path}.{name}", entry
        for template, leaf in zip(option.entries, option.entry(name), strict=True):
            yield template.path, leaf.path, getattr(entry, leaf.key)


def explanations() -> dict[str, str]:
    """Return each setting's unit, what it may be and the reason for its default, by path."""
    return {option.path: _explanation(option) for option in described()}


def allowed(option: Option) -> str:
    """Return what a setting may be beyond its unit: its choices or its range; '' when there is nothing to say."""
    if get_origin(option.kind) is Literal:
        return ", ".join(map(toml, get_args(option.kind)))
    low, high = option.about.minimum, option.about.maximum
    return "" if low is None or high is None else f"{low:.15g} to {high:.15g}"


def _explanation(option: Option) -> str:
    about = option.about
    return f"{about.unit}, {allowed(option)}: {about.reason}" if allowed(option) else f"{about.unit}: {about.reason}"


def toml(value: object) -> str:
    """Return a setting's value as TOML writes it; None is the folder shipped with Usher."""
    match value:
        case None:
            return _quoted(SHIPPED)
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case tuple():
            return "[" + ", ".join(map(toml, value)) + "]"
        case Path() | str():
            return _quoted(str(value))
        case Mapping() if not value:
            return "{}"
    raise TypeError(f"no setting is a {type(value).__name__}")


def _quoted(text: str) -> str:
    # JSON's strings are TOML's, but for DEL; a path whose name is no UTF-8 can only be shown with a mark in its place.
    readable = text.encode("utf-8", "replace").decode()
    return json.dumps(readable, ensure_ascii=False).replace("\x7f", "\\u007f")


def _comment(text: str) -> str:
    return _quoted(text)[1:-1].replace("\\\\", "\\")


def _secrets_set(names: tuple[str, ...], environ: Mapping[str, str]) -> str:
    return "".join(f"; {name} is {'set' if name in environ else 'not set'}" for name in names)
