"""What one load leaves for the next: the same result, read and compiled but once."""

from collections.abc import Callable

from usher.bootstrap.schemas import Schemas
from usher.cel import DEFAULT_LIMITS
from usher.engine import DEFAULT_NAMESPACES, LoadedPolicies, PolicySet
from usher.engine.changes import changes
from usher.engine.folder import SourceFile
from usher.engine.load import compiled_policies
from usher.engine.trees import Trees

GOOD = "policy: {}\nrules:\n  - id: a\n    set: {{user.title: {{value: x}}}}\n"
BAD = "policy: bad\nrules:\n  - id: a\n    set: {user.titel: {value: x}}\n"


def loader(schemas: Schemas, trees: Trees | None) -> Callable[..., LoadedPolicies]:
    """Return a loader of policies by name, over one memory or none."""

    def load(**texts: str) -> LoadedPolicies:
        files = tuple(SourceFile(f"{name}.yaml", f"{name}.yaml", text.encode()) for name, text in texts.items())
        return compiled_policies(
            files,
            (),
            ".",
            shape=schemas.policy,
            profiles=schemas.profiles,
            namespaces=DEFAULT_NAMESPACES,
            indexed=None,
            limits=DEFAULT_LIMITS,
            trees=trees,
        )

    return load


def sound(loaded: LoadedPolicies) -> PolicySet:
    """Return the set of a load without errors."""
    assert loaded.policy_set is not None, loaded.problems
    return loaded.policy_set


def test_a_text_is_read_again_only_when_it_has_changed() -> None:
    """The same text under the same name gives the very same nodes; another name gives other places."""
    trees = Trees()
    first = trees.read("a: 1\n", "x.yaml")
    assert trees.read("a: 1\n", "x.yaml") is first
    trees.turn()
    assert trees.read("a: 1\n", "x.yaml") is first
    assert trees.read("a: 2\n", "x.yaml") is not first
    other, _ = trees.read("a: 1\n", "y.yaml")
    assert other is not None
    assert other.place.file == "y.yaml"


def test_what_two_loads_have_not_used_is_forgotten() -> None:
    """Memory does not grow with the number of reloads."""
    trees = Trees()
    first = trees.read("a: 1\n", "x.yaml")
    trees.turn()
    trees.turn()
    assert trees.read("a: 1\n", "x.yaml") is not first


def test_a_load_with_a_memory_finds_what_one_without_finds(schemas: Schemas) -> None:
    """Policies, problems and revision alike, after each of several edits, one of them back to what was before."""
    trees = Trees()
    with_memory, without = loader(schemas, trees), loader(schemas, None)
    edits = [
        {"p": GOOD.format("p"), "q": GOOD.format("q")},
        {"p": GOOD.format("p"), "q": BAD},
        {"p": GOOD.format("p").replace("value: x", "value: y"), "q": GOOD.format("q")},
        {"p": GOOD.format("p"), "q": GOOD.format("q")},
        {"p": GOOD.format("p"), "q": GOOD.format("p")},
    ]
    for texts in edits:
        trees.turn()
        one, other = with_memory(**texts), without(**texts)
        assert one.problems == other.problems
        assert (one.policy_set is None) is (other.policy_set is None)
        if one.policy_set is not None:
            assert one.policy_set.revision == sound(other).revision
            assert changes(one.policy_set, sound(other)) == ()


def test_an_unchanged_policy_is_not_compiled_again(schemas: Schemas) -> None:
    """Only the edited file costs anything; a table of another name counts as a change for all."""
    trees = Trees()
    load = loader(schemas, trees)
    before = sound(load(p=GOOD.format("p"), q=GOOD.format("q")))
    trees.turn()
    after = sound(load(p=GOOD.format("p"), q=GOOD.format("q").replace("value: x", "value: y")))
    assert after.policies[0].items[0] is before.policies[0].items[0]
    assert after.policies[1].items[0] is not before.policies[1].items[0]
