"""From YAML to a `PolicySet` to a `Decision`: what policies say and what that means.

Knows nothing of HTTP, files in force or how a decision is answered. A `PolicySet` is immutable and serves all threads.
"""

from usher.engine.decide import Circumstances, Clock, decide, owner_of
from usher.engine.load import LoadedPolicies, load_policies
from usher.engine.memory import MemoryDirectory, MemoryLedger
from usher.engine.policy import Ladder, Policy, PolicySet, Rule
from usher.engine.profiles import Profiles, load_profiles
from usher.engine.stores import (
    DEFAULT_NAMESPACES,
    Directory,
    Ledger,
    Namespace,
    Owner,
    Patience,
    StoreError,
    Stores,
    User,
)

__all__ = [
    "DEFAULT_NAMESPACES",
    "Circumstances",
    "Clock",
    "Directory",
    "Ladder",
    "Ledger",
    "LoadedPolicies",
    "MemoryDirectory",
    "MemoryLedger",
    "Namespace",
    "Owner",
    "Patience",
    "Policy",
    "PolicySet",
    "Profiles",
    "Rule",
    "StoreError",
    "Stores",
    "User",
    "decide",
    "load_policies",
    "load_profiles",
    "owner_of",
]
