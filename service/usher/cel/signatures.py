"""What a function is: its name, its signatures and what implements them.

`Library` collects functions; `Functions` is the finished registry.

A function is added in one place: where it is written, under the `@library.function` that names it. Registries never
change, so any thread may use them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from usher.cel.values import ANY, CLASS_OF, Kind, Kinds

Implementation = Callable[..., object]
Decorated = TypeVar("Decorated", bound=Implementation)
LiteralCheck = Callable[[object], str | None]


def kinds(*names: Kind) -> Kinds:
    """Return a set of kinds."""
    return frozenset(names)


BOOL, BYTES, DOUBLE, INT, LIST, MAP, STRING, UINT = (
    kinds(kind) for kind in (Kind.BOOL, Kind.BYTES, Kind.DOUBLE, Kind.INT, Kind.LIST, Kind.MAP, Kind.STRING, Kind.UINT)
)
TIMESTAMP, DURATION, NULL, TYPE = kinds(Kind.TIMESTAMP), kinds(Kind.DURATION), kinds(Kind.NULL), kinds(Kind.TYPE)
NUMBER = INT | UINT | DOUBLE
TEXT_OR_NULL = STRING | NULL


@dataclass(frozen=True, slots=True)
class Overload:
    """One signature. The last `optional` parameters may be left out; `variadic` repeats the last one.

    `implement` is None for a contextual function and for the special forms. `bounded` hands it the budget as first
    argument.
    """

    parameters: tuple[Kinds, ...]
    result: Kinds
    implement: Implementation | None = None
    optional: int = 0
    variadic: bool = False
    bounded: bool = False

    def takes(self, count: int) -> bool:
        """Whether that many arguments fit."""
        if self.variadic:
            return count >= len(self.parameters)
        return len(self.parameters) - self.optional <= count <= len(self.parameters)

    def accepted(self, count: int) -> tuple[Kinds, ...]:
        """Return the kinds each of `count` arguments may have."""
        missing = count - len(self.parameters)
        return self.parameters[:count] + self.parameters[-1:] * max(0, missing)


@dataclass(frozen=True, slots=True)
class Function:
    """A function by name.

    `pattern` is the argument that is a regular expression; `checks` look at literal arguments at compile time.
    """

    name: str
    overloads: tuple[Overload, ...]
    contextual: bool = False
    pattern: int | None = None
    checks: Mapping[int, LiteralCheck] = field(default_factory=dict)

    def fitting(self, arguments: tuple[Kinds, ...]) -> tuple[Overload, ...]:
        """Return the signatures that these arguments may have at run time."""
        count = len(arguments)
        return tuple(
            overload
            for overload in self.overloads
            if overload.takes(count)
            and all(given & wanted for given, wanted in zip(arguments, overload.accepted(count), strict=True))
        )

    def takes(self, count: int) -> bool:
        """Whether any signature takes that many arguments."""
        return any(overload.takes(count) for overload in self.overloads)


class Functions(Mapping[str, Function]):
    """The functions an expression may call, by name."""

    __slots__ = ("_by_name",)

    def __init__(self, functions: Iterable[Function]) -> None:
        self._by_name = {function.name: function for function in functions}

    def __getitem__(self, name: str) -> Function:
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    def extended(self, *functions: Function) -> Functions:
        """Return these functions and some more; a name that exists is replaced."""
        return Functions((*self._by_name.values(), *functions))


def merged(groups: Iterable[Iterable[Function]]) -> Functions:
    """One registry; a name that several modules define has the signatures of all, as `string` has."""
    by_name: dict[str, Function] = {}
    for function in (function for group in groups for function in group):
        before = by_name.get(function.name)
        overloads = (*(before.overloads if before else ()), *function.overloads)
        by_name[function.name] = replace(function, overloads=overloads)
    return Functions(by_name.values())


class Library:
    """Collects the functions of one module while it is read."""

    def __init__(self) -> None:
        self._overloads: dict[str, list[Overload]] = {}
        self._facts: dict[str, tuple[int | None, Mapping[int, LiteralCheck]]] = {}

    def function(  # noqa: PLR0913  every fact of a function is stated here and nowhere else
        self,
        name: str,
        parameters: tuple[Kinds, ...],
        result: Kinds = ANY,
        *,
        optional: int = 0,
        variadic: bool = False,
        bounded: bool = False,
        pattern: int | None = None,
        checks: Mapping[int, LiteralCheck] | None = None,
    ) -> Callable[[Decorated], Decorated]:
        """Register the decorated function as an implementation of `name`; several calls give several signatures."""

        def register(implement: Decorated) -> Decorated:
            overload = Overload(parameters, result, implement, optional, variadic, bounded)
            self._overloads.setdefault(name, []).append(overload)
            self._facts[name] = (pattern, checks or {})
            return implement

        return register

    def functions(self) -> tuple[Function, ...]:
        """All functions collected."""
        return tuple(
            Function(name, tuple(overloads), pattern=self._facts[name][0], checks=self._facts[name][1])
            for name, overloads in self._overloads.items()
        )


def classes_of(accepted: Collection[Kind]) -> frozenset[type] | None:
    """Return the Python classes of some kinds; None stands for all."""
    return None if accepted == ANY else frozenset(CLASS_OF[kind] for kind in accepted)
