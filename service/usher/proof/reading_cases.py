"""The tests of a test file: cases and steps, what each is given and what it expects.

Owns how a test and its cases are merged, and which names an expectation may use. Collects, never raises; one thread.
"""

import copy
from collections.abc import Iterator, Mapping
from typing import Final

from usher.domain.decision import ACTION
from usher.domain.place import Place
from usher.engine.nodes import items, text
from usher.engine.settle import CLAIM_PREFIX
from usher.engine.yaml_text import Mapping as MappingNode
from usher.engine.yaml_text import Node, Scalar, plain
from usher.proof.cases import Case, Expectation, Step, full_name
from usher.proof.fixtures import BadPathError, Wire, body_of, with_value, without
from usher.proof.noting import Notes, named, texts
from usher.proof.reading_fixtures import Fixture, checked_body
from usher.proof.subject import Subject
from usher.proof.world import World

_RULES: Final = ("fired", "errors")
_TARGETS: Final = ("vetoed", "conflicts")
_NAMESPACES: Final = ("claims", "remembered", "collisions")
_OPEN: Final = frozenset({"fired", "set", "claims", "remembered"})
"""What `partial` lets have further entries."""
_EMPTY: Final = "expect something; `set: {}` says that nothing is sent"
_EMPTY_PARTIAL: Final = "beside `partial` what is empty expects nothing; name something, or leave `partial` out"
_SPLIT: Final = "::"
"""Where pytest and readers of JUnit take an id apart."""


