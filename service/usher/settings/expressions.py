"""The settings that bound CEL: what an expression may be, and what the expressions of one decision may use up.

Owns their names, defaults, ranges and reasons, as `model` does for all others. What they mean is `usher.cel`'s.
"""

from dataclasses import dataclass, field

from usher.settings.about import about


@dataclass(frozen=True, slots=True)
class CelSettings:
    """Bounds of expressions."""

    expression_chars: int = field(
        default=10_000,
        metadata=about(
            "characters", "An expression is read by people; the parser needs its time.", minimum=100, maximum=100_000
        ),
    )
    depth: int = field(
        default=64,
        metadata=about(
            "levels",
            "Brackets, calls, `?:`, `!`, `-` in one another; each costs three Python frames of about a thousand.",
            minimum=8,
            maximum=128,
        ),
    )
    pattern_chars: int = field(
        default=1_000,
        metadata=about(
            "characters", "Of a regular expression, which a request may bring along.", minimum=10, maximum=10_000
        ),
    )
    pattern_size: int = field(
        default=5_000,
        metadata=about(
            "RE2 instructions",
            "Short regular expressions can be large: one with repeats took RE2 35 ms to compile.",
            minimum=100,
            maximum=20_000,
        ),
    )
    pattern_work: int = field(
        default=5_000_000,
        metadata=about(
            "instructions times bytes of text",
            "One search takes RE2 up to 10 ns for each, and nothing stops it midway; "
            "a pattern that is no literal counts eightfold.",
            minimum=10_000,
            maximum=50_000_000,
        ),
    )
    name_chars: int = field(
        default=2_000,
        metadata=about(
            "characters",
            "Text for `ascii`, `slug`, `fold` and `title`, which take some 0.3 µs for each.",
            minimum=100,
            maximum=20_000,
        ),
    )
    steps: int = field(
        default=100_000,
        metadata=about(
            "steps of one decision",
            "A turn of a macro, or 256 characters looked through; about 0.2 s in all, far more than a policy needs.",
            minimum=1_000,
            maximum=10_000_000,
        ),
    )
    produced_units: int = field(
        default=2_000_000,
        metadata=about(
            "units of some 8 bytes in one decision",
            "Bounds the memory that a sender can make an expression fill: some 20 MB.",
            minimum=10_000,
            maximum=20_000_000,
        ),
    )
