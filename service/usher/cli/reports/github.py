"""Problems as workflow commands, which GitHub Actions shows beside the line they are about.

Source: GitHub's "Workflow commands for GitHub Actions" and the escaping of its toolkit (`core/src/command.ts`).
"""

from collections.abc import Iterable, Iterator

from usher.domain.place import Problem


def lines(problems: Iterable[Problem]) -> Iterator[str]:
    """Yield `::error file=…,line=…,col=…,title=…::message` per problem; a problem of a whole file has no line."""
    for problem in problems:
        place = problem.place
        properties = [f"file={_property(place.file)}"]
        if place.line:
            properties += [f"line={place.line}", f"col={place.column}"]
        properties.append(f"title={_property(problem.code)}")
        yield f"::{problem.severity.value} {','.join(properties)}::{_data(problem.message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