class CaseReader:
    """Reads the tests of one file."""

    def __init__(
        self, subject: Subject | None, fixtures: Mapping[str, Fixture | None], world: World, notes: Notes
    ) -> None:
        self._subject = subject
        self._fixtures = fixtures
        self._world = world
        self._notes = notes
        self._events = 0
        self._names: set[str] = set()

    def cases(self, node: Node | None) -> tuple[Case, ...]:
        """Return every test and every case of a test, in the order of the file."""
        cases: list[Case] = []
        for item in items(node):
            if isinstance(item, MappingNode):
                said = item.get("name")
                if said is not None and text(said):  # the schema has told what is missing, empty or no text
                    self._check_name(text(said), said.place)
                cases.extend(self._test(item, _folded(text(said))))
        return tuple(cases)

    def _check_name(self, said: str, place: Place, *, test: str | None = None) -> None:
        """Refuse a name that a report could not show, or not tell from another; `test` is whose case it is."""
        name = _folded(said)
        if not name or _SPLIT in name:
            message = f"leave `{_SPLIT}` out: pytest splits its ids there" if name else "a name must not be empty"
            self._notes.add(place, "bad-name", message)
            return
        full = name if test is None else full_name(test, name)
        if full in self._names:
            self._notes.add(place, "duplicate-test", f"{full} is the name of a test above; names are unique in a file")
        self._names.add(full)

    def _test(self, node: MappingNode, name: str) -> Iterator[Case]:
        self._check_shape(node)
        steps = node.get("steps")
        if steps is not None:
            taken = (self._step((step,)) for step in items(steps) if isinstance(step, MappingNode))
            yield Case(name, "", node.place, tuple(step for step in taken if step is not None))
            if items(steps) and not any(isinstance(step, MappingNode) and step.get("expect") for step in items(steps)):
                self._empty(steps.place)
            return
        if node.get("cases") is None:
            step = self._step((node,))
            yield Case(name, "", node.place, (step,) if step else ())
        said: set[str] = set()
        for variant, place, member in named(node.get("cases")):
            if variant not in said:  # YAML has told what stands there twice
                self._check_name(variant, place, test=name)
            said.add(variant)
            if isinstance(member, MappingNode):
                step = self._step((node, member))
                yield Case(name, _folded(variant), place, (step,) if step else ())

    def _check_shape(self, node: MappingNode) -> None:
        """Refuse what would be ignored: keys of a test that its steps or cases leave no room for."""
        given = {str(key.value): key.place for key, _ in node.entries}
        ignored = {"given", "with", "without", "expect", "cases"} & given.keys() if "steps" in given else set()
        for key in sorted(ignored):
            self._notes.add(given[key], "unused-key", f"{key} has no effect beside `steps`; put it into a step")

    def _step(self, layers: tuple[MappingNode, ...]) -> Step | None:
        """Return the step that a test, and a case laid over it, describe."""
        body = self._body(layers)
        expected = [found for layer in layers if (found := layer.get("expect")) is not None]
        if not expected and len(layers) > 1:
            self._empty(layers[-1].place)
        expectation = self._expectation(expected)
        return None if body is None else Step(body, expectation)

    def _body(self, layers: tuple[MappingNode, ...]) -> bytes | None:
        """Return the request as it arrives. Where nothing is changed a payload is shared: it can be large."""
        given = layers[0].get("given")
        name = text(given)
        if given is None or not name:
            return None
        if not self._notes.known(name, self._fixtures, given.place, "unknown-fixture", "the fixtures"):
            return None
        fixture = self._fixtures[name]
        if fixture is None:
            return None
        changed = any(layer.get(key) is not None for layer in layers for key in ("with", "without"))
        if not changed and not fixture.inline:
            return fixture.body
        request = copy.deepcopy(fixture.request)
        if fixture.inline:
            self._events += 1
            request["eventId"] = f"event-{self._events}"
        if not changed:
            return body_of(request)
        for layer in layers:
            self._patch(request, layer)
        return checked_body(request, "with these changes this is", layers[-1].place, self._world, self._notes)

    def _patch(self, request: Wire, layer: MappingNode) -> None:
        for path, place, value in named(layer.get("with")):
            self._notes.attribute(path, place, warning=True)
            try:
                with_value(request, path, plain(value))
            except BadPathError:
                self._notes.add(place, "bad-path", f"{path} leads through something that has no members")
            except KeyError:  # a root that the schema has refused
                continue
        for path, place in texts(layer.get("without")):
            try:
                without(request, path)
            except BadPathError:
                self._notes.add(place, "absent-path", f"{path} is not there, so it cannot be taken out")
            except KeyError:  # as above
                continue

    def _expectation(self, nodes: list[Node]) -> Expectation | None:
        if not nodes:
            return None
        wanted: dict[str, object] = {}
        places: dict[str, Place] = {}
        for node in nodes:
            for key, place, value in named(node):
                places[key] = place
                places.update({f"{key}.{member}": where for member, where, _ in named(value)})
                wanted[key] = self._wanted(key, value)
        partial = wanted.pop("partial", False) is True
        if not any(expected or not (partial and key in _OPEN) for key, expected in wanted.items()):
            self._empty(nodes[-1].place, _EMPTY_PARTIAL if wanted else _EMPTY)
        return Expectation(nodes[-1].place, wanted, places, partial)

    def _empty(self, place: Place, message: str = _EMPTY) -> None:
        self._notes.add(place, "empty-expectation", message)

    def _wanted(self, key: str, value: Node) -> object:
        """Return what is wanted, rules by their full names; note the names that nobody has."""
        if key in _RULES:
            return [self._rule(name, where, failing=key == "errors") for name, where in texts(value)]
        if key in _TARGETS:
            for target, where in texts(value):
                self._target(target, where)
        if key == "set":
            for target, where, sent in named(value):
                self._target(target, where)
                if isinstance(sent, Scalar) and sent.value is None:
                    message = "null is never sent: leave the target out, or write '' for one that is cleared"
                    self._notes.add(where, "bad-value", f"{target}: {message}")
        if key in _NAMESPACES:
            for name, where, _ in named(value):
                self._namespace(name, where)
        return plain(value)

    def _rule(self, name: str, place: Place, *, failing: bool) -> str:
        if self._subject is None:
            return name
        full = self._subject.full_name(name, failing=failing)
        if full is None:
            self._notes.add(place, "unknown-rule", f"there is no rule {name}{self._subject.hint(name)}")
        return full or name

    def _target(self, target: str, place: Place) -> None:
        if target.startswith(CLAIM_PREFIX):
            self._namespace(target.removeprefix(CLAIM_PREFIX), place)
        elif target.partition(".")[0] != ACTION:
            self._notes.attribute(target, place)

    def _namespace(self, name: str, place: Place) -> None:
        self._notes.known(name, self._world.namespaces, place, "unknown-namespace", "the settings")


def _folded(name: str) -> str:
    """Return a name on one line: a folded text ends in a line break."""
    return " ".join(name.split())
