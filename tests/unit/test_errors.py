"""What may be told of an exception nobody expected."""

import json

from usher.errors import UsherError, fault_place


def test_the_place_is_where_it_was_raised_not_where_it_was_caught() -> None:
    """The name of the innermost file, without the folders of this machine, and the line."""
    try:
        json.loads("Sally Admin")
    except ValueError as error:
        name, _, line = fault_place(error).partition(":")
    assert name == "decoder.py"
    assert line.isdigit()


def test_what_was_never_raised_has_no_place() -> None:
    """No exception of its own in the course of reporting one."""
    assert fault_place(UsherError("a line")) == ""
