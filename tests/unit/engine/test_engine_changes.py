"""What differs between two sets: every part of every thing, and nothing that is only where it stands."""

import json
import random
import shutil
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.engine.engine_worlds import World, worlds
from usher.bootstrap.schemas import Schemas
from usher.domain.place import Place
from usher.engine import DEFAULT_NAMESPACES, Namespace, PolicySet, load_policies, load_profiles
from usher.engine.changes import Change, Kind, PartChange, changes
from usher.proof.mutation import mutants

Load = Callable[..., PolicySet]
NAMESPACES = {"login": Namespace("login"), "account": Namespace("account", directory=())}
MIRRORED = {Kind.ADDED: Kind.REMOVED, Kind.REMOVED: Kind.ADDED, Kind.CHANGED: Kind.CHANGED}

POLICY = """\
policy: p
description: what it is for
owner: iam
mode: enforce
match: context.application.name == 'a'
constants:
  town: Ulm
variables:
  first: slug(get(user, 'firstName', ''))
rules:
  - id: titled
    description: people have titles
    only: create
    when: variables.first != ''
    set:
      user.title: "'x'"
      user.city: {value: Bonn}
    because: "'a title'"
    debug: variables.first
  - id: free
    claim:
      login:
        candidates: ["variables.first + '@example.com'", "variables.first + string(n) + '@example.com'"]
        counter: {from: 2, to: 9}
        except: [root@example.com]
        exhausted: hold
    set: {user.login: claimed.login}
  - id: locale
    when: has(user.countryCode)
    first:
      - id: german
        when: get(user, 'countryCode', '') == 'DE'
        set: {user.locale: {value: de_DE}}
      - id: italian
        when: get(user, 'countryCode', '') == 'IT'
        set: {user.locale: {value: it_IT}}
      - id: elsewhere
        set: {user.locale: {value: en_US}}
  - id: known
    when: get(user, 'state', '') == 'known'
    action: {link: "'00u1'"}
  - id: asks
    when: get(user, 'state', '') == 'ask'
    hold: "'ask somebody'"
  - id: guards
    when: get(user, 'state', '') == 'board'
    veto: [user.nickName, action.link]
    overrides: [asks]
"""
TABLES = {"tables/towns.csv": "code,name\nUL,Ulm\nBN,Bonn\n", "tables/taken.yaml": "[root, admin]\n"}
FILES = {"p.yaml": POLICY, **TABLES}

PARTS = {
    "a policy's description": ("what it is for", "what else", "policy p", "description"),
    "an owner": ("owner: iam", "owner: hr", "policy p", "owner"),
    "a mode": ("mode: enforce", "mode: shadow", "policy p", "mode"),
    "a match": ("name == 'a'", "name == 'b'", "policy p", "match"),
    "a constant": ("town: Ulm", "town: Bonn", "policy p", "constants town"),
    "a variable": ("get(user, 'firstName', '')", "get(user, 'nickName', '')", "policy p", "variables first"),
    "a rule's description": ("people have titles", "all have titles", "rule p/titled", "description"),
    "an only": ("    only: create\n", "    only: link\n", "rule p/titled", "only"),
    "a when": ("when: variables.first != ''", "when: variables.first == ''", "rule p/titled", "when"),
    "a set expression": ("user.title: \"'x'\"", "user.title: \"'y'\"", "rule p/titled", "set user.title"),
    "a set literal": ("{value: Bonn}", "{value: Ulm}", "rule p/titled", "set user.city"),
    "a literal instead of an expression": (
        "user.title: \"'x'\"",
        "user.title: {value: x}",
        "rule p/titled",
        "set user.title",
    ),
    "a because": ("\"'a title'\"", "\"'a new title'\"", "rule p/titled", "because"),
    "a debug": ("debug: variables.first", "debug: action", "rule p/titled", "debug"),
    "a candidate": (
        "[\"variables.first + '@example.com'\"",
        "[\"variables.first + '@example.org'\"",
        "rule p/free",
        "claim login candidate 1",
    ),
    "a later candidate": ("string(n) + '@", "'-' + string(n) + '@", "rule p/free", "claim login candidate 2"),
    "a counter": ("to: 9}", "to: 99}", "rule p/free", "claim counter"),
    "what is never given out": ("[root@example.com]", "[admin@example.com]", "rule p/free", "claim login except"),
    "what exhaustion does": ("exhausted: hold", "exhausted: skip", "rule p/free", "claim exhausted"),
    "what a claim feeds": (
        "set: {user.login: claimed.login}",
        "set: {user.login: claimed.login.lowerAscii()}",
        "rule p/free",
        "set user.login",
    ),
    "a ladder's when": ("has(user.countryCode)", "has(user.locale)", "ladder p/locale", "when"),
    "a branch's when": ("== 'IT'", "== 'CH'", "rule p/locale/italian", "when"),
    "a branch's set": ("value: it_IT", "value: it_CH", "rule p/locale/italian", "set user.locale"),
    "whom a rule links to": ("\"'00u1'\"", "\"'00u2'\"", "rule p/known", "action"),
    "an action": ("action: {link: \"'00u1'\"}", "action: create", "rule p/known", "action"),
    "a hold's text": ("'ask somebody'", "'ask nobody'", "rule p/asks", "hold"),
    "a veto": ("veto: [user.nickName,", "veto: [user.title,", "rule p/guards", "veto"),
    "what a rule overrides": ("overrides: [asks]", "overrides: [known]", "rule p/guards", "overrides"),
}


