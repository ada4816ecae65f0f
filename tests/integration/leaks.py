"""Whether a secret got out: into what a process said, or into a file that it wrote.

Owns what counts as the secret: its bytes, and what base64, URLs, JSON and hexadecimal make of them. A file that is
called `*.secret` or `redaction.key` and holds nothing but a secret is where it is kept.
"""

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, quote_plus

# A shorter text could stand anywhere by chance.
MIN_CHARS = 8
_LARGEST_SECRET_BYTES = 10_000
_PART_BYTES = 2**24
_SECRET_NAMES = re.compile(r"(?!USHER_AUTH_).*(?:_SECRET|PASSWORD|_TOKEN)", re.DOTALL)
"""USHER_AUTH_… are settings: names of variables and of files."""
_ESCAPED = re.compile(rb"%[0-9A-F]{2}")
_LEFT_OUT = {".venv", ".git", "build", "node_modules"}
_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def secrets_in(environ: Mapping[str, str], folder: Path) -> set[bytes]:
    """Return the secrets of a process: in its variables, in files called so in its folder, and its redaction key."""
    given = {value.encode() for name, value in environ.items() if _SECRET_NAMES.fullmatch(name)}
    kept = {path.read_bytes().strip() for path in _files(folder, 0.0) if _keeps_secrets(path)}
    return {secret for secret in given | kept if len(secret) >= MIN_CHARS}


def _keeps_secrets(path: Path) -> bool:
    return path.suffix == ".secret" or path.name == "redaction.key"


def leaks(said: Mapping[str, bytes], folder: Path, secrets: Iterable[bytes], *, since: float = 0.0) -> list[str]:
    """Return where a secret stands that should not: a stream, or a file below the folder changed since a time."""
    wanted = {secret: dict(spelled(secret)) for secret in secrets}
    if not wanted:
        return []
    found = [f"{name} holds a secret {how}" for name, text in said.items() for how in _found(text, wanted)]
    for path in _files(folder, since):
        name = path.relative_to(folder).as_posix()
        found += [f"{name} holds a secret {how}" for how in sorted(_found_in(path, wanted))]
    return found


def spelled(secret: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the forms in which a secret may turn up, each with its name."""
    text = secret.decode("utf-8", "replace")
    yield "as it is", secret
    yield "as JSON has it", json.dumps(text)[1:-1].encode()
    for how, escaped in (("as a URL has it", quote(text, safe="")), ("as a form has it", quote_plus(text))):
        yield how, escaped.encode()
        yield f"{how}, in lower case", _ESCAPED.sub(lambda found: found[0].lower(), escaped.encode())
    yield "in hexadecimal", secret.hex().encode()
    yield "in hexadecimal, in upper case", secret.hex().upper().encode()
    for before in range(3):
        # In the middle of a longer text, base64 has one of three forms; what its neighbours decide is cut off.
        whole = base64.b64encode(b"\0" * before + secret)
        cut = whole[(0, 2, 3)[before] : len(whole) - (0, 3, 2)[(before + len(secret)) % 3]]
        yield f"in base64 ({before})", cut
        yield f"in base64 for URLs ({before})", cut.translate(_URL_SAFE)


def _found(text: bytes, wanted: Mapping[bytes, Mapping[str, bytes]]) -> Iterator[str]:
    for forms in wanted.values():
        yield from (how for how, form in forms.items() if text.find(form) >= 0)


def _found_in(path: Path, wanted: Mapping[bytes, Mapping[str, bytes]]) -> set[str]:
    overlap = max(len(form) for forms in wanted.values() for form in forms.values())
    found: set[str] = set()
    # Not mapped into memory: another process may cut the file meanwhile, or take it away.
    with suppress(FileNotFoundError), path.open("rb") as file:
        part = file.read(_PART_BYTES)
        if _keeps_secrets(path) and len(part) < _LARGEST_SECRET_BYTES and part.strip() in wanted:
            return found
        while part:
            found.update(_found(part, wanted))
            more = file.read(_PART_BYTES)
            part = part[-overlap:] + more if more else b""
    return found


def _files(folder: Path, since: float) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_symlink() or path.name in _LEFT_OUT:
            continue
        if path.is_dir():
            yield from _files(path, since)
            continue
        with suppress(FileNotFoundError):
            if path.is_file() and path.stat().st_mtime >= since:
                yield path
