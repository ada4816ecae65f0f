"""Proof that policies do what they mean: for now the account of one decision, with values, for the person who asks.

Policy tests and coverage live here when they come. Everything here is for one thread and writes nothing.
"""

from usher.proof.explain import explain, explain_shadow

__all__ = ["explain", "explain_shadow"]
