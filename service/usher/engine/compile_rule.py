"""Rules and ladders: from nodes to `Rule` and `Ladder`.

Owns what a rule may combine: it changes or it restricts, `only` must fit what it does, a branch without `when` ends
its ladder. Used while loading, by one thread.
"""

from typing import Final

from usher.domain.decision import Ending
from usher.domain.place import Place
from usher.engine.compile_claim import compile_claim
from usher.engine.compiling import Compiling
from usher.engine.nodes import entries, items, keys, text
from usher.engine.policy import Action, Claim, Ladder, Literal, PlacedExpression, Rule, Value
from usher.engine.yaml_text import Mapping, Node, Scalar

_CHANGES: Final = ("set", "claim", "action")
_RESTRICTIONS: Final = ("hold", "veto")
_EFFECTS: Final = (*_CHANGES, *_RESTRICTIONS, "debug")
_ACTION_TARGETS: Final = frozenset({"action.link", "action.create"})
_USER_NAMES: Final = frozenset({"user.login", "appuser.userName"})
_ENDINGS: Final = {ending.value: ending for ending in Ending}


class RuleCompiler:
    """Compiles the rules of one policy."""

    def __init__(self, compiling: Compiling, policy: str) -> None:
        self._compiling = compiling
        self._policy = policy

    def rules(self, node: Node | None) -> tuple[Rule | Ladder, ...]:
        """Compile the list under `rules`."""
        seen: set[str] = set()
        compiled: list[Rule | Ladder] = []
        for item in items(node):
            if isinstance(item, Mapping):
                self._check_id(item, seen)
                compiled.append(self._ladder(item) if item.get("first") is not None else self._rule(item, self._policy))
        return tuple(compiled)

    def _check_id(self, node: Mapping, seen: set[str]) -> None:
        identifier = node.get("id")
        name = text(identifier)
        if identifier is not None and name in seen:
            self._problem(identifier.place, "duplicate-id", f"a rule named {name} stands above; ids are unique")
        seen.add(name)

    def _ladder(self, node: Mapping) -> Ladder:
        name = f"{self._policy}/{text(node.get('id'))}"
        for key, _ in node.entries:
            if key.value in _EFFECTS or key.value == "because":
                self._problem(key.place, "ladder-effect", f"{key.value} belongs into a branch, not beside `first`")
        gate = Rule(
            name=name,
            place=node.place,
            when=self._compiling.expression(node.get("when"), boolean=True, guards_required=_any_restricts(node)),
            only=_ending(node.get("only")),
            overrides=self._overrides(node),
        )
        seen: set[str] = set()
        branches: list[Rule] = []
        ended = False
        for item in items(node.get("first")):
            if isinstance(item, Mapping):
                self._check_id(item, seen)
                if ended:
                    self._problem(
                        item.place, "unreachable-branch", "a branch above has no `when`, so this one is never reached"
                    )
                ended = ended or (item.get("when") is None and item.get("first") is None)
                branches.append(self._branch(item, gate))
        return Ladder(gate, tuple(branches))

    def _branch(self, node: Mapping, gate: Rule) -> Rule:
        if node.get("first") is not None:
            self._problem(node.place, "nested-ladder", "a ladder holds no ladder; name the branches' conditions out")
        return self._rule(node, gate.name, inherited=gate)

    def _rule(self, node: Mapping, parent: str, inherited: Rule | None = None) -> Rule:
        restricts = any(node.get(key) is not None for key in _RESTRICTIONS)
        self._check_effects(node, restricts=restricts)
        claim = compile_claim(node.get("claim"), self._compiling) if node.get("claim") is not None else None
        sets, claimed_sets = self._sets(node, claim)
        rule = Rule(
            name=f"{parent}/{text(node.get('id'))}",
            place=node.place,
            when=self._compiling.expression(node.get("when"), boolean=True, guards_required=restricts),
            only=_ending(node.get("only")) or (inherited.only if inherited else None),
            sets=sets,
            claimed_sets=claimed_sets,
            action=self._action(node.get("action")),
            claim=claim,
            hold=self._hold(node.get("hold")),
            veto=tuple(self._veto(item) for item in items(node.get("veto"))),
            overrides=(*self._overrides(node), *(inherited.overrides if inherited else ())),
            because=self._compiling.expression(node.get("because")),
            debug=self._compiling.value(node.get("debug")),
            description=text(node.get("description")),
        )
        self._check_only(rule, node)
        return rule

    def _check_effects(self, node: Mapping, *, restricts: bool) -> None:
        changes = [key for key in _CHANGES if node.get(key) is not None]
        if restricts and changes:
            message = f"a rule changes or restricts; put {' and '.join(changes)} into a rule of its own"
            self._problem(node.place, "mixed-effects", message)
        if not any(node.get(key) is not None for key in (*_EFFECTS, "first")):
            self._problem(node.place, "no-effect", f"the rule does nothing; give it one of {', '.join(_EFFECTS)}")

    def _sets(
        self, node: Mapping, claim: Claim | None
    ) -> tuple[tuple[tuple[str, Value], ...], tuple[tuple[str, PlacedExpression], ...]]:
        names = frozenset({"claimed"}) if node.get("claim") is not None else frozenset[str]()
        sets: list[tuple[str, Value]] = []
        claimed: list[tuple[str, PlacedExpression]] = []
        for key, value in entries(node.get("set")):
            target = str(key.value)
            self._compiling.checks.target(target, key.place)
            compiled = self._compiling.value(value, extra_names=names)
            if isinstance(compiled, PlacedExpression) and "claimed" in compiled.expression.names:
                claimed.append((target, compiled))
                self._check_claimed(compiled, claim)
            elif compiled is not None:
                sets.append((target, compiled))
        if claim is not None and not claimed and node.get("claim") is not None:
            self._problem(node.place, "unused-claim", "no `set` of this rule uses claimed.<namespace>", warning=True)
        return tuple(sets), tuple(claimed)

    def _check_claimed(self, placed: PlacedExpression, claim: Claim | None) -> None:
        for read in placed.expression.reads:
            if read.path[0] == "claimed" and len(read.path) > 1 and claim and read.path[1] not in claim.namespaces:
                place = Place(placed.place.file, *placed.at(read.line, read.column))
                self._problem(place, "unknown-namespace", f"this rule claims no {read.path[1]}")

    def _action(self, node: Node | None) -> Action | None:
        if isinstance(node, Mapping):
            return Action(self._compiling.value(node.get("link")) or Literal(None))
        return Action(None) if text(node) == "create" else None

    def _hold(self, node: Node | None) -> Value | None:
        if node is None:
            return None
        return self._compiling.value(node) or Literal("")

    def _veto(self, node: Node) -> str:
        target = text(node)
        if target not in _ACTION_TARGETS:
            self._compiling.checks.target(target, node.place)
        return target

    @staticmethod
    def _overrides(node: Mapping) -> tuple[str, ...]:
        """Return the names as written; cross checks find the rules they mean."""
        return tuple(text(item) for item in items(node.get("overrides")))

    def _check_only(self, rule: Rule, node: Mapping) -> None:
        place = (node.get("only") or node).place
        links = rule.action is not None and rule.action.link is not None
        if rule.claim is not None and (rule.only is Ending.LINK or links):
            self._problem(
                place, "claim-on-link", "nothing is claimed for a row that ends in a link; use `only: create`"
            )
        wanted = rule.action and (Ending.LINK if rule.action.link is not None else Ending.CREATE)
        if wanted and rule.only and rule.only is not wanted:
            self._problem(place, "only-against-action", f"this rule asks for {wanted} and applies only to {rule.only}")
        if rule.only and _ACTION_TARGETS & set(rule.veto):
            self._problem(
                place, "only-against-action", "a veto of an action decides the ending, so `only` cannot depend on it"
            )
        if rule.ending is None and wanted is not Ending.CREATE and (named := _USER_NAMES & set(rule.targets)):
            message = f"sets {' and '.join(sorted(named))} of people who are linked, too; add `only: create`"
            self._problem(rule.place, "username-without-only", message, warning=True)

    def _problem(self, place: Place, code: str, message: str, *, warning: bool = False) -> None:
        self._compiling.problem(place, code, message, warning=warning)


def _any_restricts(node: Mapping) -> bool:
    return any(key in _RESTRICTIONS for branch in items(node.get("first")) for key in keys(branch))


def _ending(node: Node | None) -> Ending | None:
    value = node.value if isinstance(node, Scalar) else None
    return _ENDINGS.get(value) if isinstance(value, str) else None
