"""When two values are the same to Okta. A pure function."""


def same_value(one: object, other: object) -> bool:
    """Say whether two values are the same: 1, 1.0 and true are three values."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_value, one, other))
    return type(one) is type(other) and one == other
