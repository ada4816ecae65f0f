"""What is allowed but should be said aloud at start. Owns the warnings; whoever starts the service prints them."""

from collections.abc import Mapping

from usher.domain.place import Place, Problem, Severity
from usher.settings.loading import LoadedSettings
from usher.settings.secrets import weak_secrets


def concerns(loaded: LoadedSettings, environ: Mapping[str, str]) -> tuple[Problem, ...]:
    """Return the warnings about settings that are valid: redaction off, short secrets, an unused quarantine."""
    found = []
    hold = loaded.settings.hold
    if hold.quarantine and hold.answer != "quarantine":
        message = 'hold.quarantine is not used: hold.answer is not "quarantine"'
        place = Place(loaded.origins["hold.quarantine"])
        found.append(Problem(place, "unused-quarantine", message, Severity.WARNING))
    if not loaded.settings.decisions.redaction:
        message = "decisions.redaction is false: the decision log holds people's values in clear"
        found.append(Problem(Place(loaded.origins["decisions.redaction"]), "redaction-off", message, Severity.WARNING))
    return (*found, *weak_secrets(loaded.settings.auth, environ))
