"""How the decision log's redaction is set up, and a decision from a log in clear as a redacted log would have it.

Owns that the hashes are always those of the service: with the key of the state folder. Main thread, and the keeper's.
"""

from typing import TypeVar

from usher.adapters.keys import redaction_key
from usher.adapters.redaction import RecordRedactor, Redactor
from usher.answer.decision_line import account
from usher.answer.record import DecisionRecord
from usher.answer.recorded_line import record_of
from usher.engine import PolicySet
from usher.settings import LoadedSettings

AnyRedactor = TypeVar("AnyRedactor", bound=Redactor)


def redactor_of(kind: type[AnyRedactor], loaded: LoadedSettings, policy_set: PolicySet) -> AnyRedactor:
    """Return a redactor for what a policy set's profile schemas call public; raises `KeyFileError`."""
    public = policy_set.profiles
    return kind(
        # APPSEC: without a key, whoever guesses a name could tell from a hash that it is theirs.
        redaction_key(loaded.settings.state.folder),
        public_user=public.user.public,
        public_app_user=public.app_user.public,
        lookup_names=public.declared("user") | {"id", "status"} | loaded.settings.ledger.namespaces.keys(),
    )


def anonymous(record: DecisionRecord, loaded: LoadedSettings, policy_set: PolicySet) -> DecisionRecord:
    """Return a record with keyed hashes in place of what is personal; raises `KeyFileError`."""
    # What could not be redacted is left out; a decision that needs it is refused later on.
    personal, _ = redactor_of(RecordRedactor, loaded, policy_set).redacted(record)
    return record_of({**account(record), **personal})
