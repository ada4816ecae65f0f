"""Proof that policies do what they mean: policy tests, what they cover, and the account of why a decision came out so.

Everything here is for one thread and writes nothing but the tests it is asked to write.
"""
