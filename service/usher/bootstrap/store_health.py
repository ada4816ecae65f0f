"""How ledger and directory are: for probes, `/status` and metrics.

Owns how often they are asked: a probe must not become the load it watches. Called on the operations threads.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from usher.engine import StoreError

FRESH_SECONDS: Final = 2.0
"""How long what was counted counts."""

Facts = Mapping[str, object]
"""What is told of a store: JSON values by name."""

T = TypeVar("T")
"""What is remembered."""


@dataclass(slots=True)
class _Remembered(Generic[T]):
    """An answer that is asked for anew after some seconds, by one thread at a time."""

    ask: Callable[[], T]
    answer: T
    clock: Callable[[], float]
    asked_at: float = float("-inf")
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self) -> T:
        with self.lock:
            if self.clock() - self.asked_at >= FRESH_SECONDS:
                self.answer = self.ask()
                self.asked_at = self.clock()
            return self.answer


class StoreWatch:
    """One store: `describe` asks it for its facts and raises `StoreError`; `is_well` is what calls have met lately."""

    def __init__(
        self,
        describe: Callable[[], Facts],
        is_well: Callable[[], bool],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._is_well = is_well
        self._describe = describe
        self._facts: _Remembered[Facts] = _Remembered(self._asked, {"reachable": False}, clock)

    def facts(self) -> Facts:
        """Return whether the store can be reached, and the facts of the last time it could."""
        return self._facts()

    @property
    def is_ready(self) -> bool:
        """Whether the rules that need the store can be decided."""
        return bool(self._facts().get("reachable")) and self._is_well()

    def number(self, name: str) -> float:
        """Return a fact as a number, NaN while it is not known."""
        value = self._facts().get(name)
        return float(value) if isinstance(value, int | float) else float("nan")

    def _asked(self) -> Facts:
        try:
            return {"reachable": True, **self._describe()}
        except StoreError as error:
            known = {name: value for name, value in self._facts.answer.items() if name not in {"reachable", "reason"}}
            return {"reachable": False, "reason": error.reason, **known}
