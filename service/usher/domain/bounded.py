"""Ids and keys of any length and alphabet, as short texts that every database takes.

Owns the form alone. Pure; any thread.
"""

import hashlib
from typing import Final

MAX_CHARS: Final = 200
"""PostgreSQL's indexes end at some 2,700 bytes."""
_PREFIX_CHARS: Final = 100


def bounded(text: str) -> str:
    """Return a text of at most 200 characters; two texts come out alike only if they are alike.

    Long ones, and those with characters that databases refuse, keep their beginning and are told apart by a digest.
    Doing it twice changes nothing.
    """
    if len(text) <= MAX_CHARS and "\0" not in text and (text.isascii() or text.isprintable()):
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    kept = "".join(character if character.isprintable() else "?" for character in text[:_PREFIX_CHARS])
    return f"{kept}\N{HORIZONTAL ELLIPSIS}{digest}"
