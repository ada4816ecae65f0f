"""A decision from a log in clear, as a redacted log would have it: before anything of it goes into a file.

Owns that the hashes are those of the service: with the key of the state folder. Main thread.
"""

from usher.adapters.keys import redaction_key
from usher.adapters.redaction import RecordRedactor
from usher.answer.decision_line import account
from usher.answer.record import DecisionRecord
from usher.answer.recorded_line import record_of
from usher.engine import PolicySet
from usher.settings import LoadedSettings


def anonymous(record: DecisionRecord, loaded: LoadedSettings, policy_set: PolicySet) -> DecisionRecord:
    """Return a record with keyed hashes in place of what is personal; raises `KeyFileError`."""
    public = policy_set.profiles
    redactor = RecordRedactor(
        # APPSEC: without a key, whoever guesses a name could tell from a test in a repository that it is theirs.
        redaction_key(loaded.settings.state.folder),
        public_user=public.user.public,
        public_app_user=public.app_user.public,
        lookup_names=public.declared("user") | {"id", "status"} | loaded.settings.ledger.namespaces.keys(),
    )
    # What could not be redacted is left out; a decision that needs it is refused later on.
    personal, _ = redactor.redacted(record)
    return record_of({**account(record), **personal})
