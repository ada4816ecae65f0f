"""Coverage as an LCOV trace file, which editors and CI servers show on the lines of the policies.

Rules stand as functions, parts of conditions as branches: branch 0 is true, branch 1 false. Source: geninfo(1) of the
LCOV project, section FILES.
"""

from collections.abc import Iterator

from usher.proof.coverage import Covered, PartCoverage, RuleCoverage


def lines(covered: Covered) -> Iterator[str]:
    """Yield one record per policy file, sorted by file."""
    files = sorted({rule.place.file for rule in covered.rules} | {part.place.file for part in covered.parts})
    for file in files:
        rules = [rule for rule in covered.rules if rule.place.file == file]
        parts = [part for part in covered.parts if part.place.file == file]
        yield "TN:usher"
        yield f"SF:{file}"
        yield from _functions(rules)
        yield from _branches(parts)
        yield from _lines(rules, parts)
        yield "end_of_record"


def _functions(rules: list[RuleCoverage]) -> Iterator[str]:
    yield from (f"FN:{rule.place.line},{rule.rule}" for rule in rules)
    yield from (f"FNDA:{rule.fired},{rule.rule}" for rule in rules)
    yield f"FNF:{len(rules)}"
    yield f"FNH:{sum(rule.fired > 0 for rule in rules)}"


def _branches(parts: list[PartCoverage]) -> Iterator[str]:
    for block, part in enumerate(parts):
        asked = part.true_count or part.false_count or part.failed_count
        for branch, count in enumerate((part.true_count, part.false_count)):
            yield f"BRDA:{part.place.line},{block},{branch},{count if asked else '-'}"
    yield f"BRF:{2 * len(parts)}"
    yield f"BRH:{sum(part.seen for part in parts)}"


def _lines(rules: list[RuleCoverage], parts: list[PartCoverage]) -> Iterator[str]:
    """Yield how often each line was reached: a rule's by its firing, a part's by its being asked."""
    counts: dict[int, int] = {}
    for line, count in [
        *((rule.place.line, rule.fired) for rule in rules),
        *((part.place.line, part.true_count + part.false_count + part.failed_count) for part in parts),
    ]:
        counts[line] = max(counts.get(line, 0), count)
    yield from (f"DA:{line},{count}" for line, count in sorted(counts.items()))
    yield f"LF:{len(counts)}"
    yield f"LH:{sum(count > 0 for count in counts.values())}"