def subjects(made: Iterable[Change]) -> list[str]:
    """Return changes as `changed rule p/a: when, only`."""
    return [
        f"{change.kind.value} {change.what} {change.name}"
        + (f": {', '.join(part.part for part in change.parts)}" if change.parts else "")
        for change in made
    ]


@pytest.mark.parametrize(("old", "new", "subject", "part"), PARTS.values(), ids=PARTS)
def test_every_part_of_a_policy_counts(policy_set: Load, old: str, new: str, subject: str, part: str) -> None:
    """One part changed is one change of one thing with one part, at its place in the new set."""
    assert POLICY.count(old) == 1
    before, after = policy_set(FILES), policy_set({**FILES, "p.yaml": POLICY.replace(old, new)})
    [change] = changes(before, after)
    assert (change.kind, f"{change.what} {change.name}") == (Kind.CHANGED, subject)
    assert [found.part for found in change.parts] == [part]
    assert change.parts[0].before != change.parts[0].after
    places = {policy.place for policy in after.policies} | {rule.place for rule in after.rules}
    assert change.place in places or change.what == "ladder"


@pytest.mark.parametrize(
    ("line", "subject", "part", "told"),
    [
        ("match: context.application.name == 'a'", "policy p", "match", "context.application.name == 'a'"),
        ("    when: variables.first != ''", "rule p/titled", "when", "variables.first != ''"),
        ("      user.city: {value: Bonn}", "rule p/titled", "set user.city", '{value: "Bonn"}'),
        ("    overrides: [asks]", "rule p/guards", "overrides", "p/asks"),
        ("    only: create", "rule p/titled", "only", "create"),
    ],
)
def test_a_part_that_comes_or_goes_is_nothing_on_the_other_side(
    policy_set: Load, line: str, subject: str, part: str, told: str
) -> None:
    """Told as the admin wrote it; '' where it was not."""
    whole, without = policy_set(POLICY), policy_set(POLICY.replace(f"{line}\n", ""))
    [gone], [come] = changes(whole, without), changes(without, whole)
    assert subjects([gone]) == subjects([come]) == [f"changed {subject}: {part}"]
    assert (gone.parts, come.parts) == ((PartChange(part, told, ""),), (PartChange(part, "", told),))


def test_a_ladder_is_changed_when_its_order_is(policy_set: Load) -> None:
    """The first branch that is true fires: no branch is another, and still the ladder is."""
    branches = POLICY[POLICY.index("      - id: german") : POLICY.index("      - id: elsewhere")]
    middle = branches.index("      - id: italian")
    turned = POLICY.replace(branches, branches[middle:] + branches[:middle])
    [change] = changes(policy_set(POLICY), policy_set(turned))
    assert subjects([change]) == ["changed ladder p/locale: order"]
    assert (change.parts[0].before, change.parts[0].after) == (
        "german, italian, elsewhere",
        "italian, german, elsewhere",
    )


