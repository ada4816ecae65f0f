"""What one load leaves for the next: files that have not changed need not be read or compiled again.

Owns that memory, which holds what the last two loads have used and no more. What is kept is frozen, so that whoever
asks for the same may be given the same. One thread.
"""

import hashlib
from collections.abc import Callable, Hashable
from typing import TypeVar, cast

from usher.domain.place import Problem
from usher.engine.yaml_text import Node, read_yaml

Made = TypeVar("Made")


class Trees:
    """Remembers YAML trees, and what was made of them."""

    def __init__(self) -> None:
        self._before: dict[Hashable, object] = {}
        self._now: dict[Hashable, object] = {}

    def read(self, text: str, shown: str) -> tuple[Node | None, tuple[Problem, ...]]:
        """Return the document of a text and its problems, as `read_yaml` does."""
        return self.made(("yaml", *digest(text, shown)), lambda: read_yaml(text, shown))

    def made(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """Return what was made under a key before, else make it; the key says everything the making depends on."""
        known = self.known(key)
        if known is not None:
            return cast("Made", known)
        made = make()
        self.keep(key, made)
        return made

    def known(self, key: Hashable) -> object:
        """Return what is kept under a key, which counts as its use; None when nothing is."""
        known = self._now.get(key, self._before.get(key))
        if known is not None:
            self._now[key] = known
        return known

    def keep(self, key: Hashable, value: object) -> None:
        """Keep something under a key."""
        self._now[key] = value

    def turn(self) -> None:
        """Begin another load; what the load before the last one used is forgotten."""
        self._before, self._now = self._now, {}


def digest(text: str, shown: str) -> tuple[str, bytes]:
    """Return what a text under a file's name is known by."""
    return shown, hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
