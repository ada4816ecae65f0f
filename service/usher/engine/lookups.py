"""What a decision asks of ledger and directory outside its claims: `directory()` and `taken()`, each question once.

Owns the memo of answers, so that one decision sees one state, and the answer to "is this user somebody else". Belongs
to one decision and one thread.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from usher.cel import EvaluationError
from usher.domain.decision import Lookup
from usher.domain.request import ImportRequest
from usher.engine.stores import Namespace, Owner, Stores, User


class Lookups:
    """The look-ups of one decision; `asked` records them with their results: ids, or whether a value is taken."""

    def __init__(
        self,
        request: ImportRequest,
        stores: Stores,
        owner: Owner,
        *,
        subject_attribute: str = "",
        answered: Iterable[Lookup] = (),
    ) -> None:
        """`answered` are answers of `taken()` from before: who asks again hears what the decision heard."""
        self.stores = stores
        self.owner = owner
        self.asked: dict[tuple[str, str, str], object] = {
            (lookup.function, lookup.name, lookup.value): lookup.found
            for lookup in answered
            if isinstance(lookup.found, bool)
        }
        self._this_user_id = request.matched_user_id
        self._subject_attribute = subject_attribute
        self._found: dict[tuple[str, str], list[object]] = {}

    @property
    def functions(self) -> Mapping[str, Callable[..., object]]:
        """Return the implementations of the contextual functions."""
        return {"directory": self._directory, "taken": self._taken}

    def end_with(self, link_id: str) -> None:
        """From here on this row is the user it links to; `''`: nobody, so whom Okta matched is somebody else."""
        self._this_user_id = link_id

    def known_to_others(self, namespace: Namespace, value: str) -> bool:
        """Say whether a known user who is not this person holds the value."""
        return any(not self._is_this_person(user) for user in self.stores.directory.holding(namespace, value))

    def _directory(self, attribute: object, value: object) -> object:
        if not isinstance(attribute, str) or not isinstance(value, str) or not value.strip():
            return []
        if (attribute, value) not in self._found:
            users: Sequence[User] = self.stores.directory.find(attribute, value)
            self._found[attribute, value] = [dict(user) for user in users]
            self.asked["directory", attribute, value] = [user.get("id") for user in users]
        return self._found[attribute, value]

    def _taken(self, name: object, value: object) -> object:
        namespace = self.stores.namespaces.get(name) if isinstance(name, str) else None
        if namespace is None:
            raise EvaluationError("unknown-namespace", "the settings declare no such namespace")
        if not isinstance(value, str) or not value.strip():
            return False
        question = ("taken", namespace.name, value)
        if question not in self.asked:
            held = self.stores.ledger.holder(namespace, value) not in {None, self.owner}
            self.asked[question] = held or self.known_to_others(namespace, value)
        return self.asked[question]

    def _is_this_person(self, user: User) -> bool:
        if self._this_user_id and user.get("id") == self._this_user_id:
            return True
        return bool(self._subject_attribute) and user.get(self._subject_attribute) == self.owner.subject
