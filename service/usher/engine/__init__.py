"""From YAML to a `PolicySet` to a `Decision`: what policies say and what that means.

Knows nothing of HTTP, files in force or how a decision is answered. A `PolicySet` is immutable and serves all threads.
"""

from usher.engine.decide import Clock, decide
from usher.engine.load import LoadedPolicies, load_policies
from usher.engine.policy import Policy, PolicySet, Rule
from usher.engine.profiles import Profiles, load_profiles

__all__ = [
    "Clock",
    "LoadedPolicies",
    "Policy",
    "PolicySet",
    "Profiles",
    "Rule",
    "decide",
    "load_policies",
    "load_profiles",
]
