"""The root of every exception Usher raises on purpose.

Owns nothing but the root: each room defines its own, with facts as fields, below this one. Safe on any thread.
"""


class UsherError(Exception):
    """An expected failure: its text is one clear line for whoever can mend it, without profile values or secrets."""
