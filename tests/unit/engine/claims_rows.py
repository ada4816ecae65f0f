"""People whose names collide, the rows Okta sends about them, and the policy that gives them logins."""

from collections.abc import Mapping
from dataclasses import dataclass

from tests.unit.engine.engine_desk import claim, claimed, written
from usher.domain.decision import Decision
from usher.domain.fold import fold
from usher.engine import Namespace, Owner

NAMESPACES = {"login": Namespace("login"), "account": Namespace("account", directory=())}
TARGETS = {"login": "user.login", "account": "appuser.userName"}
FIRST = ["Jürgen", "JURGEN", "Ju\u0308rgen"]
MIDDLE = ["", "Ølaf", "olaf"]
LAST = ["Ost", "ØST", ""]
SUBJECTS = ["1", "1", "2", "3", ""]
NUMBERS = range(2, 4)
RESERVED = "jurgen.ost3"
Keys = Mapping[str, str]
"""One folded value per namespace."""
Held = Mapping[tuple[str, str], tuple[Owner, str]]
"""Who holds what, by namespace and folded value."""


def policy_files(*, two: bool) -> dict[str, str]:
    """Return a folder whose one rule claims a login, and an account of the same place in the list."""
    stem = "get(user, 'firstName', '') + '.' + get(user, 'lastName', '')"
    middle = "get(user, 'middleName', '')"
    long = f"{middle} == '' ? '' : get(user, 'firstName', '') + '.' + {middle} + '.' + get(user, 'lastName', '')"
    long_login = f"{middle} == '' ? '' : variables.long + '@example.com'"
    logins = ["get(user, 'login', '')", long_login, "variables.stem + string(n) + '@example.com'"]
    accounts = ["variables.stem", "variables.long", "variables.stem + string(n)"]
    excepted: dict[str, object] = {"except": [RESERVED]}
    claims = {"login": claim(*logins, to=NUMBERS[-1]) | excepted}
    sets = {"user.login": "claimed.login"}
    if two:
        claims["account"] = claim(*accounts) | excepted
        sets["appuser.userName"] = "claimed.account"
    free = {"id": "free", "when": "get(user, 'lastName', '') != ''", "claim": claims, "set": sets}
    other = {"id": "other", "set": {"user.title": {"value": "x"}}}
    return written(free, other, variables={"stem": stem, "long": long})


@dataclass(frozen=True)
class Row:
    """What Okta sends about one person; a retry sends the same again."""

    event_id: str
    subject: str
    first: str
    middle: str
    last: str
    reported: bool

    @property
    def login(self) -> str:
        """The login Okta would give."""
        return f"{self.first}.{self.last}@example.com"

    def candidates(self, namespaces: list[str]) -> list[Keys]:
        """Return what the policy says this person may get, as keys; without what is reserved, or reported by Okta."""
        stem, middle = f"{self.first}.{self.last}", f"{self.first}.{self.middle}.{self.last}"
        stems = [stem, *([middle] if self.middle else []), *(f"{stem}{number}" for number in NUMBERS)]
        keys = [fold(each) for each in stems if fold(each) != RESERVED and not (self.reported and each == stem)]
        whole = [{"login": f"{key}@example.com", "account": key} for key in keys if self.last]
        return [{name: each[name] for name in namespaces} for each in whole]

    def standing(self, namespaces: list[str], owner: Owner, held: Held) -> tuple[list[Keys], list[Keys]]:
        """Return the candidates the owner holds in every namespace, and those that nobody else holds in any."""
        mine, free = [], []
        for keys in self.candidates(namespaces):
            holders = {held[item][0] if item in held else None for item in keys.items()}
            if holders == {owner}:
                mine.append(keys)
            if holders <= {owner, None}:
                free.append(keys)
        return mine, free


def keys_of(decision: Decision) -> Keys:
    """Return what was granted, folded."""
    return {name: NAMESPACES[name].key(value) for name, value in claimed(decision).items()}


def remembered_by(decision: Decision) -> Keys:
    """Return what was remembered as the owner's, folded."""
    kept = [each for each in decision.remembered if not each.collision]
    return {each.namespace: NAMESPACES[each.namespace].key(each.value) for each in kept}
