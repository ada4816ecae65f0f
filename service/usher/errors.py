"""The root of every exception Usher raises on purpose, and what may be told of one nobody expected.

Owns nothing else: each room defines its own exceptions, with facts as fields, below this root. Safe on any thread.
"""

from pathlib import PurePath


class UsherError(Exception):
    """An expected failure: its text is one clear line for whoever can mend it, without profile values or secrets."""


def fault_place(error: BaseException) -> str:
    """Return where an exception was raised, `line.py:12`; an empty text for one that was never raised.

    APPSEC: with the type's name this is all a log says of an unexpected exception, for its text may quote a profile.
    """
    place = error.__traceback__
    if place is None:
        return ""
    while place.tb_next is not None:
        place = place.tb_next
    return f"{PurePath(place.tb_frame.f_code.co_filename).name}:{place.tb_lineno}"
