"""What a value must be to become a setting's: strict about types, clear about ranges, silent about the value itself.

Owns the check for all three sources. Nothing is converted between types except text from a variable or an option, which
has no other form. Pure functions.
"""

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal, get_args, get_origin

from usher.settings.about import About
from usher.settings.options import Option

SHIPPED: Final = "shipped"
_WHOLE_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,18}")


class RefusedValueError(ValueError):
    """A value that a setting cannot take; the text continues the setting's name: `must be a whole number`."""


def accept(option: Option, value: object, folder: Path) -> object:
    """Return the value as the setting holds it, relative paths below `folder`; raises `RefusedValueError`."""
    kind, about = option.kind, option.about
    if get_origin(kind) is Literal:
        return _choice(value, get_args(kind))
    if get_origin(kind) is tuple:
        return _list(value, get_args(kind)[0], about, folder)
    if kind == Path | None:
        return None if value == SHIPPED or value is None else _path(value, folder)
    return _scalars(about, folder)[kind](value)


def from_text(option: Option, text: str) -> object:
    """Read a variable's or an option's text in the setting's form; text that has none stays, for `accept` to refuse."""
    if get_origin(option.kind) is tuple:
        return [part.strip() for part in text.split(",") if part.strip()]
    if option.kind is bool:
        return {"true": True, "false": False}.get(text.lower(), text)
    if option.kind is int:
        return int(text) if _WHOLE_NUMBER.fullmatch(text) else text
    if option.kind is float:
        try:
            return float(text)
        except ValueError:
            return text
    return text


def _scalars(about: About, folder: Path) -> dict[object, Callable[[object], object]]:
    return {
        bool: _boolean,
        int: lambda value: _whole(value, about),
        float: lambda value: _number(value, about),
        str: lambda value: _text(value, about),
        Path: lambda value: _path(value, folder),
    }


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise RefusedValueError("must be true or false")
    return value


def _whole(value: object, about: About) -> int:
    # bool is an int to Python: `port = true` would be port 1.
    if not isinstance(value, int) or isinstance(value, bool):
        raise RefusedValueError("must be a whole number")
    return int(_within(value, about))


def _number(value: object, about: About) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise RefusedValueError("must be a number")
    return float(_within(value, about))


def _within(value: float, about: About) -> float:
    low, high = about.minimum, about.maximum
    if (low is not None and value < low) or (high is not None and value > high):
        raise RefusedValueError(f"must be from {low:.15g} to {high:.15g}")
    return value


def _text(value: object, about: About) -> str:
    if not isinstance(value, str):
        raise RefusedValueError("must be a text in quotes")
    if about.pattern and not re.fullmatch(about.pattern, value):
        raise RefusedValueError(f"must be a valid {about.unit}")
    return value


def _choice(value: object, allowed: tuple[str, ...]) -> str:
    for choice in allowed:
        if value == choice:
            return choice
    raise RefusedValueError("must be " + " or ".join(f'"{choice}"' for choice in allowed))


def _list(value: object, kind: object, about: About, folder: Path) -> tuple[object, ...]:
    if not isinstance(value, list | tuple):
        raise RefusedValueError("must be a list in brackets")
    try:
        return tuple(_path(item, folder) if kind is Path else _text(item, about) for item in value)
    except RefusedValueError:
        raise RefusedValueError(f"must hold {about.unit}, each in quotes") from None


def _path(value: object, folder: Path) -> Path:
    if not isinstance(value, str | Path) or not str(value) or "\0" in str(value):
        raise RefusedValueError("must be a path in quotes")
    return folder / value
