"""By what known users are found: the keys that a load writes and a look-up asks for.

Owns the form of a key, and the agreement between the settings a generation was loaded with and those that ask it: a
key made in another way would find nobody, and somebody's login would be given away. Pure; any thread.

A key is 64 bits of a digest over what it is about and the value: it has one size whatever people are called, every
database compares it alike whatever its collation, and an index of a million takes 20 MB. It only narrows: two values
may have the same key, so who reads looks at the users themselves.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from usher.domain.fold import FOLD_VERSION
from usher.engine import Namespace, User
from usher.engine.stores import LOGIN

_KEY_BYTES = 8


@dataclass(frozen=True, slots=True)
class Keying:
    """What users can be found by, besides id and login: the namespaces' attributes, and those that are indexed."""

    namespaces: tuple[Namespace, ...]
    indexed: tuple[str, ...]
    fold_version: int = FOLD_VERSION

    @classmethod
    def of(cls, namespaces: Iterable[Namespace], indexed: Iterable[str]) -> "Keying":
        """Return the keying of this version for the settings' namespaces and indexed attributes."""
        return cls(tuple(namespaces), tuple(sorted({*indexed} - {"id", "login"})))

    @classmethod
    def from_json(cls, text: str) -> "Keying":
        """Return what `as_json` wrote."""
        told = json.loads(text)
        namespaces = (
            Namespace(name, tuple(given["ignoring"]), given["compare"], tuple(given["directory"]))
            for name, given in told["namespaces"].items()
        )
        return cls(tuple(namespaces), tuple(told["indexed"]), told["fold_version"])

    def as_json(self) -> str:
        """Return all of it as a text to be kept with the keys."""
        namespaces = {
            each.name: {"compare": each.compare, "ignoring": each.ignoring, "directory": each.directory}
            for each in self.namespaces
        }
        return json.dumps(
            {"fold_version": self.fold_version, "indexed": self.indexed, "namespaces": namespaces}, ensure_ascii=True
        )

    @property
    def kinds(self) -> frozenset[str]:
        """Return what its keys are about; two namespaces that compare alike share their keys, whatever their names."""
        return frozenset({*map(_kind_of, (LOGIN, *self.namespaces)), *map(_kind_of_attribute, self.indexed)})

    def serves(self, wanted: "Keying") -> bool:
        """Say whether users with these keys are found by whoever asks with the wanted ones."""
        return self.fold_version == wanted.fold_version and wanted.kinds <= self.kinds

    def covers(self, namespace: Namespace) -> bool:
        """Say whether there are keys for a namespace's values."""
        return _kind_of(namespace) in self.kinds

    def keys_of(self, user: User) -> frozenset[int]:
        """Return every key by which a user is found, the id's not among them."""
        keys = set()
        for namespace in self._compared():
            for attribute in namespace.directory:
                if isinstance(held := user.get(attribute), str):
                    keys.add(namespace_key(namespace, held))
        for attribute in self.indexed:
            if isinstance(held := user.get(attribute), str) and held.strip():
                keys.add(attribute_key(attribute, held))
        return frozenset(keys)

    def _compared(self) -> Iterable[Namespace]:
        """Return one namespace of each kind."""
        return {_kind_of(namespace): namespace for namespace in (LOGIN, *self.namespaces)}.values()


def namespace_key(namespace: Namespace, value: str) -> int:
    """Return the key of what a value is to a namespace."""
    return _digest(_kind_of(namespace), namespace.key(value))


def attribute_key(attribute: str, value: str) -> int:
    """Return the key of an attribute's exact value."""
    return _digest(_kind_of_attribute(attribute), value)


@lru_cache(maxsize=64)
def _kind_of(namespace: Namespace) -> str:
    told: Mapping[str, object] = {"ignoring": namespace.ignoring, "directory": sorted({*namespace.directory})}
    return f"{namespace.compare} {json.dumps(told)}"


def _kind_of_attribute(attribute: str) -> str:
    return f"attribute {attribute}"


def _digest(kind: str, text: str) -> int:
    content = f"{kind}\0{text}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(content, digest_size=_KEY_BYTES).digest(), signed=True)
