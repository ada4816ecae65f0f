"""What a test file decides with: the policy it is about, alone, with constants and tables of the test's own.

Owns which names of rules a test may use and what they stand for. Pure functions.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from usher.domain.suggestions import did_you_mean
from usher.engine import Ladder, Policy, PolicySet
from usher.proof.cases import WHOLE_FOLDER


@dataclass(frozen=True, slots=True)
class Subject:
    """The policies a test file is about, and every name of theirs: rules, and what else can fail."""

    name: str
    policies: tuple[Policy, ...]
    rules: frozenset[str]
    ladders: frozenset[str]

    @classmethod
    def of(cls, policy_set: PolicySet, name: str) -> "Subject | None":
        """Return the subject `tests_for` names; None when there is no such policy."""
        chosen = tuple(policy for policy in policy_set.policies if name in (WHOLE_FOLDER, policy.name))
        if not chosen:
            return None
        if name != WHOLE_FOLDER:
            # On trial or not: its own tests ask what it would do.
            chosen = (replace(chosen[0], shadow=False),)
        gates = (item.gate.name for policy in chosen for item in policy.items if isinstance(item, Ladder))
        rules = frozenset(rule.name for policy in chosen for rule in policy.rules)
        return cls(name, chosen, rules, frozenset(gates) | {policy.name for policy in chosen})

    @property
    def constants(self) -> frozenset[str]:
        """Every constant of the policies."""
        return frozenset(name for policy in self.policies for name in policy.constants)

    def full_name(self, name: str, *, failing: bool = False) -> str | None:
        """Return a rule's full name; `failing` also takes ladders and policies, whose conditions can fail."""
        known = self.rules | self.ladders if failing else self.rules
        return next((full for full in (f"{self.name}/{name}", name) if full in known), None)

    def hint(self, name: str) -> str:
        """Return `; did you mean …?` for a rule's name that is none."""
        prefix = f"{self.name}/"
        return did_you_mean(name.removeprefix(prefix), [rule.removeprefix(prefix) for rule in self.rules])

    def policy_set(
        self, whole: PolicySet, *, constants: Mapping[str, object], tables: Mapping[str, object]
    ) -> PolicySet:
        """Return what decides the cases."""
        policies = tuple(_with_constants(policy, constants) for policy in self.policies)
        return replace(whole, policies=policies, tables={**whole.tables, **tables})


def _with_constants(policy: Policy, constants: Mapping[str, object]) -> Policy:
    own = {name: value for name, value in constants.items() if name in policy.constants}
    return replace(policy, constants={**policy.constants, **own}) if own else policy
