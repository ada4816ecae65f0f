"""The one exception of this room: everything wrong with the settings, at once. Quotes no value: it may be a secret."""

from usher.domain.place import Problem
from usher.errors import UsherError


class SettingsError(UsherError):
    """The settings cannot be used; `problems` says why, in file order, one line each."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(map(str, problems)))