def test_what_comes_and_goes_is_told_whole_with_its_place(policy_set: Load) -> None:
    """A removed thing where it was, an added one where it is; a renamed rule is both."""
    before = policy_set({"a.yaml": POLICY})
    after = policy_set({"a.yaml": POLICY.replace("  - id: asks", "\n  - id: waits").replace("[asks]", "[waits]")})
    made = changes(before, after)
    assert subjects(made) == [
        "removed rule p/asks",
        "changed rule p/guards: overrides",
        "added rule p/waits",
    ]
    line = POLICY[: POLICY.index("  - id: asks")].count("\n") + 1
    assert [(change.place.line, change.place.column) for change in (made[0], made[2])] == [(line, 5), (line + 1, 5)]
    assert Path(made[0].place.file).name == "a.yaml"


def test_a_policy_comes_with_its_rules_and_ladders(policy_set: Load) -> None:
    """All of them, sorted by what they are and by name."""
    other = "policy: q\nrules:\n  - id: b\n    set: {user.title: {value: x}}\n"
    ladder = "  - id: a\n    first:\n      - {id: c, set: {user.city: {value: x}}}\n"
    made = changes(policy_set({"p.yaml": POLICY}), policy_set({"p.yaml": POLICY, "q.yaml": other + ladder}))
    assert subjects(made) == ["added ladder q/a", "added policy q", "added rule q/a/c", "added rule q/b"]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("towns.csv", "code,name\nUL,Ulm\nBN,Berlin\n", ["changed table towns: BN"]),
        ("towns.csv", "code,name\nUL,Ulm\n", ["changed table towns: BN"]),
        ("towns.csv", "code,name\nUL,Ulm\nBN,Bonn\nMU,Muenchen\n", ["changed table towns: MU"]),
        ("towns.csv", "code,name\nBN,Bonn\nUL,Ulm\n", []),
        ("towns.csv", 'code;name\n"UL";"Ulm"\n"BN";"Bonn"\n', []),
        ("taken.yaml", "[root, admin, guest]\n", ["changed table taken: "]),
        ("taken.yaml", "- root # he\n- admin\n", []),
        ("taken.yaml", "{root: x}\n", ["changed table taken: , root"]),
        ("more.yaml", "{a: 1}\n", ["added table more"]),
    ],
)
def test_tables_are_told_by_row(policy_set: Load, name: str, text: str, expected: list[str]) -> None:
    """A map by its keys, a list as a whole; how it is written does not count."""
    assert subjects(changes(policy_set(FILES), policy_set({**FILES, f"tables/{name}": text}))) == expected


def test_a_table_that_goes_is_removed(policy_set: Load) -> None:
    """With its name, however large it was."""
    assert subjects(changes(policy_set(FILES), policy_set({"p.yaml": POLICY}))) == [
        "removed table taken",
        "removed table towns",
    ]


@pytest.fixture
def with_profiles(tmp_path: Path, root: Path, schemas: Schemas, write_folder: Callable[..., Path]) -> Load:
    """Return a loader of the policy with profile schemas as changed by a function of name and schema."""

    def make(name: str = "", change: Callable[[Any], object] = dict) -> PolicySet:
        folder = tmp_path / "profiles"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(root / "schemas" / "profiles", folder)
        if name:
            path = folder / f"{name}.schema.json"
            schema: Any = json.loads(path.read_bytes()) if path.exists() else {"type": "object", "properties": {}}
            change(schema)
            path.write_text(json.dumps(schema), encoding="utf-8")
        loaded = load_policies(write_folder(POLICY), shape=schemas.policy, profiles=load_profiles(folder))
        assert loaded.policy_set is not None, loaded.problems
        return loaded.policy_set

    return make


@pytest.mark.parametrize(
    ("name", "change", "expected"),
    [
        (
            "okta-user",
            lambda schema: schema["properties"].update(shoeSize={"type": "string"}),
            ["changed profile schema okta-user: shoeSize"],
        ),
        (
            "okta-user",
            lambda schema: schema["properties"].pop("mobilePhone"),
            ["changed profile schema okta-user: mobilePhone"],
        ),
        (
            "okta-user",
            lambda schema: schema["properties"]["title"].update(maxLength=3),
            ["changed profile schema okta-user: title"],
        ),
        (
            "okta-user",
            lambda schema: schema["properties"]["title"].update({"x-sensitivity": "high"}),
            ["changed profile schema okta-user: title"],
        ),
        (
            "appuser",
            lambda schema: schema.update(required=["userName"]),
            ["changed profile schema appuser: required"],
        ),
        ("appuser", lambda schema: schema.update(description="other words"), []),
        (
            "appuser.csv",
            lambda schema: schema["properties"].update(badge={"type": "string"}),
            ["added profile schema appuser.csv"],
        ),
    ],
)
def test_profile_schemas_are_told_by_attribute(
    with_profiles: Load, name: str, change: Callable[..., object], expected: list[str]
) -> None:
    """They decide which values are sent; what they say in words does not."""
    assert subjects(changes(with_profiles(), with_profiles(name, change))) == expected


