"""What the decision log shows of a person: keyed hashes in place of values, equal for equal values.

Owns which parts of a record are personal. It lists what may stay readable and hides all else, so that what Okta adds
tomorrow is hidden until somebody decides. A `Redactor` serves all threads; it remembers names of attributes, no values.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Final

from usher.adapters.keys import key_id
from usher.answer import decision_line
from usher.answer.record import DecisionRecord
from usher.domain.command import Command, CommandType
from usher.domain.request import CREATE_USER, LINK_USER

_HASH_BYTES: Final = 16
_MAX_NAMES: Final = 4096
_MARK: Final = "h:"
_HASH: Final = re.compile(r"h:[0-9a-f]{32}")
# What looks like a name in a schema, a rule or a payload; an e-mail address or a sentence does not.
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
_OKTA_ID: Final = re.compile(r"00u[A-Za-z0-9]{1,32}")
_FAULT: Final = re.compile(r"\$(?:\.[A-Za-z_][A-Za-z0-9_-]{0,63}|\[[0-9]+\])*: [A-Za-z-]+")
_EVENT: Final = ("source", "eventId", "eventTime", "eventTypeVersion", "cloudEventVersion", "eventType", "contentType")

Hashes = dict[str, str]
"""The hashes of one record so far: most values stand in it twice, in both profiles."""
Step = Callable[[object, Hashes], object]


class Redactor:
    """Turns the personal part of a decision record into data that names nobody.

    `public_user` and `public_app_user` are the attributes whose profile schema says `x-sensitivity: none`;
    `lookup_names` are the attributes and namespaces that may stand readable in a look-up: a policy may compute others.
    `key_id` tells lines under one key from those under another.
    """

    __slots__ = (
        "_asked",
        "_boolean",
        "_commands",
        "_input",
        "_lookup_names",
        "_matched",
        "_names",
        "_number",
        "_source",
        "_text",
        "key_id",
    )

    def __init__(
        self,
        key: bytes,
        *,
        public_user: frozenset[str],
        public_app_user: frozenset[str],
        lookup_names: frozenset[str] = frozenset(),
    ) -> None:
        self.key_id: Final = key_id(key)
        # `person` keeps the types apart: the text "1" and the number 1 have different hashes.
        self._text: Final = hashlib.blake2b(key=key, digest_size=_HASH_BYTES, person=b"text")
        self._number: Final = hashlib.blake2b(key=key, digest_size=_HASH_BYTES, person=b"number")
        self._boolean: Final = hashlib.blake2b(key=key, digest_size=_HASH_BYTES, person=b"boolean")
        self._names: Final[set[str]] = set()
        self._lookup_names: Final = lookup_names
        user, app_user = self._profile(public_user), self._profile(public_app_user)
        self._matched: Final = self._members({"id": self._user_id, "user": self._members({"id": self._user_id})})
        self._source: Final = self._members(dict.fromkeys(("name", "id", "label", "status"), self._readable))
        self._input: Final = self._request(user, app_user)
        self._commands: Final[Mapping[CommandType, Step]] = {
            CommandType.ACTION: self._members({"result": self._action}),
            CommandType.LINK: self._members({"id": self._user_id}),
            CommandType.APP_PROFILE: app_user,
            CommandType.USER_PROFILE: user,
        }
        self._asked: Final = self._store_steps()

    def redacted(self, record: DecisionRecord) -> tuple[dict[str, object], tuple[str, ...]]:
        """Return the personal fields redacted, and the names of those that had to be dropped because that failed."""
        hashes: Hashes = {}
        fields: dict[str, Callable[[], object]] = {
            "application": lambda: self._source(dict(record.application), hashes),
            "subject": lambda: self._hidden(record.subject, hashes),
            "faults": lambda: [self._fault(fault, hashes) for fault in record.faults],
            "commands": lambda: [self._command(command, hashes) for command in record.commands],
            "lookups": lambda: self._asked["lookups"](decision_line.lookups(record), hashes),
            "claims": lambda: self._asked["claims"](decision_line.claims(record), hashes),
            "remembered": lambda: self._asked["remembered"](decision_line.remembered(record), hashes),
            "input": lambda: self._input(record.input, hashes),
        }
        line: dict[str, object] = {}
        dropped = []
        for name, redact in fields.items():
            try:
                line[name] = redact()
            except Exception:  # noqa: BLE001 - APPSEC: whatever fails, the value must not get out another way
                dropped.append(name)
        return line, tuple(dropped)

    def hashed(self, value: object) -> object:
        """Return what stands in the log for a personal value."""
        return self._hidden(value, {})

    def _request(self, user: Step, app_user: Step) -> Step:
        """Return the step for a whole request; every member that is not named here is hidden."""
        job = self._members(dict.fromkeys(("id", "type"), self._readable))
        names = self._elements(self._attribute_name)
        context = self._members(
            {
                "conflicts": names,
                "application": self._source,
                "job": job,
                "matches": self._elements(self._match),
                "policy": names,
            }
        )
        data = self._members(
            {
                "context": context,
                "action": self._members({"result": self._action}),
                "appUser": self._members({"profile": app_user}),
                "user": self._members({"id": self._user_id, "profile": user}),
            }
        )
        return self._members({**dict.fromkeys(_EVENT, self._readable), "data": data})

    def _store_steps(self) -> Mapping[str, Step]:
        """Return the steps for what was asked of ledger and directory: values hidden, whatever their attribute."""
        asked = {
            "function": self._readable,
            "name": self._lookup_name,
            "value": self._hidden,
            "found": self._found,
        }
        tried = self._members({"values": self._by_namespace, "refused": self._readable})
        claim = {
            "rule": self._readable,
            "tried": self._elements(tried),
            "more": self._readable,
            "granted": self._by_namespace,
        }
        kept = {"namespace": self._readable, "value": self._hidden, "collision": self._readable}
        return {
            "lookups": self._elements(self._members(asked)),
            "claims": self._elements(self._members(claim)),
            "remembered": self._elements(self._members(kept)),
        }

    def _members(self, steps: Mapping[str, Step]) -> Step:
        def redact(value: object, hashes: Hashes) -> object:
            if type(value) is not dict:
                return self._hidden(value, hashes)
            line = {}
            for name, member in value.items():
                step = steps.get(name)
                if step is not None:
                    line[name] = step(member, hashes)
                else:
                    line[self._name(name, hashes)] = self._hidden(member, hashes)
            return line

        return redact

    def _elements(self, step: Step) -> Step:
        def redact(value: object, hashes: Hashes) -> object:
            if type(value) is not list:
                return self._hidden(value, hashes)
            return [step(element, hashes) for element in value]

        return redact

    def _profile(self, public: frozenset[str]) -> Step:
        hidden, hashed, named, names = self._hidden, self._hash, self._name, self._names

        def redact(value: object, hashes: Hashes) -> object:
            if not isinstance(value, dict):
                return hidden(value, hashes)
            line: dict[str, object] = {}
            for attribute, member in value.items():
                name = attribute if attribute in names else named(attribute, hashes)
                if member is None or member == "":
                    line[name] = member
                elif attribute in public:
                    line[name] = self._public(member, hashes)
                elif type(member) is str:
                    line[name] = hashes.get(member) or hashed(member, hashes)
                else:
                    line[name] = hidden(member, hashes)
            return line

        return redact

    def _command(self, command: Command, hashes: Hashes) -> dict[str, object]:
        return {"type": command.type.value, "value": self._commands[command.type](dict(command.value), hashes)}

    def _match(self, value: object, hashes: Hashes) -> object:
        """Keep the id of `"00u…"`, `{"id": …}` or `{"user": {"id": …}}`; all else a match tells is about a person."""
        return self._matched(value, hashes) if isinstance(value, dict) else self._user_id(value, hashes)

    def _user_id(self, value: object, hashes: Hashes) -> object:
        return value if type(value) is str and _OKTA_ID.fullmatch(value) else self._hidden(value, hashes)

    def _lookup_name(self, value: object, hashes: Hashes) -> object:
        return value if value in self._lookup_names else self._hidden(value, hashes)

    def _found(self, value: object, hashes: Hashes) -> object:
        """Keep whether a value is taken, and the ids of users."""
        if isinstance(value, bool):
            return value
        return self._elements(self._user_id)(value, hashes)

    def _by_namespace(self, value: object, hashes: Hashes) -> object:
        """Hide the values; namespaces are named by the settings."""
        if not isinstance(value, dict):
            return self._hidden(value, hashes)
        return {namespace: self._hidden(held, hashes) for namespace, held in value.items()}

    def _action(self, value: object, hashes: Hashes) -> object:
        return value if value in (CREATE_USER, LINK_USER) else self._hidden(value, hashes)

    def _attribute_name(self, value: object, hashes: Hashes) -> object:
        return self._name(value, hashes) if type(value) is str else self._hidden(value, hashes)

    def _readable(self, value: object, hashes: Hashes) -> object:
        return self._hidden(value, hashes) if isinstance(value, (dict, list)) else value

    def _public(self, value: object, hashes: Hashes) -> object:
        if isinstance(value, dict) or (
            isinstance(value, list) and any(isinstance(part, (dict, list)) for part in value)
        ):
            return self._hidden(value, hashes)
        return value

    def _fault(self, fault: str, hashes: Hashes) -> str:
        """Keep a path made of names; the sender's keys stand in it, and one may be a value in the wrong place."""
        if _FAULT.fullmatch(fault):
            return fault
        path, _, code = fault.rpartition(": ")
        return f"{self._hash(path, hashes)}: {self._name(code, hashes)}"

    def _name(self, name: str, hashes: Hashes) -> str:
        if not _NAME.fullmatch(name):
            return self._hash(name, hashes)
        if len(self._names) < _MAX_NAMES:
            self._names.add(name)
        return name

    def _hidden(self, value: object, hashes: Hashes) -> object:
        """Hide every value in a value; null, '' and how many there are stay visible."""
        kind = type(value)
        if kind is str:
            return self._hash(value, hashes) if value else value  # type: ignore[arg-type]  # `kind` says it is text
        if value is None:
            return None
        if isinstance(value, bool):
            return self._digest(self._boolean, str(value))
        if isinstance(value, (int, float)):
            return self._digest(self._number, _canonical(value))
        if isinstance(value, (list, tuple)):
            return [self._hidden(part, hashes) for part in value]
        if isinstance(value, Mapping):
            return {self._hash(str(name), hashes): self._hidden(part, hashes) for name, part in value.items()}
        raise TypeError(f"a {kind.__name__} is no JSON value")

    def _hash(self, text: str, hashes: Hashes) -> str:
        known = hashes.get(text)
        if known is None:
            # A keyed state that is copied costs half of one that is made anew.
            digest = self._text.copy()
            digest.update(text.encode())
            known = hashes[text] = _MARK + digest.hexdigest()
        return known

    @staticmethod
    def _digest(keyed: hashlib.blake2b, text: str) -> str:
        digest = keyed.copy()
        digest.update(text.encode())
        return _MARK + digest.hexdigest()


class RecordRedactor(Redactor):
    """Redacts a record that may be redacted already: a hash stays as it is, so a person has one in either log."""

    __slots__ = ()

    def _hash(self, text: str, hashes: Hashes) -> str:
        return text if _HASH.fullmatch(text) else super()._hash(text, hashes)


def _canonical(number: float) -> str:
    """Return one text for one number: JSON's 1 and 1.0 are equal."""
    return str(int(number)) if number == int(number) else repr(number)
