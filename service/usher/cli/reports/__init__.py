"""How problems and test runs are written: one module per format, each a pure function to lines.

What is imported here is what every command needs; the reports of a run are imported when a run is reported.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from usher.cli.reports import github, json_list, pretty
from usher.domain.place import Problem

Report = Callable[[Iterable[Problem]], Iterator[str]]

REPORTS: Final[Mapping[str, Report]] = MappingProxyType(
    {"pretty": pretty.lines, "json": json_list.lines, "github": github.lines}
)

__all__ = ["REPORTS", "Report"]
