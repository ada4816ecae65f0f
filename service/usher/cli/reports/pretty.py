"""Problems for a person: `file:line:column: code: message`, which editors and terminals make a link of."""

from collections.abc import Iterable, Iterator

from usher.domain.place import Problem, Severity


def lines(problems: Iterable[Problem]) -> Iterator[str]:
    """Yield one line per problem."""
    for problem in problems:
        warning = "warning: " if problem.severity is Severity.WARNING else ""
        yield f"{problem.place}: {warning}{problem.code}: {problem.message}"
