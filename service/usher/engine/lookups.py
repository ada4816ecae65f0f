"""What a decision asks of ledger and directory outside its claims: `directory()` and `taken()`, each question once.

Owns the memo of answers, so that one decision sees one state, and the answer to "is this user somebody else". Belongs
to one decision and one thread.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from usher.cel import EvaluationError
from usher.domain.bounded import bounded
from usher.domain.decision import Lookup
from usher.domain.request import ImportRequest
from usher.engine.stores import Generation, Named, Owner, Patience, StoreError, Stores, User


class Lookups:
    """The look-ups of one decision; `asked` records them with their results: ids, or whether a value is taken."""

    def __init__(
        self,
        request: ImportRequest,
        stores: Stores,
        owner: Owner,
        *,
        answered: Iterable[Lookup] = (),
    ) -> None:
        """`answered` are answers of `taken()` from before: who asks again hears what the decision heard."""
        self.stores = stores
        self.owner = owner
        self.patience = Patience(stores.timeout_seconds)
        self.asked: dict[tuple[str, str, str], object] = {
            (lookup.function, lookup.name, lookup.value): lookup.found
            for lookup in answered
            if isinstance(lookup.found, bool)
        }
        self._this_user_id = request.matched_user_id
        self._generation: Generation | None = None
        self._found: dict[tuple[str, str], list[object]] = {}

    @property
    def functions(self) -> Mapping[str, Callable[..., object]]:
        """Return the implementations of the contextual functions."""
        return {"directory": self._directory, "taken": self._taken}

    def end_with(self, link_id: str) -> None:
        """From here on this row is the user it links to; `''`: nobody, so whom Okta matched is somebody else."""
        self._this_user_id = link_id

    def known_to_others(self, values: Sequence[Named]) -> list[bool]:
        """Say of each value whether a known user who is not this person holds it; raises `EvaluationError`."""
        shared = [named for named in values if named[0].directory]
        if not shared:  # a directory that is away must not fail what has nothing to do with it
            return [False for _ in values]
        try:
            found = iter(self._users().holding(shared))
        except StoreError as error:
            raise unavailable(error) from None
        return [
            bool(namespace.directory) and any(not self._is_this_person(user) for user in next(found))
            for namespace, _ in values
        ]

    def _directory(self, attribute: object, value: object) -> object:
        if not isinstance(attribute, str) or not isinstance(value, str) or not value.strip():
            return []
        indexed = self.stores.indexed
        if indexed is not None and attribute not in indexed:
            raise EvaluationError("not-indexed", "the directory is not indexed by this attribute")
        if (attribute, value) not in self._found:
            users: Sequence[User]
            try:
                users = self._users().find(attribute, value)
            except StoreError as error:
                raise unavailable(error) from None
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
            try:
                held = self.stores.ledger.holder(namespace, value, self.patience) not in {None, self.owner}
            except StoreError as error:
                raise unavailable(error) from None
            self.asked[question] = held or self.known_to_others([(namespace, value)])[0]
        return self.asked[question]

    def _users(self) -> Generation:
        """Return the one load of the directory that this decision sees."""
        if self._generation is None:
            self._generation = self.stores.directory.generation(self.patience)
        return self._generation

    def _is_this_person(self, user: User) -> bool:
        if self._this_user_id and user.get("id") == self._this_user_id:
            return True
        subject = user.get(self.stores.subject_attribute) if self.stores.subject_attribute else None
        if isinstance(subject, int) and not isinstance(subject, bool):
            subject = str(subject)  # a number and its digits as text are one id
        return isinstance(subject, str) and bounded(subject) == self.owner.subject


def unavailable(error: StoreError) -> EvaluationError:
    """Return what a store's failure is to the rule that needed it."""
    return EvaluationError(error.code, str(error))