@pytest.mark.parametrize(
    "moved",
    [
        "# a licence\n\n" + POLICY,
        POLICY.replace("\n  - id:", "\n\n  # what comes next\n  - id:"),
        POLICY.replace("\n", "\r\n"),
        POLICY.replace("when: variables.first != ''", "when: >-\n      variables.first != ''\n"),
        POLICY.replace("owner: iam\n", "").replace("policy: p\n", "owner: iam\npolicy: p\n"),
    ],
    ids=["a comment above", "comments between", "line ends", "a folded scalar", "keys in another order"],
)
def test_where_something_stands_is_no_change(policy_set: Load, moved: str) -> None:
    """Nor in which file: what is decided is the same."""
    before = policy_set({"p.yaml": POLICY})
    assert changes(before, policy_set({"p.yaml": moved})) == ()
    assert changes(before, policy_set({"below/other.yml": moved})) == ()


def test_what_is_no_part_of_a_policy_is_no_change(policy_set: Load) -> None:
    """Tests and test data make another revision and change no answer."""
    before, after = policy_set(FILES), policy_set({**FILES, "testdata/a.json": "{}", "p_test.yaml": "tests_for: p\n"})
    assert before.revision != after.revision
    assert changes(before, after) == ()


def test_no_mutant_goes_unseen(policy_set: Load, root: Path, schemas: Schemas) -> None:
    """What could make a policy test fail shows as a change, of that rule or policy and of nothing else."""
    shipped = load_policies(
        root / "policies", shape=schemas.policy, profiles=schemas.profiles, namespaces=DEFAULT_NAMESPACES
    ).policy_set
    assert shipped is not None
    for before in (policy_set(FILES), shipped):
        for mutant in mutants(before):
            policies = tuple(
                mutant.apply(policy) if policy.name == mutant.policy else policy for policy in before.policies
            )
            made = changes(before, replace(before, policies=policies))
            assert [change.name for change in made] == [mutant.what.partition(": ")[0]], mutant.what


@given(worlds(), st.integers().map(random.Random))
def test_a_set_is_no_change_of_itself_in_any_order(policy_set: Load, world: World, shuffle: random.Random) -> None:
    """Law: neither the order of files nor that of rules in them counts; that of a ladder's branches stays."""
    before = policy_set(world.files(), namespaces=NAMESPACES)
    assert changes(before, before) == ()
    assert changes(before, policy_set(world.files(shuffle), namespaces=NAMESPACES)) == ()


@given(worlds(), worlds())
def test_the_way_back_mirrors_the_way_there(policy_set: Load, one: World, other: World) -> None:
    """Law: what was added is removed, what was before is after, and there is nothing else; sorted both ways."""

    def told(made: tuple[Change, ...]) -> list[tuple[Kind, str, str, frozenset[tuple[str, str, str]]]]:
        return [
            (
                change.kind,
                change.what,
                change.name,
                frozenset((part.part, part.before, part.after) for part in change.parts),
            )
            for change in made
        ]

    before, after = (policy_set(world.files(), namespaces=NAMESPACES) for world in (one, other))
    there, back = changes(before, after), changes(after, before)
    mirrored = [
        (MIRRORED[kind], what, name, frozenset((part, new, old) for part, old, new in parts))
        for kind, what, name, parts in told(back)
    ]
    assert told(there) == mirrored
    assert [(change.what, change.name) for change in there] == sorted((change.what, change.name) for change in there)


def test_a_table_s_place_is_its_folder(policy_set: Load) -> None:
    """It has no line: the whole table is meant."""
    [change] = changes(policy_set({"p.yaml": POLICY}), policy_set({"p.yaml": POLICY, "tables/a.yaml": "[x]\n"}))
    assert change.place == Place("tables/a")
