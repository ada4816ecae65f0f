"""Small questions to YAML nodes, asked everywhere while compiling. Pure functions."""

from usher.engine.yaml_text import Listing, Mapping, Node, Scalar


def keys(node: Node | None) -> tuple[str, ...]:
    """Return the keys of a mapping; none for anything else."""
    return tuple(str(key.value) for key, _ in node.entries) if isinstance(node, Mapping) else ()


def text(node: Node | None) -> str:
    """Return a scalar's text; '' for anything else."""
    return node.value if isinstance(node, Scalar) and isinstance(node.value, str) else ""


def items(node: Node | None) -> tuple[Node, ...]:
    """Return the items of a sequence; none for anything else."""
    return node.items if isinstance(node, Listing) else ()


def entries(node: Node | None) -> tuple[tuple[Scalar, Node], ...]:
    """Return keys and values of a mapping; none for anything else."""
    return node.entries if isinstance(node, Mapping) else ()


def integer(node: Node | None, default: int) -> int:
    """Return a scalar's whole number; the default for anything else."""
    value = node.value if isinstance(node, Scalar) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else default
