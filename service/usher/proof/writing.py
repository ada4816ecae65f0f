"""A test file as text: YAML that an admin reads and edits, and that reads back as it was.

Owns the form: plain words stand bare, everything else is quoted as JSON quotes it, short lists and maps on one line.
Pure functions.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Final

_BARE: Final = re.compile(r"[A-Za-z](?:[A-Za-z0-9_/.@ -]*[A-Za-z0-9_/.-])?")
_KEY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_MEANS_MORE: Final = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
_LINE_CHARS: Final = 100
_LAST_SHORT: Final = 0xFFFF


def yaml_text(document: Mapping[str, object], *, comment: str) -> str:
    """Return a document with a comment above it."""
    head = "".join(f"# {line}\n" for line in comment.splitlines())
    return head + "".join(f"{line}\n" for line in _members(document, ""))


def _members(mapping: Mapping[str, object], indent: str) -> Iterator[str]:
    for key, value in mapping.items():
        yield from _entry(f"{indent}{_key(key)}:", value, indent + "  ")


def _entry(head: str, value: object, indent: str) -> Iterator[str]:
    flow = _flow(value)
    if not isinstance(value, (dict, list)) or not value or len(head) + len(flow) < _LINE_CHARS:
        yield f"{head} {flow}"
    elif isinstance(value, dict):
        yield head
        yield from _members(value, indent)
    else:
        yield head
        for item in value:
            yield from _item(item, indent)


def _item(item: object, indent: str) -> Iterator[str]:
    lines = list(_members(item, indent + "  ")) if isinstance(item, dict) and item else []
    if not lines:
        yield f"{indent}- {_flow(item)}"
        return
    yield f"{indent}- {lines[0].lstrip()}"
    yield from lines[1:]


def _flow(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(key)}: {_flow(member)}" for key, member in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, str) and _BARE.fullmatch(value) and value.lower() not in _MEANS_MORE:
        return value
    return _quoted(value)


def _key(key: str) -> str:
    return key if _KEY.fullmatch(key) and key.lower() not in _MEANS_MORE else _quoted(key)


def _quoted(value: object) -> str:
    """Return a value as JSON; characters YAML does not take as they are stand as escapes that both know."""
    quoted = json.dumps(value, ensure_ascii=False)
    return quoted if quoted.isprintable() else "".join(map(_escaped, quoted))


def _escaped(char: str) -> str:
    if char.isprintable():
        return char
    return f"\\u{ord(char):04x}" if ord(char) <= _LAST_SHORT else f"\\U{ord(char):08x}"
